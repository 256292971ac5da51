//! Deliberate mistakes, to see whether tests find them.
//!
//! Each function takes what is right and gives it back; while its mistake is on, it gives what somebody could have
//! written instead. A function that takes a step leaves the step alone unless its mistake is on. So a reader of the
//! protocol may skip every `planted::`.
//!
//! A mistake is switched on for one thread at a time. Without the feature `mutants` no mistake is compiled, and every
//! function here is an inlined identity.

/// Whether this mistake is on; the constant `false` in a build without mistakes.
#[cfg(feature = "mutants")]
macro_rules! is_on {
    ($name:ident) => {
        $crate::planted::is_active($crate::planted::Mutant::$name)
    };
}

#[cfg(not(feature = "mutants"))]
macro_rules! is_on {
    ($name:ident) => {
        false
    };
}

pub(crate) mod acceptor;
pub(crate) mod candidate;
pub(crate) mod catchup;
pub(crate) mod election;
pub(crate) mod leader;
pub(crate) mod learner;
#[cfg(feature = "mutants")]
mod list;
pub(crate) mod log;
pub(crate) mod replica;
pub(crate) mod voters;

#[cfg(feature = "mutants")]
pub use list::{Mutant, is_active, set_active};
