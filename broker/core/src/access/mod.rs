//! Who may do what: roles as a text, and the rights that a connection has by them.

mod filter;
mod payer;
mod rights;
mod roles;

pub(crate) use payer::Payer;
pub use rights::{Grant, Guest, Names, Reading, Renewed, Rights};
pub use roles::{Roles, RolesError};
