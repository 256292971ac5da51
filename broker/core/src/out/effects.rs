//! What the caller has to do.

use crate::id::ConnId;
use crate::keep::Keep;
use crate::router::RouterOp;

/// What the caller has to do after a call.
#[derive(Debug, Default)]
pub struct Effects {
    /// Connections that have something to pull.
    pub wake: Vec<ConnId>,
    /// For the router, in order.
    pub router: Vec<RouterOp>,
    /// For the store, in order.
    pub keep: Vec<Keep>,
}
