//! What a broker of ours and the leader say to each other about publishes for a zone that has no session.

use core::fmt;
use core::str::FromStr;

use crate::stamp::Stamp;

/// Publishes wait for a zone without a session: `<broker>/<incarnation>/<counter> <zone>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Knock {
    /// How much the broker had taken in when it said so, in the order of all that it takes in. What came later is not
    /// meant.
    pub up_to: Stamp,
    /// The zone.
    pub zone: String,
}

/// What waits for a zone up to a moment is refused for good: `<verb> <broker>/<incarnation>/<counter> <zone>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turned {
    /// Last level of the topics that are meant: [`REPORT`](crate::REPORT) or [`SET`](crate::SET).
    pub verb: String,
    /// The publishes.
    pub knock: Knock,
}

/// The text is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "what waits is <broker>/<incarnation>/<counter> <zone>, and before it the verb if it is refused"
)]
pub struct KnockError;

impl fmt::Display for Knock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.up_to, self.zone)
    }
}

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.knock)
    }
}

impl FromStr for Knock {
    type Err = KnockError;

    fn from_str(text: &str) -> Result<Self, KnockError> {
        let (up_to, zone) = text.split_once(' ').ok_or(KnockError)?;
        let up_to = up_to.parse().map_err(|_| KnockError)?;
        Ok(Self { up_to, zone: zone.to_owned() })
    }
}

impl FromStr for Turned {
    type Err = KnockError;

    fn from_str(text: &str) -> Result<Self, KnockError> {
        let (verb, knock) = text.split_once(' ').ok_or(KnockError)?;
        Ok(Self { verb: verb.to_owned(), knock: knock.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_zone_survives_its_text() {
        let up_to = Stamp { broker: 1, incarnation: 7, counter: 42 };
        let knock = Knock { up_to, zone: "living room".to_owned() };
        assert_eq!(knock.to_string(), "1/7/42 living room");
        assert_eq!(knock.to_string().parse(), Ok(knock.clone()));
        let turned = Turned { verb: crate::SET.to_owned(), knock };
        assert_eq!(turned.to_string().parse(), Ok(turned));
        for bad in ["", "kitchen", "1/2 kitchen", "set kitchen"] {
            assert_eq!(bad.parse::<Turned>(), Err(KnockError), "{bad}");
        }
    }
}
