//! On whose account goes what a session holds.

use std::sync::Arc;

/// Whose account it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payer {
    /// The broker, and gateways: they may have all there is, the reserve too.
    House,
    /// Where there are no users: all together.
    Anyone,
    /// A user.
    User {
        name: Arc<str>,
        role: Arc<str>,
        /// Whether it is one of many small ones.
        device: bool,
    },
}

impl Payer {
    /// The user's name, if there is one.
    pub(crate) fn user(&self) -> Option<&Arc<str>> {
        match self {
            Self::User { name, .. } => Some(name),
            Self::House | Self::Anyone => None,
        }
    }
}
