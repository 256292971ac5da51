//! Every order of events in a small group: `paxos::Replica`, unchanged, under exhaustive model checking.
//!
//! The simulator plays some orders of events of large worlds; this visits all orders of a small one. A state is
//! three replicas with their disks, the steps whose write is under way, and all messages ever sent. In each state
//! everything is tried: a message comes, an election timer fires, a client asks, a write ends, a replica crashes
//! with all that is not on its disk and starts again. [`Bounds`] says how often; the search ends when there is no
//! new state.
//!
//! ```text
//! cargo test -p paxos-model                 small bounds, in each run of the tests
//! cargo run --release -p paxos-model        the whole: bounds, states, time, PASS
//! ```
//!
//! Broken drivers show that the search finds something: [`Broken`].
//!
//! # Why this covers more than it plays
//!
//! - **Messages** stay where they were sent. Each may come at any time, in any order, again, or never: loss,
//!   delay, repetition and reordering are all there, and sending again would add nothing.
//! - **Time** stands still. Timers only decide *when* a replica campaigns or says something again; the model lets it
//!   campaign in any state, so no pause, however long, leads anywhere else. What sets and reads timers is therefore
//!   left out of what tells states apart (`key.rs` names each field).
//! - **A write** and what waits for it are one event: until then nobody can tell that the write is not done yet.
//!   With `unwritten: 0` it comes right after the input or is lost in a crash; with more, it is an event of its own
//!   and other events come between.
//! - **A message that can have no effect any more**, such as a promise to a replica that leads or has promised
//!   more, is taken away, so that states which differ in nothing else are one.
//! - **Kinds of messages that are not carried** are named in `envelope.rs`, each with its reason: losing a message
//!   is always allowed.
//!
//! # What it does not show
//!
//! Liveness; more ballots, slots, crashes and changes of voters than the bounds allow; catch-up, snapshots,
//! founding and trimmed logs. States are told apart by 64 bits: among ten million states two are taken for one
//! with a chance of about 1 in 400,000.

mod bounds;
mod check;
mod disk;
mod envelope;
mod history;
mod key;
mod local;
mod shelf;
mod world;

pub use bounds::{Bounds, Broken};
pub use check::{Found, Report, check, find};
pub use world::{NOBODY_STOPS, ONE_VALUE, PROMISES_KEPT, REPORTS_HOLD};
