//! Which gateway owns which zone, and what an owner may do.

pub(crate) mod duties;
pub(crate) mod leases;
pub(crate) mod peers;
pub(crate) mod zones;
