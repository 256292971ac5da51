//! What every request gets: `{"status":"ok", …}` or `{"status":"error","error":"…"}`.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{PayloadError, RequestId};

/// The answer to a request, a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    body: Map<String, Json>,
}

impl Answer {
    /// A good answer with the members of `json`, which must be an object.
    ///
    /// # Panics
    /// When `json` is no object: that is a mistake in the program.
    #[must_use]
    pub fn ok(json: Json) -> Self {
        let Json::Object(members) = json else { panic!("an answer is a JSON object") };
        let mut body = Map::new();
        body.insert("status".into(), "ok".into());
        body.extend(members);
        Self { body }
    }

    /// A refusal that says why.
    #[must_use]
    pub fn error(why: impl fmt::Display) -> Self {
        let mut body = Map::new();
        body.insert("status".into(), "error".into());
        body.insert("error".into(), why.to_string().into());
        Self { body }
    }

    /// The same answer with the request's id echoed.
    #[must_use]
    pub fn with_id(mut self, id: Option<&RequestId>) -> Self {
        if let Some(id) = id {
            self.body.insert("id".into(), id.to_json());
        }
        self
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// When it is no JSON object with a `status`.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let body: Map<String, Json> =
            serde_json::from_slice(payload).map_err(|e| PayloadError::BadJson(e.to_string()))?;
        match body.get("status").and_then(Json::as_str) {
            Some("ok" | "error") => Ok(Self { body }),
            _ => Err(PayloadError::Member { name: "status", expected: "\"ok\" or \"error\"" }),
        }
    }

    /// The reason of a refusal; none for a good answer.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self.body.get("status").and_then(Json::as_str) {
            Some("error") => Some(self.body.get("error").and_then(Json::as_str).unwrap_or("")),
            _ => None,
        }
    }

    /// A member of the answer; null when it is missing.
    #[must_use]
    pub fn get(&self, name: &str) -> &Json {
        self.body.get(name).unwrap_or(&Json::Null)
    }

    /// The payload.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Object(self.body.clone())
    }
}

/// What the owner's cache did for a `get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheUse {
    /// The device was in the cache.
    Hit,
    /// It was not, but some gateway had cached it before.
    Miss,
    /// No gateway had ever cached it.
    Cold,
    /// The cache has size 0.
    Off,
}

impl fmt::Display for CacheUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Cold => "cold",
            Self::Off => "off",
        })
    }
}

impl FromStr for CacheUse {
    type Err = PayloadError;

    fn from_str(text: &str) -> Result<Self, PayloadError> {
        match text {
            "hit" => Ok(Self::Hit),
            "miss" => Ok(Self::Miss),
            "cold" => Ok(Self::Cold),
            "off" => Ok(Self::Off),
            _ => Err(PayloadError::Member { name: "cache", expected: "hit, miss, cold or off" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_or_says_why_not() {
        let good = Answer::ok(serde_json::json!({"order": 3}));
        assert_eq!(good.failure(), None);
        let id = RequestId::new("q").ok();
        let bad = Answer::error("no such device").with_id(id.as_ref());
        assert_eq!(bad.failure(), Some("no such device"));
        let payload = bad.to_json().to_string();
        assert_eq!(Answer::parse(payload.as_bytes()), Ok(bad));
        assert!(Answer::parse(b"{}").is_err());
        assert!(Answer::parse(b"garbage").is_err());
    }
}
