//! The broker over real sockets: clients that speak bytes, and mosquitto's own programs.

mod access;
mod kit;
mod running;

mod administrators;
mod bad_clients;
mod delivery;
mod programs;
mod retained;
mod sessions;
mod transport;
mod web;
mod websocket;
mod wills;
mod zones;
