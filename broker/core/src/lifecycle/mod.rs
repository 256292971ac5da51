//! Connections and sessions come and go, with their wills; and what of it outlives the broker.

mod connect;
mod end;
mod kept;
mod planted;
mod renew;
mod restore;
mod wills;

pub use connect::Connected;
pub(crate) use connect::connect;
pub use end::Ended;
pub(crate) use end::{change_expiry, closed, end_session};
pub(crate) use kept::everything;
pub(crate) use renew::{cut_off, renew};
pub(crate) use restore::restore;
pub(crate) use wills::publish_will;
