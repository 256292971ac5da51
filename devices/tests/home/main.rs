//! Devices, the user and the fleet, with a broker in between and a stand-in for the gateways.

#![allow(clippy::unwrap_used, reason = "a helper that fails is the test's result, as in a test")]

mod broker;
mod device;
mod fleet;
mod owner;
