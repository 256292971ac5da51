//! What zones have not acknowledged, counted: in their waiting rooms, and in the queues of their sessions.

use std::collections::{BTreeMap, VecDeque};

use broker_settings::Limits;

use super::planted;
use crate::access::Payer;
use crate::id::SessionKey;
use crate::message::{Delivery, Message};
use crate::shares::{Amount, Shares, open_to, part_of};
use crate::site::is_report;

/// What a held message costs beside its bytes, about.
pub(crate) const OVERHEAD: usize = 128;

/// All zones with a session or something held.
#[derive(Debug, Default)]
pub(super) struct Holds {
    zones: BTreeMap<Box<str>, Zone>,
    /// On whose account it is held.
    shares: Shares,
}

#[derive(Debug)]
struct Zone {
    session: Option<SessionKey>,
    /// The user whose publish came first.
    opened_by: Payer,
    waiting: VecDeque<Delivery>,
    /// QoS 1 and 2 publishes taken in and not acknowledged, held or in the session.
    taken: usize,
    /// QoS 0 publishes in `waiting`.
    qos0: usize,
    /// Reports in `waiting`.
    reports: usize,
}

/// What waits for a zone without a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Knocking {
    /// A report, which makes the zone if there is none, on the account of the first one's payer; `order` is the last
    /// of that payer's.
    Report { payer: Payer, order: u64 },
    /// Sets only.
    Set,
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
        self.shares.all().bytes
    }

    pub(super) fn session(&self, zone: &str) -> Option<SessionKey> {
        self.zones.get(zone)?.session
    }

    pub(super) fn session_starts(&mut self, zone: &str, key: SessionKey) {
        let place = self.zones.entry(zone.into());
        place.or_insert_with(|| Zone::opened_by(Payer::House)).session = Some(key);
    }

    /// What the session had not acknowledged waits again, before anything newer.
    pub(super) fn session_ends(&mut self, zone: &str, held: Vec<Delivery>) {
        let Some(place) = self.zones.get_mut(zone) else { return };
        place.session = None;
        for delivery in held.into_iter().rev() {
            place.reports += usize::from(is_report(&delivery.message.topic));
            if planted::waits_first(true) {
                place.waiting.push_front(delivery);
            } else {
                place.waiting.push_back(delivery);
            }
        }
        self.tidy(zone);
    }

    /// Whether there is no room for another publish of this weight.
    pub(super) fn full(&self, zone: &str, weight: usize, payer: &Payer, limits: &Limits) -> bool {
        let taken = self.zones.get(zone).map(|zone| zone.taken);
        let more = Amount { count: 1, bytes: weight + OVERHEAD, filters: 0 };
        // Nobody fills a zone, or the room for all of them, alone.
        let (count, bytes) = (limits.zone_messages, limits.zone_bytes);
        let whole = Amount { count, bytes, filters: 0 };
        self.bytes() + more.bytes > open_to(payer, bytes, limits)
            || !self.shares.admits((payer, more), None, whole, limits)
            || taken.unwrap_or(0) >= limits.zone_messages
            || (taken.is_none() && !self.has_place(payer, limits))
    }

    /// Whether somebody's publish may wait for a zone more. Whoever makes zones up has his part of all places, so that
    /// others' new zones are announced meanwhile.
    fn has_place(&self, payer: &Payer, limits: &Limits) -> bool {
        let own = |place: &&Zone| {
            place.session.is_none()
                && payer.user().is_some_and(|user| place.opened_by.user() == Some(user))
        };
        self.zones.len() < open_to(payer, limits.zones, limits)
            && self.zones.values().filter(own).count() < part_of(payer, limits.zones, limits)
    }

    /// Counts a QoS 1 or 2 publish that was taken in.
    pub(super) fn admit(&mut self, zone: &str, message: &Message) {
        // Most zones are known, so their names are copied only for those that are not.
        match self.zones.get_mut(zone) {
            Some(place) => place.taken += 1,
            None => place(&mut self.zones, zone, message).taken += 1,
        }
        self.shares.change(None, Some(load(message)));
    }

    /// A QoS 1 or 2 publish is acknowledged, or refused.
    pub(super) fn settled(&mut self, zone: &str, message: &Message) {
        if let Some(place) = self.zones.get_mut(zone) {
            place.taken = place.taken.saturating_sub(1);
        }
        if planted::makes_room(true) {
            self.shares.change(Some(load(message)), None);
        }
        self.tidy(zone);
    }

    /// Puts a delivery into the waiting room; says what waits there now if it is more than before.
    pub(super) fn wait(
        &mut self,
        zone: &str,
        delivery: Delivery,
        limits: &Limits,
    ) -> Option<Knocking> {
        let place = place(&mut self.zones, zone, &delivery.message);
        let (before, reports) = (place.waiting.len(), place.reports);
        place.reports += usize::from(is_report(&delivery.message.topic));
        if unpromised(&delivery) {
            self.shares.change(None, Some(load(&delivery.message)));
            place.qos0 += 1;
            if place.qos0 > limits.zone_qos0
                && let Some(at) =
                    place.waiting.iter().position(|d| planted::droppable(unpromised(d)))
                && let Some(oldest) = place.waiting.remove(at)
            {
                place.qos0 -= 1;
                place.reports -= usize::from(is_report(&oldest.message.topic));
                self.shares.change(Some(load(&oldest.message)), None);
            }
        }
        place.waiting.push_back(delivery);
        let first_report = reports == 0 && place.reports > 0;
        if before == 0 || first_report { place.knocking() } else { None }
    }

    /// Who published the report with this place in the order, if it waits.
    pub(super) fn payer_of(&self, zone: &str, order: u64) -> Option<Payer> {
        let mut waiting = self.zones.get(zone)?.waiting.iter();
        waiting.find(|d| d.message.order == order).map(|d| d.message.payer.clone())
    }

    /// Takes out of the waiting room what `wanted` says, the oldest first and at most `most`.
    pub(super) fn take(
        &mut self,
        zone: &str,
        most: usize,
        wanted: impl Fn(&Message) -> bool,
    ) -> Vec<Delivery> {
        let Some(place) = self.zones.get_mut(zone) else { return Vec::new() };
        let mut room = most;
        let (taken, left) =
            std::mem::take(&mut place.waiting).into_iter().partition::<VecDeque<_>, _>(|d| {
                let takes = room > 0 && wanted(&d.message);
                room -= usize::from(takes);
                takes
            });
        place.waiting = left;
        place.reports -= taken.iter().filter(|d| is_report(&d.message.topic)).count();
        for delivery in taken.iter().filter(|d| unpromised(d)) {
            place.qos0 -= 1;
            self.shares.change(Some(load(&delivery.message)), None);
        }
        self.tidy(zone);
        taken.into()
    }

    /// The names of all zones.
    pub(super) fn names(&self) -> Vec<Box<str>> {
        self.zones.keys().cloned().collect()
    }

    /// Those with something in the waiting room, and what it is.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&str, Knocking)> {
        self.zones.iter().filter_map(|(name, zone)| Some((&**name, zone.knocking()?)))
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

impl Zone {
    fn opened_by(payer: Payer) -> Self {
        Self {
            session: None,
            opened_by: payer,
            waiting: VecDeque::new(),
            taken: 0,
            qos0: 0,
            reports: 0,
        }
    }

    fn knocking(&self) -> Option<Knocking> {
        match (self.waiting.is_empty(), self.reports) {
            (true, _) => None,
            (false, 0) => Some(Knocking::Set),
            (false, _) => {
                let reports = || self.waiting.iter().filter(|d| is_report(&d.message.topic));
                let payer = reports().next()?.message.payer.clone();
                let last = reports().rfind(|d| d.message.payer == payer)?;
                Some(Knocking::Report { order: last.message.order, payer })
            }
        }
    }
}

/// What a message takes of whose budget while it is held.
fn load(message: &Message) -> (&Payer, Amount) {
    (&message.payer, Amount { count: 1, bytes: message.weight() + OVERHEAD, filters: 0 })
}

/// The place of a zone, which this message opens if there is none.
fn place<'z>(
    zones: &'z mut BTreeMap<Box<str>, Zone>,
    zone: &str,
    message: &Message,
) -> &'z mut Zone {
    let opened = || Zone::opened_by(message.payer.clone());
    zones.entry(zone.into()).or_insert_with(opened)
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
            bytes: self.bytes(),
            taken: self.zones.values().map(|zone| zone.taken).sum(),
            waiting: waiting.map(|delivery| delivery.message.weight() + OVERHEAD).sum(),
        }
    }
}
