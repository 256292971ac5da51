//! Multi-Paxos with a stable leader, as a pure state machine: no clock, no I/O, no randomness but a seed.
//!
//! A [`Replica`] takes one [`Input`] at a time with the current [`Moment`] and returns a [`Step`]: records to
//! write, messages to send before and after the write, and entries that are now chosen.
//!
//! What it is not: it has no transport, no storage, no snapshots (it says when one is needed) and no opinion on
//! payloads; the group's membership is fixed while it runs.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod acceptor;
mod candidate;
mod catchup;
mod config;
mod election;
mod event;
mod id;
mod leader;
mod learner;
mod log;
mod message;
mod pending;
mod quorum;
mod random;
mod record;
mod replica;
mod session;
mod step;

pub use config::{Config, ConfigError};
pub use event::{Event, SteppedDown};
pub use id::{Ballot, Moment, ReplicaId, RequestId, SessionId, Slot};
pub use message::{Entry, Message, Opinion, Request, Value};
pub use record::{Record, Recovered};
pub use replica::{Reason, Replica};
pub use session::{Admission, Sessions, SessionsFull};
pub use step::{Chosen, Durable, Fetch, Input, Outgoing, Step};
