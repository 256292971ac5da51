//! What a connection does, seen from the other end of its socket.

#![allow(clippy::unwrap_used, reason = "a helper that fails is the test's result, as in a test")]

mod connection;
mod keep;
mod peer;
