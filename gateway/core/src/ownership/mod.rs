//! Which gateway owns which zone, and what an owner may do.

pub(crate) mod authority;
pub(crate) mod cache;
pub(crate) mod duties;
pub(crate) mod flights;
pub(crate) mod grants;
pub(crate) mod heartbeat;
pub(crate) mod lease;
pub(crate) mod peers;
pub(crate) mod publications;
pub(crate) mod site;
pub(crate) mod zones;
