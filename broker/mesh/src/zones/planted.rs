//! Mistakes about reports and claims.

use crate::planted::planted;

planted! {
    /// Whether a new claim gets everything unacknowledged.
    ClaimGetsOnlyTheRest: fn from_the_first(first: bool) => false;
    /// The report before one that was not acknowledged.
    PredecessorNotNamed: fn before(before: u64) => 0;
    /// Whether a session of the epoch is open.
    AnyEpochIsOpen: fn is_open(open: bool, any: bool) => any;
    /// Whether a report was taken before.
    MarkIgnored: fn is_repeated(repeated: bool) => false;
    /// Whether the report before one was not taken.
    PredecessorIgnored: fn is_out_of_order(out: bool) => false;
    /// Whether a client has published elsewhere since.
    OldReportApplied: fn is_superseded(superseded: bool) => false;
}
