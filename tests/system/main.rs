//! Whole-system tests: the real program, real sockets, the real `mosquitto_*` clients.
//!
//! Every test starts a home of its own on a free port and ends it by pid. Nothing here waits for a
//! time to pass: a test waits for an answer, a message or the end of a process.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

mod access;
mod api;
mod attacks;
mod bad_input;
mod broker_death;
mod broker_restart;
mod broker_wills;
mod compose;
mod failover;
mod files;
mod foreign_broker;
mod full_disk;
mod hangups;
mod invented_zones;
mod kit;
mod orders;
mod readme;
mod recover;
mod scenarios;
mod six_gateways;
mod snapshots;
mod topics;
mod verify;
mod voters;
mod words;
