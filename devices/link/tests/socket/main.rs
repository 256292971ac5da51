//! What a connection does, seen from the other end of its socket.

mod connection;
mod keep;
mod peer;
