//! What a look at all rows of a replica's file asks for and finds, to compare replicas: in ever smaller parts, so that
//! two that differ can be told apart row by row.

use paxos::Slot;
use serde_json::{Value as Json, json};
use wire::PayloadError;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Every replicated table.
    All,
    /// One table, in [`BUCKETS`] parts.
    Table(String),
    /// The rows of one of them.
    Bucket(String, u8),
}

/// Parts of a table.
pub const BUCKETS: usize = 256;

/// What was found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// The slot up to which the rows are applied.
    pub slot: Slot,
    /// The parts in order: tables, buckets or rows.
    pub parts: Vec<Part>,
    /// Rows that are not those that were written, in words.
    pub damage: Option<String>,
}

/// A part of a replica's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The table, the number of the bucket, or the key of the row.
    pub name: String,
    /// How many rows there are.
    pub rows: u64,
    /// The sum of their sums.
    pub sum: u64,
}

impl Survey {
    /// Reads a request.
    ///
    /// # Errors
    /// When its members make no sense.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let json = serde_json::from_slice::<Json>(payload).unwrap_or_default();
        let Some(table) = json["table"].as_str() else { return Ok(Self::All) };
        match &json["bucket"] {
            Json::Null => Ok(Self::Table(table.to_owned())),
            bucket => match bucket.as_u64().and_then(|bucket| u8::try_from(bucket).ok()) {
                Some(bucket) => Ok(Self::Bucket(table.to_owned(), bucket)),
                None => Err(PayloadError::BadJson("bucket must be 0 to 255".to_owned())),
            },
        }
    }
}

impl Surveyed {
    /// The answer.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let parts = self.parts.iter().map(|part| {
            json!({"name": part.name, "rows": part.rows, "sum": format!("{:016x}", part.sum)})
        });
        json!({"slot": self.slot.0, "parts": parts.collect::<Vec<_>>(), "damage": self.damage})
    }
}
