//! Whole-system tests: processes, mosquitto clients, compose, faults.
