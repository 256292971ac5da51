//! Simulated sensors and devices: the device side of the protocol.
