//! What Hearth's own broker adds to a delivery, as MQTT 5 user properties.

use core::fmt;
use core::str::FromStr;

/// User property that carries a [`Stamp`].
pub const STAMP_PROPERTY: &str = "hearth-stamp";

/// User property that marks a message which came from the store of retained messages.
pub const RETAINED_PROPERTY: &str = "hearth-retained";

/// User property that names a filter of topics to which the sender of a request may publish, and so may have the answer
/// sent.
pub const REPLY_PROPERTY: &str = "hearth-reply";

/// User property of a gateway's CONNECT for one of its zones: the epoch since which it owns it, a decimal number. A
/// broker of ours lets nobody take the place of an owner with a later one.
pub const EPOCH_PROPERTY: &str = "hearth-epoch";

/// Which publish this is, the same on every redelivery: `<broker>/<incarnation>/<counter>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stamp {
    /// The broker that took the publish in.
    pub broker: u16,
    /// Which life of that broker.
    pub incarnation: u64,
    /// Counts the publishes of that life, in the order in which they came in.
    pub counter: u64,
}

/// The text is no stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stamp is <broker>/<incarnation>/<counter>")]
pub struct StampError;

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.broker, self.incarnation, self.counter)
    }
}

impl FromStr for Stamp {
    type Err = StampError;

    fn from_str(text: &str) -> Result<Self, StampError> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(StampError);
        let stamp = Self {
            broker: part()?.parse().map_err(|_| StampError)?,
            incarnation: part()?.parse().map_err(|_| StampError)?,
            counter: part()?.parse().map_err(|_| StampError)?,
        };
        if parts.next().is_some() { Err(StampError) } else { Ok(stamp) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_its_text() {
        let stamp = Stamp { broker: 1, incarnation: 1_700_000_000_000, counter: 42 };
        assert_eq!(stamp.to_string().parse(), Ok(stamp));
        for bad in ["", "1/2", "1/2/3/4", "x/2/3", "70000/1/1"] {
            assert_eq!(bad.parse::<Stamp>(), Err(StampError), "{bad}");
        }
    }
}
