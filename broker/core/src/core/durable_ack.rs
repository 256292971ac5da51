//! Reports and sets of the site's zones: handed straight to the zone's session, acknowledged to the publisher only
//! when that session has acknowledged them, and held while the zone has no session.
//!
//! ```text
//!  publisher --PUBLISH--> Zones --> zone session's queue --PUBLISH--> gateway
//!  publisher <--PUBACK--------- only after ---------------PUBACK---- gateway
//! ```
//!
//! Nothing here looks into a payload.

use std::collections::{BTreeMap, VecDeque};

use broker_settings::Limits;
use hearth_names::{REPORT, RETAINED_PROPERTY, SET, STAMP_PROPERTY, Stamp};

use super::session::{AckedAway, Incoming, Via, Withheld};
use super::{Core, Timer};
use crate::message::{Delivery, Hold, Message, SessionKey};
use crate::moment::Moment;
use crate::mutant::mutant;
use crate::protocol::{Publish, Qos, Reason, Version, user_property};
use crate::settings::Settings;

/// Zones that may wait at a time. 1,024: a name too many is a mistake or an attack; each costs an announcement.
const ZONES: usize = 1024;
/// What a held message costs beside its bytes, about.
pub(super) const OVERHEAD: usize = 128;

/// All zones with a session or something held.
#[derive(Debug)]
pub(super) struct Zones {
    enabled: bool,
    /// `<site>/`
    root: String,
    /// `hearth-<site>-`
    gateway: String,
    /// `hearth-<site>-zone-`
    zone_session: String,
    /// `hearth/<site>/broker/waiting`
    waiting_topic: String,
    broker_id: u16,
    incarnation: u64,
    gateways: Gateways,
    counter: u64,
    zones: BTreeMap<Box<str>, Zone>,
    bytes: usize,
    announcing: bool,
}

/// Without gateways this is a broker like any other. Once there was one, zones without a session wait for the next,
/// so that nothing is acknowledged that only this broker has; and after a restart they wait, because there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gateways {
    /// Until this moment they may be on their way.
    Expected(Moment),
    Seen,
    None,
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

#[derive(Debug, Default)]
struct Zone {
    session: Option<SessionKey>,
    waiting: VecDeque<Delivery>,
    /// QoS 1 and 2 publishes taken in and not acknowledged, held or in the session.
    taken: usize,
    /// QoS 0 publishes in `waiting`.
    qos0: usize,
}

/// Where a publish goes, beside its ordinary subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere else.
    Plain,
    /// Into the zone's session.
    Session(SessionKey),
    /// Into the zone's waiting room.
    Wait,
}

/// Whether gateways take this name for a zone. What is sent to another would wait for an owner for ever.
fn can_be_zone(name: &str) -> bool {
    hearth_names::check(name).is_ok()
}

/// Whether what is published under this verb is held until its zone's owner has it.
fn is_held(verb: &str) -> bool {
    [REPORT, SET].contains(&verb)
}

/// Whether nobody waits for it: published with QoS 0. The delivery's own QoS does not tell, for a zone's session may
/// have asked for less than what was promised to the publisher.
fn unpromised(delivery: &Delivery) -> bool {
    delivery.hold.is_none()
}

impl Zones {
    pub(super) fn new(settings: &Settings) -> Self {
        let site = &settings.site;
        Self {
            enabled: settings.durable_ack,
            root: hearth_names::devices(site),
            gateway: hearth_names::gateway_clients(site),
            zone_session: hearth_names::zone_clients(site),
            waiting_topic: hearth_names::waiting(site),
            broker_id: settings.broker_id,
            incarnation: settings.incarnation,
            gateways: Gateways::Expected(Moment::default().after(settings.limits.gateway_grace)),
            counter: 0,
            zones: BTreeMap::new(),
            bytes: 0,
            announcing: false,
        }
    }

    /// Looks at who has come; true if it is the first gateway ever.
    pub(super) fn seen(&mut self, client: &str) -> bool {
        let first = client.starts_with(&self.gateway) && !self.has_gateways();
        if first {
            self.gateways_are_known();
        }
        first
    }

    pub(super) fn has_gateways(&self) -> bool {
        self.gateways == Gateways::Seen
    }

    /// However late they come, nothing is acknowledged without them.
    pub(super) fn gateways_are_known(&mut self) {
        self.gateways = Gateways::Seen;
    }

    /// Bytes of all publishes taken in for zones and not acknowledged.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn waits(&self) -> Waits {
        let held = |zone: &Zone| (zone.taken + zone.qos0) as u64;
        let zones = self.zones.iter().map(|(name, zone)| (name.clone(), held(zone)));
        let waiting = self.zones.values().filter(|zone| !zone.waiting.is_empty()).count();
        let withheld = self.zones.values().map(|zone| zone.taken).sum();
        Waits { withheld, waiting, held: zones.collect() }
    }

    /// The zone of a report or set topic.
    pub(super) fn zone_of<'t>(&self, topic: &'t str) -> Option<&'t str> {
        if !self.enabled {
            return None;
        }
        let mut levels = topic.strip_prefix(&self.root)?.split('/');
        let (zone, device, verb) = (levels.next()?, levels.next()?, levels.next()?);
        let fits = levels.next().is_none() && is_held(verb);
        (fits && can_be_zone(zone) && !device.is_empty()).then_some(zone)
    }

    /// The zone whose session has this client id.
    pub(super) fn zone_of_client<'c>(&self, client: &'c str) -> Option<&'c str> {
        let zone = client.strip_prefix(&self.zone_session)?;
        (self.enabled && can_be_zone(zone)).then_some(zone)
    }

    /// Whether a filter is one of the two that a zone's session has for its own zone; the router need not know it.
    pub(super) fn is_own_filter(&self, zone: &str, filter: &str) -> bool {
        let rest = filter.strip_prefix(&self.root).and_then(|rest| rest.strip_prefix(zone));
        rest.and_then(|rest| rest.strip_prefix("/+/")).is_some_and(is_held)
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

    fn tidy(&mut self, zone: &str) {
        if self
            .zones
            .get(zone)
            .is_some_and(|z| z.session.is_none() && z.waiting.is_empty() && z.taken == 0)
        {
            self.zones.remove(zone);
        }
    }

    fn full(&self, zone: &str, weight: usize, limits: &Limits) -> bool {
        let taken = self.zones.get(zone).map(|zone| zone.taken);
        self.bytes + weight + OVERHEAD > limits.zone_bytes
            || taken.unwrap_or(0) >= limits.zone_messages
            || (taken.is_none() && self.zones.len() >= ZONES)
    }

    /// Counts a QoS 1 or 2 publish that was taken in.
    fn admit(&mut self, zone: &str, weight: usize) {
        self.zones.entry(zone.into()).or_default().taken += 1;
        self.bytes += weight + OVERHEAD;
    }

    fn settled(&mut self, zone: &str, weight: usize) {
        if let Some(place) = self.zones.get_mut(zone) {
            place.taken = place.taken.saturating_sub(1);
        }
        self.bytes = self.bytes.saturating_sub(weight + OVERHEAD);
        self.tidy(zone);
    }

    fn wait(&mut self, zone: &str, delivery: Delivery, limits: &Limits) {
        let place = self.zones.entry(zone.into()).or_default();
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
    }

    /// Takes out of the waiting room what `wanted` says.
    fn take_waiting(&mut self, zone: &str, wanted: impl Fn(&str) -> bool) -> Vec<Delivery> {
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

    /// The stamp's number for a message of a zone.
    pub(super) fn stamp(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Properties that only a zone's session gets.
    pub(super) fn extra(&self, message: &Message, stored: bool) -> Box<[u8]> {
        let Some(counter) = message.stamp else { return Box::default() };
        let stamp = Stamp { broker: self.broker_id, incarnation: self.incarnation, counter };
        let mut extra = user_property(STAMP_PROPERTY, &stamp.to_string());
        if stored {
            extra.extend(user_property(RETAINED_PROPERTY, "1"));
        }
        extra.into()
    }
}

impl Core {
    pub(super) fn place(&self, topic: &str) -> Place {
        let Some(zone) = self.zones.zone_of(topic) else { return Place::Plain };
        let session = self.zones.zones.get(zone).and_then(|zone| zone.session);
        let serving = session.filter(|key| self.sessions.get(key).is_some_and(|s| s.covers(topic)));
        match serving {
            Some(key) => Place::Session(key),
            None if self.zones.gateways == Gateways::None => Place::Plain,
            None => Place::Wait,
        }
    }

    /// Whether there is no room for another publish of this zone.
    pub(super) fn zone_full(&self, publish: &Publish) -> bool {
        let weight = publish.weight();
        let zone = self.zones.zone_of(&publish.topic);
        zone.is_some_and(|zone| self.zones.full(zone, weight, &self.settings.limits))
    }

    /// Gives a message to the zone's session or waiting room.
    pub(super) fn hand(
        &mut self,
        now: Moment,
        place: Place,
        message: &std::sync::Arc<Message>,
        hold: Option<Hold>,
    ) {
        let Some(zone) = self.zones.zone_of(&message.topic) else { return };
        if hold.is_some() {
            self.zones.admit(zone, message.weight());
        }
        let mut delivery = Delivery {
            message: message.clone(),
            qos: message.qos,
            retain: false,
            stored: false,
            ids: Box::default(),
            hold,
            kept: 0,
            group: None,
        };
        match place {
            Place::Plain => {}
            Place::Session(key) => {
                if hold.is_none() && self.is_flooded(key) {
                    self.counts.dropped += 1;
                } else if self.fit(key, &mut delivery) {
                    self.give(key, delivery);
                } else if let Some(hold) = hold {
                    self.release_in(hold, zone, message.weight(), None);
                }
            }
            Place::Wait => {
                let news = self.zones.zones.get(zone).is_none_or(|zone| zone.waiting.is_empty());
                self.zones.wait(zone, delivery, &self.settings.limits);
                if news {
                    self.announce_zone(now, zone);
                }
                self.start_announcing(now);
            }
        }
    }

    /// Whether a zone's session has as many publishes at QoS 0 waiting as a zone without a session may. Nothing holds
    /// their senders back, and what is promised to others would wait behind them.
    fn is_flooded(&self, key: SessionKey) -> bool {
        let waiting = self.sessions.get(&key).map_or(0, |session| session.outbox.unpromised());
        waiting >= self.settings.limits.zone_qos0
    }

    /// Sets QoS and flags as the zone session's subscription says; false if nobody would get it.
    fn fit(&self, key: SessionKey, delivery: &mut Delivery) -> bool {
        let Some(session) = self.sessions.get(&key) else { return false };
        let Some(pick) = session.pick(&delivery.message, Some(key), Via::Zone) else {
            return false;
        };
        (delivery.qos, delivery.ids) = (pick.qos, pick.ids);
        // As published, whatever the subscription says: an owner refuses a retained order.
        delivery.retain = delivery.message.retain;
        session.conn.is_some() || delivery.qos > Qos::AtMostOnce || delivery.hold.is_some()
    }

    /// After SUBSCRIBE of a zone's session: what waited for it, in order.
    pub(super) fn release_held(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(&key) else { return };
        let Some(zone) = &session.zone else { return };
        let held = self.zones.take_waiting(zone, |topic| session.covers(topic));
        for mut delivery in held {
            if self.fit(key, &mut delivery) {
                self.give(key, delivery);
            }
        }
    }

    /// The zone's session has a message, or refuses it for good: its publisher may know.
    pub(super) fn release_in(
        &mut self,
        hold: Hold,
        zone: &str,
        weight: usize,
        refusal: Option<Reason>,
    ) {
        self.counts.refused += u64::from(refusal.is_some());
        self.zones.settled(zone, weight);
        self.effects.wake.extend(std::mem::take(&mut self.paused));
        let Some(publisher) = self.sessions.get_mut(&hold.publisher) else { return };
        let Some(withheld) = publisher.withheld_for(hold) else { return };
        let heard = withheld.heard;
        // Otherwise it was sent on an earlier connection, is on its way again, and is answered when it comes.
        let elsewhere = publisher.conn.filter(|_| mutant!(AcknowledgedElsewhere));
        let heard = elsewhere.unwrap_or(heard);
        let listens = publisher.conn == Some(heard);
        // MQTT 3.1.1 has no word for a refusal: there an acknowledgement says that all is over.
        let told = refusal.filter(|_| publisher.version == Version::V5);
        let reason = told.unwrap_or(Reason::Normal);
        if hold.qos == Qos::ExactlyOnce && told.is_none() {
            publisher.set_incoming(hold.pid, Some(Incoming::Received(Some(withheld.print))));
            self.keep_received(hold.publisher, hold.pid);
        } else {
            publisher.set_incoming(hold.pid, None);
            if !listens && hold.qos == Qos::AtLeastOnce {
                let away = AckedAway { print: withheld.print, reason };
                publisher.acked_away.insert(hold.pid, away);
            }
        }
        if listens {
            self.acknowledge(heard, hold.pid, hold.qos, reason);
        }
    }

    /// The zone's session can never have a message. Its publisher is told; in MQTT 3.1.1, which knows no refusal, by
    /// the end of the connection, for an acknowledgement would be a lie.
    pub(super) fn refuse_in(&mut self, hold: Hold, zone: &str, weight: usize) {
        self.zones.settled(zone, weight);
        self.effects.wake.extend(std::mem::take(&mut self.paused));
        let Some(publisher) = self.sessions.get_mut(&hold.publisher) else { return };
        let Some(Withheld { heard, .. }) = publisher.withheld_for(hold) else { return };
        publisher.set_incoming(hold.pid, None);
        if publisher.conn != Some(heard) {
            return;
        }
        match publisher.version {
            Version::V5 => self.acknowledge(heard, hold.pid, hold.qos, Reason::Undeliverable),
            Version::V311 => self.end_connection(heard, Reason::Undeliverable),
        }
    }

    pub(super) fn start_announcing(&mut self, now: Moment) {
        let waiting = self.zones.zones.values().any(|zone| !zone.waiting.is_empty());
        if waiting && !self.zones.announcing {
            self.zones.announcing = true;
            let at = now.after(self.settings.limits.announce_every);
            self.timers.insert((at, Timer::Announce));
        }
    }

    /// Names every waiting zone again, for a leader that has only just connected.
    pub(super) fn announce(&mut self, now: Moment) {
        self.zones.announcing = false;
        if matches!(self.zones.gateways, Gateways::Expected(until) if now >= until) {
            self.do_without_gateways();
        }
        let waiting = self.zones.zones.iter().filter(|(_, zone)| !zone.waiting.is_empty());
        let names: Vec<Box<str>> = waiting.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.announce_zone(now, &name);
        }
        self.start_announcing(now);
    }

    /// No gateway has come: everyone else has had what is held, so its publishers may know.
    fn do_without_gateways(&mut self) {
        self.zones.gateways = Gateways::None;
        let zones: Vec<Box<str>> = self.zones.zones.keys().cloned().collect();
        for zone in zones {
            for delivery in self.zones.take_waiting(&zone, |_| true) {
                if let Some(hold) = delivery.hold {
                    self.release_in(hold, &zone, delivery.message.weight(), None);
                }
            }
        }
    }

    fn announce_zone(&mut self, now: Moment, zone: &str) {
        let publish = Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: false,
            pid: 0,
            topic: self.zones.waiting_topic.as_str().into(),
            payload: bytes::Bytes::copy_from_slice(zone.as_bytes()),
            properties: Default::default(),
        };
        self.publish_for(now, None, publish);
    }
}

#[cfg(feature = "testing")]
impl Zones {
    pub(super) fn stamps(&self) -> u64 {
        self.counter
    }

    pub(super) fn does_without(&self) -> bool {
        self.gateways == Gateways::None
    }

    pub(super) fn books(&self) -> super::testing::Held {
        let waiting = self.zones.values().flat_map(|zone| &zone.waiting);
        super::testing::Held {
            bytes: self.bytes,
            taken: self.zones.values().map(|zone| zone.taken).sum(),
            waiting: waiting.map(|delivery| delivery.message.weight() + OVERHEAD).sum(),
        }
    }
}

#[cfg(feature = "testing")]
impl Core {
    pub(super) fn hands(&self, topic: &str) -> bool {
        self.place(topic) != Place::Plain
    }
}
