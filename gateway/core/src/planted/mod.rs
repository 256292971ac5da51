//! Deliberate mistakes as functions, one file for each role that they are planted in.
//!
//! Each function bears the name of its mistake ([`Mutant`](crate::mutant)), takes what is right and returns it; while
//! its mistake is on it returns what is wrong. Without the feature `mutants` all of them return what they were given,
//! and the compiler removes them.

pub(crate) mod cache;
pub(crate) mod deliveries;
pub(crate) mod duties;
pub(crate) mod early;
pub(crate) mod grants;
pub(crate) mod house;
pub(crate) mod knocks;
pub(crate) mod lease;
pub(crate) mod peers;
pub(crate) mod publications;
pub(crate) mod queries;
pub(crate) mod reply;
pub(crate) mod rounds;
pub(crate) mod snapshots;
pub(crate) mod standing;
pub(crate) mod timekeeping;
pub(crate) mod versions;
pub(crate) mod zones;
