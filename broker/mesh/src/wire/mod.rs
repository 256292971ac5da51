//! What nodes say to each other, and its bytes.

pub(crate) mod coded;
mod frame;
mod values;

pub use coded::Malformed;
pub use frame::{
    Anew, Buckets, Bury, Forget, Frame, Gap, Gone, Got, Hashes, Hello, Interest, LONGEST, Mark,
    Matched, Members, NEWEST, OLDEST, Publish, Reach, Records, Refused, Report, Stored, Subacked,
    Subscribe, Taken, Unsubscribe, Wanted, Welcome, Why,
};
