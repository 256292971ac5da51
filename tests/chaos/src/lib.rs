//! Chaos with real processes: a home (broker, three gateways), clients that report and order, and faults drawn from a
//! seed. In the end the gateways' files are read, and a judge says whether what clients were told is true.
//!
//! | module | what it is |
//! |---|---|
//! | [`home`], [`proxy`], [`clock`] | processes, the networks between them, wrong clocks |
//! | [`people`], [`mqtt`], [`ledger`] | who uses the home, in which words, and what they were told |
//! | [`level`] | whether everything is on every disk |
//! | [`faults`], [`board`] | what is broken, and what is broken now |
//! | [`judge`], [`report`], [`screen`] | what came of it |
//!
//! What it is not: the moments at which processes do things do not follow from the seed, so a seed tells what was done
//! to the home, not what came of it. The simulators replay.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

pub mod board;
pub mod clock;
pub mod faults;
pub mod home;
pub mod judge;
pub mod ledger;
pub mod level;
pub mod mqtt;
pub mod people;
pub mod proxy;
pub mod report;
pub mod run;
pub mod screen;
