//! The user, who opens doors and walks past sensors: acts on simulated devices.

use std::fmt;

use link::{RequestError, Requester, Retry};
use serde_json::json;
use wire::{Answer, Clock, Device, PayloadError, Site, State, Topics, Zone};

/// A user with a Lamport clock.
#[derive(Debug)]
pub struct User {
    requester: Requester,
    topics: Topics,
    clock: Clock,
    name: String,
    actions: u64,
    retry: Retry,
}

/// Why an action did not become an agreed change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserError {
    /// The device did not answer.
    Silent {
        /// Its zone and name.
        device: String,
        /// What happened.
        why: RequestError,
    },
    /// The device or the owner of its zone refused.
    Refused(String),
    /// The answer makes no sense.
    Unreadable(PayloadError),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { device, why } => write!(f, "{device} did not answer ({why})"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Unreadable(why) => write!(f, "unreadable answer: {why}"),
        }
    }
}

impl std::error::Error for UserError {}

impl User {
    /// A user who lives in `site` and whose clock stands at 0.
    #[must_use]
    pub fn new(requester: Requester, site: Site) -> Self {
        // Actions need ids that no other user has; the reply topic is such a name.
        let name = requester.reply_topic().rsplit('/').next().unwrap_or_default().to_owned();
        let topics = Topics::new(site);
        let (clock, actions, retry) = (Clock(0), 0, Retry::default());
        Self { requester, topics, clock, name, actions, retry }
    }

    /// The same user with another patience.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The user's Lamport clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Changes a device by hand; `presence` says whether a presence sensor saw it happen. Returns
    /// the owner's answer when the device's report is agreed.
    ///
    /// # Errors
    /// When the device does not answer in time, or the change was refused.
    pub async fn act(
        &mut self,
        zone: &Zone,
        device: &Device,
        state: &State,
        presence: Option<bool>,
    ) -> Result<Answer, UserError> {
        self.actions += 1;
        let id = format!("{}-{}", self.name, self.actions);
        let clock = self.clock.tick();
        let mut action = json!({"state": state.to_json(), "id": id, "clock": clock});
        if let Some(presence) = presence {
            action["presence"] = presence.into();
        }
        let topic = self.topics.world(zone, device);
        let answer = self.requester.request(&topic, action.to_string(), self.retry).await;
        let answer =
            answer.map_err(|why| UserError::Silent { device: format!("{zone}/{device}"), why })?;
        let answer = Answer::parse(&answer.payload).map_err(UserError::Unreadable)?;
        let theirs = answer.get("clock").as_u64().unwrap_or(0);
        // A clock near the end of its range would overflow ours.
        self.clock.observe(Clock(theirs.min(1 << 60)));
        match answer.failure() {
            Some(why) => Err(UserError::Refused(why.to_owned())),
            None => Ok(answer),
        }
    }
}
