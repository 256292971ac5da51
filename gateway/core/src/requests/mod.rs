//! What devices and people ask, and what they are answered.

pub(crate) mod api;
pub(crate) mod deliveries;
pub(crate) mod handler;
pub(crate) mod knocks;
pub(crate) mod local;
pub(crate) mod overview;
pub(crate) mod queries;
pub(crate) mod reads;
pub(crate) mod refusals;
pub(crate) mod registrations;
pub(crate) mod trouble;
pub(crate) mod voters;
pub(crate) mod waiters;
