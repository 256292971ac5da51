//! What zones have not acknowledged, counted: in their waiting rooms, and in the queues of their sessions.

use std::collections::{BTreeMap, VecDeque};

use broker_settings::Limits;

use crate::id::SessionKey;
use crate::message::Delivery;

/// Zones that may wait at a time. 1,024: a name too many is a mistake or an attack; each costs an announcement.
const ZONES: usize = 1024;
/// What a held message costs beside its bytes, about.
pub(crate) const OVERHEAD: usize = 128;

/// All zones with a session or something held.
#[derive(Debug, Default)]
pub(super) struct Holds {
    zones: BTreeMap<Box<str>, Zone>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Zone {
    session: Option<SessionKey>,
    waiting: VecDeque<Delivery>,
    /// QoS 1 and 2 publishes taken in and not acknowledged, held or in the session.
    taken: usize,
    /// QoS 0 publishes in `waiting`.
    qos0: usize,
}

/// What waits for gateways.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    /// Publishers' acknowledgements that are withheld.
    pub withheld: usize,
    /// Zones that have no session and something for it.
    pub waiting: usize,
    /// Reports and orders that each zone's session has not acknowledged.
    pub held: Vec<(Box<str>, u64)>,
}

impl Holds {
    /// Bytes of all publishes taken in and not acknowledged.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn session(&self, zone: &str) -> Option<SessionKey> {
        self.zones.get(zone)?.session
    }

    pub(super) fn session_starts(&mut self, zone: &str, key: SessionKey) {
        self.zones.entry(zone.into()).or_default().session = Some(key);
    }

    /// What the session had not acknowledged waits again, before anything newer.
    pub(super) fn session_ends(&mut self, zone: &str, held: Vec<Delivery>) {
        let Some(place) = self.zones.get_mut(zone) else { return };
        place.session = None;
        for delivery in held.into_iter().rev() {
            place.waiting.push_front(delivery);
        }
        self.tidy(zone);
    }

    /// Whether there is no room for another publish of this weight.
    pub(super) fn full(&self, zone: &str, weight: usize, limits: &Limits) -> bool {
        let taken = self.zones.get(zone).map(|zone| zone.taken);
        self.bytes + weight + OVERHEAD > limits.zone_bytes
            || taken.unwrap_or(0) >= limits.zone_messages
            || (taken.is_none() && self.zones.len() >= ZONES)
    }

    /// Counts a QoS 1 or 2 publish that was taken in.
    pub(super) fn admit(&mut self, zone: &str, weight: usize) {
        // Most zones are known, so their names are copied only for those that are not.
        match self.zones.get_mut(zone) {
            Some(place) => place.taken += 1,
            None => self.zones.entry(zone.into()).or_default().taken += 1,
        }
        self.bytes += weight + OVERHEAD;
    }

    /// A QoS 1 or 2 publish is acknowledged, or refused.
    pub(super) fn settled(&mut self, zone: &str, weight: usize) {
        if let Some(place) = self.zones.get_mut(zone) {
            place.taken = place.taken.saturating_sub(1);
        }
        self.bytes = self.bytes.saturating_sub(weight + OVERHEAD);
        self.tidy(zone);
    }

    /// Puts a delivery into the waiting room; whether it is the first one there.
    pub(super) fn wait(&mut self, zone: &str, delivery: Delivery, limits: &Limits) -> bool {
        let place = self.zones.entry(zone.into()).or_default();
        let first = place.waiting.is_empty();
        if unpromised(&delivery) {
            self.bytes += delivery.message.weight() + OVERHEAD;
            place.qos0 += 1;
            if place.qos0 > limits.zone_qos0
                && let Some(at) = place.waiting.iter().position(unpromised)
                && let Some(oldest) = place.waiting.remove(at)
            {
                place.qos0 -= 1;
                self.bytes -= oldest.message.weight() + OVERHEAD;
            }
        }
        place.waiting.push_back(delivery);
        first
    }

    /// Takes out of the waiting room what `wanted` says.
    pub(super) fn take(&mut self, zone: &str, wanted: impl Fn(&str) -> bool) -> Vec<Delivery> {
        let Some(place) = self.zones.get_mut(zone) else { return Vec::new() };
        let (taken, left) = std::mem::take(&mut place.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(|d| wanted(&d.message.topic));
        place.waiting = left;
        for delivery in taken.iter().filter(|d| unpromised(d)) {
            place.qos0 -= 1;
            self.bytes -= delivery.message.weight() + OVERHEAD;
        }
        taken.into()
    }

    /// The names of all zones.
    pub(super) fn names(&self) -> Vec<Box<str>> {
        self.zones.keys().cloned().collect()
    }

    /// The names of those with something in the waiting room.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        let waiting = self.zones.iter().filter(|(_, zone)| !zone.waiting.is_empty());
        waiting.map(|(name, _)| &**name)
    }

    pub(super) fn waits(&self) -> Waits {
        let held = |zone: &Zone| (zone.taken + zone.qos0) as u64;
        let zones = self.zones.iter().map(|(name, zone)| (name.clone(), held(zone)));
        let withheld = self.zones.values().map(|zone| zone.taken).sum();
        Waits { withheld, waiting: self.waiting().count(), held: zones.collect() }
    }

    fn tidy(&mut self, zone: &str) {
        if self
            .zones
            .get(zone)
            .is_some_and(|z| z.session.is_none() && z.waiting.is_empty() && z.taken == 0)
        {
            self.zones.remove(zone);
        }
    }
}

/// Whether nobody waits for it: published with QoS 0. The delivery's own QoS does not tell, for a zone's session may
/// have asked for less than what was promised to the publisher.
fn unpromised(delivery: &Delivery) -> bool {
    delivery.hold.is_none()
}

/// What zones count, for tests.
#[cfg(feature = "testing")]
#[derive(Debug, Clone, Copy)]
pub struct HeldBooks {
    /// Bytes taken in and not acknowledged.
    pub bytes: usize,
    /// Publishes taken in and not acknowledged.
    pub taken: usize,
    /// Bytes of what waits for a zone's session.
    pub waiting: usize,
}

#[cfg(feature = "testing")]
impl Holds {
    pub(super) fn books(&self) -> HeldBooks {
        let waiting = self.zones.values().flat_map(|zone| &zone.waiting);
        HeldBooks {
            bytes: self.bytes,
            taken: self.zones.values().map(|zone| zone.taken).sum(),
            waiting: waiting.map(|delivery| delivery.message.weight() + OVERHEAD).sum(),
        }
    }
}
