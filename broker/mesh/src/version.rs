//! The order of records, and of CONNECTs of one client.

use alloc::vec::Vec;

use crate::wire::coded::{Coded, Malformed, Reader, coded};

/// Which of two records of a key is the newer one: the higher version.
///
/// The epoch comes first, so that a former owner of a zone never overwrites what its successor published, however far
/// its clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// Epoch of the zone's owner; 0 for everybody else's records.
    pub epoch: u64,
    /// Site time.
    pub time: SiteTime,
    /// Number of the node that wrote it; 0 is nobody's.
    pub node: u8,
}

/// A reading of the site's clock: milliseconds in the upper 48 bits, a count of readings in the lower 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SiteTime(pub u64);

impl Coded for SiteTime {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        u64::get(from).map(Self)
    }
}

coded! {
    Version { epoch, time, node }
}
