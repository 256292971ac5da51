//! Snapshots: how a replica comes back when nobody's log reaches to where it is.
//!
//! ```text
//!  late replica                         another one, preferably not the leader
//!    │  nobody's log reaches back              │
//!    │── request: above this slot ────────────▶│  makes a file of its replicated tables,
//!    │◀─ not ready, ask again ─────────────────│  beside its work
//!    │── request: this snapshot, from here ───▶│
//!    │◀─ chunk ────────────────────────────────│  and so on, one at a time
//!    │  checks the whole
//!    │  installs it in one transaction, and catches up with the rest of the log
//! ```
//!
//! Here it is decided whom to ask, when, and for what; the files are the shell's. At no time is
//! more than one chunk in memory.

pub(crate) mod fetching;
pub(crate) mod giving;
pub(crate) mod installing;
mod task;

pub use task::{Chunk, Report, SnapshotAnswer, SnapshotId, Task};
