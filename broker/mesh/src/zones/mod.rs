//! Reports and orders of zones, on their way to the node that claims the zone.
//!
//! ```text
//!  device --> broker B: Held --REPORT--> claimed node: Offered --> owner: Marks
//!  device <-- PUBACK -- B <-----TAKEN----------------------------- its commit
//! ```
//!
//! Only the broker where a message was published holds, announces and acknowledges it. The claimed node keeps nothing that
//! its owner does not take: it refuses at once, and the holder sends again.

mod held;
mod marks;
mod offered;
mod planted;

pub(crate) use held::Held;
pub use held::{Full, HELD_BYTES, HELD_MESSAGES, LOOSE, RETRY, UNDER_WAY};
pub use marks::{INCARNATIONS, Mark, Marks, Verdict};
pub(crate) use offered::{Answer, Offered, Reply};
pub use offered::{OFFERED, Offer, Outcome};
