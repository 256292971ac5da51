//! Which peer gets a message, and who waits for that.
//!
//! A node sends its peers what was published at itself, and never what came from a peer: so a message crosses the mesh at
//! most once, and there are neither loops nor routes.

mod filters;
mod groups;
mod holds;
mod interest;
mod planted;
mod subscribing;

pub use groups::GROUPS;
pub(crate) use groups::Groups;
pub(crate) use holds::{Hold, Holds};
pub use holds::{Kept, PATIENCE};
pub use interest::FILTERS;
pub(crate) use interest::Interest;
pub(crate) use subscribing::{Asked, Subscribing};
