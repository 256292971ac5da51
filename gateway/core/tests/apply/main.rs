//! What apply makes of entries: scenarios that read like a log, and two claims about every log.

mod fence;
mod home;
mod once;
mod orders;
mod placement;
mod random;
mod rows;
mod rules;
mod time;
mod zones;
