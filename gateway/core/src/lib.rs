//! The decisions of a gateway, pure: inputs in, outputs out.
//!
//! ```text
//!              Input                    Step
//!   links ──▶ ┌──────────────────────────────┐ ──▶ effects: send, publish, acknowledge, open, say
//!   store ──▶ │ Gateway                      │
//!   time  ──▶ │  paxos::Replica ─▶ House     │ ──▶ what to write, and what rests on that write
//!             │  (agreement)     (apply)     │
//!             └──────────────────────────────┘
//! ```
//!
//! [`Gateway`] never reads a clock, opens nothing and waits for nothing: time is a value in every
//! input, and what rests on a write comes back only through [`Step::persist`].

#![forbid(unsafe_code)]

pub mod command;
pub mod event;
pub mod house;
pub mod id;
pub mod mutant;
pub mod outbox;
pub mod peer;
pub mod settings;
pub mod snapshots;
pub mod step;
pub mod survey;
pub mod version;
pub mod witness;

mod after_commit;
mod consensus;
mod context;
mod gateway;
mod ownership;
mod planted;
mod reply;
mod requests;
mod story;
mod timekeeping;
mod want;

pub use event::{Effect, Input, Now, Stored};
pub use gateway::Gateway;
pub use settings::{Settings, Timing, UNPROMISED};
pub use step::{Step, Write};
