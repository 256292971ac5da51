//! What follows once an entry is in the tables.

pub(crate) mod cache;
pub(crate) mod settle;
