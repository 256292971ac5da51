//! What the gateways agree on, and with whom.

pub(crate) mod agreement;
pub(crate) mod damage;
pub(crate) mod digests;
pub(crate) mod generations;
pub(crate) mod lone;
pub(crate) mod rounds;
pub(crate) mod standing;
pub(crate) mod versions;
pub(crate) mod words;
