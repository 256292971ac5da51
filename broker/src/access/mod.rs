//! Who may come in, and who may do what.
//!
//! ```text
//!  files of users and roles --> Door --Guest--> core: Rights of each session
//!                                 ^ name and password, or certificate
//!                             connection
//! ```
//!
//! The door is asked once per connection and may take its time over a password. What it gives, a [`Guest`], is a value:
//! the core makes [`Rights`] of it and decides by them without asking anyone.

mod door;
mod files;
mod filter;
#[cfg(test)]
mod fuzz;
mod password;
mod rights;
mod roles;
mod users;

pub(crate) use door::Door;
pub use door::{Access, Resident};
pub use files::AccessError;
pub use password::{hash_password, random_password};
pub(crate) use rights::{Guest, Reading, Renewed, Rights};
pub use roles::{Roles, RolesError};
pub use users::{User, Users, UsersError};
