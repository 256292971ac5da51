//! What must always hold, one claim per function.

mod messages;
mod rest;
mod zones;
