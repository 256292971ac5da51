//! Who serves a zone: claims, and the sessions that are open here.
//!
//! An owner opens its sessions at its own broker, which writes a claim (zone, node, epoch) into the map. A higher epoch
//! takes the place of a lower one. A claim says where to send; whether a session is open says who may take.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use crate::id::Life;
use crate::map::{Kind, Table, Value};

/// Zones with an open session here. 1,024: as many as the broker lets wait; a home has some dozens.
pub const ZONES: usize = 1_024;

/// Who claims a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The node.
    pub at: Life,
    /// The ownership.
    pub epoch: u64,
}

/// The sessions of owners at this node.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    open: BTreeMap<Box<str>, u64>,
    /// The highest epoch under which something of a zone was heard: a message may come before its claim does.
    heard: BTreeMap<Box<str>, u64>,
}

impl Claims {
    /// Who claims a zone, as far as the map knows.
    #[must_use]
    pub(crate) fn find(table: &Table, zone: &str) -> Option<Claim> {
        match table.value(Kind::Claim, zone)? {
            (Value::Claim(at), version) => Some(Claim { at: *at, epoch: version.epoch }),
            _ => None,
        }
    }

    /// An owner has opened its session; whether there is room.
    pub(crate) fn open(&mut self, zone: &str, epoch: u64) -> bool {
        let room = self.open.contains_key(zone) || self.open.len() < ZONES;
        if room {
            self.open.insert(zone.into(), epoch);
        }
        room
    }

    /// The session of a zone has ended; its epoch, if one was open.
    pub(crate) fn close(&mut self, zone: &str) -> Option<u64> {
        self.open.remove(zone)
    }

    /// The epoch of the session that is open.
    #[must_use]
    pub(crate) fn epoch(&self, zone: &str) -> Option<u64> {
        self.open.get(zone).copied()
    }

    /// Something that the owner of this epoch published has come; whether the zone has had a later one.
    pub(crate) fn is_over(&mut self, table: &Table, zone: &str, epoch: u64) -> bool {
        let claimed = Self::find(table, zone).map_or(0, |claim| claim.epoch);
        let newest = claimed.max(self.heard.get(zone).copied().unwrap_or(0));
        if epoch > newest && self.heard.len() < ZONES {
            self.heard.insert(zone.into(), epoch);
        }
        epoch < newest
    }
}
