//! How a request is recognised, and what is known of it.

use wire::{Device, NodeId, OrderNumber, RequestId, Seq, Stamp, Zone, ZoneVerb};

/// By what a request is recognised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeenKey {
    /// The client's name of it, per device and kind of request; before version 5 of the site.
    Id(Zone, Device, ZoneVerb, RequestId),
    /// The broker's stamp of it.
    Stamp(Zone, Stamp),
    /// The client's name of it, per device and kind of request; kept for a time.
    Dated(Zone, Device, ZoneVerb, RequestId),
}

/// What its first coming led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The device.
    pub node: NodeId,
    /// Number of the change.
    pub seq: Seq,
    /// Number of the order, if it was one.
    pub order: Option<OrderNumber>,
}

/// What remembering a request changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its place: the zone's order of arrival, or for a dated id the elapsed time in milliseconds.
    pub at: u64,
    /// What was forgotten for it.
    pub forgotten: Vec<SeenKey>,
}

impl SeenKey {
    /// The zone of the request.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        match self {
            Self::Id(zone, ..) | Self::Stamp(zone, _) | Self::Dated(zone, ..) => zone,
        }
    }
}
