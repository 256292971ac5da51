//! One SQLite file that one process uses: what the stores of the broker and of a gateway do alike.
//!
//! ```text
//!   Format::lock ──▶ Lock                        one process
//!   Format::open ──▶ Checked ──upgrade──▶ Connection
//!                    sound, of this format,      durable as the format says,
//!                    not written yet             of the newest version
//! ```
//!
//! The crate knows no table. A [`Format`] says what a file looks like; the store that has the
//! format reads and writes it.
//!
//! A store opens its file in this order:
//!
//! 1. [`Format::lock`], so that no other process has the file. The lock lives longer than the connection.
//! 2. [`Format::open`]. The file may be refused here, and is left as it was then.
//! 3. Checks of the store's own on [`Checked::connection`].
//! 4. [`Checked::upgrade`], which writes for the first time.
//!
//! A [`SideFile`] beside the database keeps what must not travel with it.

mod error;
mod format;
mod lock;
mod private;
mod side;

pub use error::{Error, Fault, malformed};
pub use format::{Checked, Durability, Format, Version};
pub use lock::Lock;
pub use private::create_private;
pub use side::{Facts, SideFile};

#[cfg(test)]
mod tests;
