//! Who may do what: roles as a text, and the rights that a connection has by them.

mod filter;
mod rights;
mod roles;

pub use rights::{Grant, Guest, Reading, Renewed, Rights};
pub use roles::{Roles, RolesError};
