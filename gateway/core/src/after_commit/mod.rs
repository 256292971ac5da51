//! What follows once an entry is chosen, and once it is in the tables.

pub(crate) mod applying;
pub(crate) mod settle;
pub(crate) mod unsettled;
