//! Where a publish goes beside its subscribers. It is decided once, where the publish comes in.

use crate::id::SessionKey;

/// The way of one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A topic of the broker's own: no client publishes there.
    Own,
    /// The leader's word on what zones hold, which is for the broker alone.
    Verdict,
    /// To the broker itself, which answers.
    Request,
    /// To its subscribers only.
    Plain,
    /// A report or set of a zone.
    Zone(ZoneName, Place),
}

/// Where a report or set of a zone goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: no gateway has ever come, and the broker does without.
    Nowhere,
    /// Into the zone's session.
    Session(SessionKey),
    /// Into the zone's waiting room.
    Wait,
}

/// Which bytes of a topic are the zone's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ZoneName {
    from: u16,
    to: u16,
}

impl Route {
    /// The zone's name in the topic, for a report or set.
    pub(crate) fn zone(self) -> Option<ZoneName> {
        match self {
            Self::Zone(name, _) => Some(name),
            Self::Own | Self::Request | Self::Verdict | Self::Plain => None,
        }
    }

    /// Whether the zone gets the message, and acknowledges it.
    pub(crate) fn is_held(self) -> bool {
        matches!(self, Self::Zone(_, Place::Session(_) | Place::Wait))
    }
}

impl ZoneName {
    /// The bytes from `from` to before `to`; none in a topic that is longer than any may be.
    pub(crate) fn new(from: usize, to: usize) -> Option<Self> {
        Some(Self { from: u16::try_from(from).ok()?, to: u16::try_from(to).ok()? })
    }

    /// The name, in the topic that it was found in.
    pub(crate) fn of(self, topic: &str) -> &str {
        topic.get(usize::from(self.from)..usize::from(self.to)).unwrap_or_default()
    }
}
