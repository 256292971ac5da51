//! The replicated state of the home: everything apply needs to decide, equal on all replicas at
//! equal slot.
//!
//! The registers' values are not in here: they live in the replica's tables, which apply changes
//! through [`Change`]s, and in the owner's cache. What is in here is small: who is registered
//! where, who owns what, which orders are open, what was seen lately.
//!
//! Only [`House::apply`] changes a house, and it reads nothing but the house and the entry.
//!
//! ```text
//! apply ─▶ devices ─▶ rules ─▶ orders ─▶ timers ─▶ state: the house itself ─▶ rows, seen
//!   └────▶ placement ◀─ zones ─────────────────────┘
//! ```

mod apply;
mod change;
mod devices;
mod digest;
mod note;
mod orders;
mod outcome;
mod placement;
mod presence;
mod rows;
mod rules;
mod seen;
mod state;
mod timers;
mod zones;

pub use change::{Change, Register, StatusRow};
pub use note::Note;
pub use outcome::{Moved, Outcome, Refusal, Verdict, Written};
pub use presence::Presence;
pub use rows::{Counters, DeviceRow, Made, Member, OpenOrder, Timer, ZoneRow};
pub use seen::{Memory, NoRoom, Receipt, Remembered, Seen, SeenKey};
pub use state::House;
