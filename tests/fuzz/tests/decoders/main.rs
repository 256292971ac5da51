//! Every decoder that reads what came from the network or from a person's file, and may be called from outside.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

mod between_gateways;
mod payloads;
mod seeds;
mod settings;
