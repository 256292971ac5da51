//! Mistakes about the map.

use crate::planted::planted;

planted! {
    /// Whether what came is older than what is here.
    LastComerWins: fn is_older(older: bool) => false;
    /// Whether every member has a tombstone on its disk.
    TombstoneForgotten: fn nobody_missing(nobody: bool) => true;
}
