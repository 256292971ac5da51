//! Who may come in, and who may do what.
//!
//! ```text
//!  files of users and roles --> Door --Guest--> core: Rights of each session
//!                                 ^ name and password, or certificate
//!                             connection
//! ```
//!
//! The door is asked once per connection and may take its time over a password. What it gives, a
//! [`Guest`](broker_core::access::Guest), is a value: the core makes rights of it and decides by them without asking
//! anyone.

mod door;
mod files;
#[cfg(test)]
mod fuzz;
mod password;
mod queue;
mod users;
mod verifier;

pub(crate) use door::Door;
pub use door::{Access, Resident};
pub use files::{AccessError, read_roles};
pub use password::{hash_password, random_password};
pub use users::{User, Users, UsersError};
