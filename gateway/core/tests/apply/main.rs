//! What apply makes of entries: scenarios that read like a log, and two claims about every log.

#[path = "../kit/dice.rs"]
mod dice;
mod fence;
mod home;
mod once;
mod orders;
mod placement;
mod random;
#[path = "../kit/rows.rs"]
mod rows;
mod rules;
