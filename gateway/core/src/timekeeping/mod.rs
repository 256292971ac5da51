//! The two times of a site.
//!
//! - **Elapsed time** counts durations: timers, the end of an order, how long an id is remembered. Every entry carries
//!   it, and it never goes back. The leader counts it on its own monotonic clock; everybody else follows the leader's
//!   heartbeats ([`count`]). No wall clock that jumps can shorten or lengthen a duration.
//! - **Time of day** is for people: elapsed time plus an agreed offset. The leader compares it with the median of the
//!   voters' wall clocks ([`walls`]) and has the offset corrected, also backwards, when it is off for too long.
//!
//! ```text
//!  leader's monotonic clock ──▶ elapsed time ──┬──▶ durations
//!                                              │
//!  voters' wall clocks ──▶ median ──▶ offset ──┴──▶ time of day
//! ```
//!
//! Whoever starts knows the elapsed time at which its file ends, and not how long it was away. A leader that knows it
//! is asked for it. If nobody knows it, because all were off, the wall clocks date the gap; if they cannot, expiring
//! orders expire, and everything else goes on with what is left of it ([`dating`]).

pub(crate) mod ahead;
pub(crate) mod count;
pub(crate) mod dating;
pub(crate) mod off;
pub(crate) mod timekeeper;
pub(crate) mod walls;
