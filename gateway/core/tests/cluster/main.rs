//! Whole gateways in memory: a seeded scheduler with virtual time, a store, a broker and people.
//!
//! ```text
//!  people ──▶ Broker ──▶ Node { Gateway, Store } ◀──▶ other nodes
//!     ▲          │            │
//!     └──────────┴── World: delays, losses, cuts, crashes, and claims checked after every event
//! ```

mod agreed;
mod broker;
mod chaos;
mod claims;
#[path = "../kit/dice.rs"]
mod dice;
mod faults;
mod node;
mod ownership;
mod people;
mod queries;
#[path = "../kit/rows.rs"]
mod rows;
mod settled;
mod shelf;
mod snapshots;
mod store;
mod world;
