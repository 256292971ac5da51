//! Who gets the messages of a topic or of a filter.

use crate::id::{GroupId, SessionKey};
use crate::router::FilterId;

/// How the messages of a filter come to its subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the map of topics, at once.
    Exact(Box<str>),
    /// From the tree of filters or through the router.
    Wild(FilterId),
}

/// The subscribers of one topic or filter.
#[derive(Debug, Default)]
pub(super) struct Audience {
    pub(super) sessions: Vec<SessionKey>,
    pub(super) groups: Vec<GroupId>,
}

impl Audience {
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.groups.is_empty()
    }
}
