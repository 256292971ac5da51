//! Multi-Paxos as a pure state machine: no clock, no I/O.
