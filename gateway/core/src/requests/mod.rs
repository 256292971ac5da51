//! What devices and people ask, and what they are answered.

pub(crate) mod answers;
pub(crate) mod api;
pub(crate) mod deliveries;
pub(crate) mod queries;
pub(crate) mod reply;
