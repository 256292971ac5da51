//! Multi-Paxos with a stable leader, as a pure state machine: no clock, no I/O, no randomness but a seed.
//!
//! A [`Replica`] takes one [`Input`] at a time with the current [`Moment`] and returns a [`Step`]: records to
//! write, messages to send before and after the write, and entries that are now chosen.
//!
//! What it is not: it has no transport, no storage, no snapshots (it says when one is needed) and no opinion on
//! payloads.
//!
//! | word | meaning |
//! |---|---|
//! | ballot | a proposal number that names its proposer; whoever leads, leads one ballot |
//! | promise | an acceptor's word that it answers no lower ballot, with everything it accepted (phase 1) |
//! | accept | a leader's demand to take a value into a slot, in its ballot (phase 2) |
//! | chosen | accepted by a majority in one ballot: final, though nobody may know it yet |
//! | commit mark | how far a leader knows every slot to be chosen |
//! | voters | whose majority chooses the next slot; a slot of the log can change them |
//! | founders | the voters of slot 1, and until a slot says otherwise |
//! | observer | a replica without a vote, which follows the log |
//! | barrier | the no-op with which a leader starts: once it is chosen, the leader knows all older choices |
//!
//! A message that rests on a record cannot be had before the record is written: see [`Step::persist`].
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "mutants"))]
#[cfg_attr(feature = "mutants", macro_use)]
extern crate std;

mod acceptor;
mod candidate;
mod catchup;
mod config;
mod election;
mod event;
mod founding;
mod id;
mod leader;
mod learner;
mod log;
mod message;
mod pending;
#[cfg(not(feature = "mutants"))]
mod planted;
#[cfg(feature = "mutants")]
pub mod planted;
mod random;
mod record;
mod replica;
mod step;
mod voters;

pub use config::{Config, ConfigError};
pub use event::{Event, NoChange, SteppedDown};
pub use id::{Ballot, Moment, ReplicaId, RequestId, SessionId, Slot};
pub use message::{Entry, Message, Opinion, Request, Value};
pub use record::{Record, Recovered};
pub use replica::{Reason, Replica};
pub use step::{Chosen, Durable, Fetch, Input, Outgoing, Step};
pub use voters::{Voters, VotersError};
