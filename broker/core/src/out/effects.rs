//! What the caller has to do.

use crate::id::ConnId;
use crate::keep::Keep;
use crate::request::Request;
use crate::router::RouterOp;

/// Complaints of one step. 16: more of them are about the same.
const COMPLAINTS: usize = 16;

/// Something that was refused without a word to its client, for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The user, or the client where there are no users.
    pub culprit: Box<str>,
    /// What was refused.
    pub why: &'static str,
    /// What this case is about.
    pub about: String,
}

/// What the caller has to do after a call.
#[derive(Debug, Default)]
pub struct Effects {
    /// Connections that have something to pull.
    pub wake: Vec<ConnId>,
    /// For the router, in order.
    pub router: Vec<RouterOp>,
    /// For the store, in order.
    pub keep: Vec<Keep>,
    /// For the log.
    pub complaints: Vec<Complaint>,
    /// To be answered before the next call. No more than the packets of a step.
    pub requests: Vec<Request>,
}

impl Effects {
    pub(crate) fn complain(&mut self, complaint: Complaint) {
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(complaint);
        }
    }
}
