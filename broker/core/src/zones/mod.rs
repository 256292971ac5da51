//! Reports and sets of the site's zones: handed straight to the zone's session, acknowledged to the publisher only
//! when that session has acknowledged them, and held while the zone has no session.
//!
//! ```text
//!  publisher --PUBLISH--> Zones --> zone session's queue --PUBLISH--> gateway
//!  publisher <--PUBACK--------- only after ---------------PUBACK---- gateway
//! ```
//!
//! Nothing here looks into a payload.

mod held;
mod planted;

use std::sync::Arc;

use broker_settings::Limits;
use hearth_names::{Knock, REPORT, RETAINED_PROPERTY, STAMP_PROPERTY, Turned};

#[cfg(feature = "testing")]
pub use held::HeldBooks;
pub(crate) use held::Knocking;
#[cfg(feature = "testing")]
pub(crate) use held::OVERHEAD;
pub use held::Waits;

use crate::access::Payer;
use crate::id::{Incarnation, SessionKey, Stamp};
use crate::message::{Delivery, Hold, Message};
use crate::moment::Moment;
use crate::out::{Out, Timer};
use crate::packet::{Publish, Qos, Reason, Version, user_property};
use crate::route::{Place, Route, ZoneName};
use crate::session::Via;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::site::{Site, is_own, verb};
use held::Holds;

/// The site's zones.
#[derive(Debug)]
pub(crate) struct Zones {
    site: Site,
    broker_id: u16,
    incarnation: Incarnation,
    gateways: Gateways,
    last_stamp: Stamp,
    held: Holds,
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

/// What is to be done with a message of a zone.
#[derive(Debug)]
pub(crate) enum Handed {
    /// It belongs into the queue of the zone's session.
    Give(SessionKey, Delivery),
    /// It waits; `news` says that the zone is to be announced now.
    Waits { news: Option<Knocking> },
    /// The zone's session does not want it.
    Unwanted,
    /// There is too much at QoS 0 for this zone already.
    Flooded,
}

/// A publish that was taken in for a zone and whose publisher waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'z> {
    pub(crate) zone: &'z str,
    pub(crate) hold: Hold,
    pub(crate) message: &'z Message,
}

impl Zones {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            site: Site::new(settings),
            broker_id: settings.broker_id,
            incarnation: settings.incarnation,
            gateways: Gateways::Expected(Moment::default().after(settings.limits.gateway_grace)),
            last_stamp: Stamp::default(),
            held: Holds::default(),
            announcing: false,
        }
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// Where a publish to this topic goes.
    pub(crate) fn route(&self, topic: &str, sessions: &Sessions) -> Route {
        if is_own(topic) {
            return Route::Own;
        }
        if self.site.is_refuse_topic(topic) {
            return Route::Verdict;
        }
        if self.site.is_request(topic) {
            return Route::Request;
        }
        self.site.zone_of(topic).map_or(Route::Plain, |name| {
            let session = self.held.session(name.of(topic));
            let covers = |key: &SessionKey| {
                sessions.get(*key).is_some_and(|session| session.subscriptions.covers(topic))
            };
            let place = match session.filter(covers) {
                Some(key) => Place::Session(key),
                None if self.gateways == Gateways::None => Place::Nowhere,
                None => Place::Wait,
            };
            Route::Zone(name, place)
        })
    }

    /// Whether there is no room for another publish of this weight, which goes there.
    pub(crate) fn full(
        &self,
        publish: &Publish,
        route: Route,
        payer: &Payer,
        limits: &Limits,
    ) -> bool {
        let name = route.zone().filter(|_| route.is_held());
        name.is_some_and(|name| {
            self.held.full(name.of(&publish.topic), publish.weight(), payer, limits)
        })
    }

    /// Looks at who has come; true if it is the first gateway ever.
    pub(crate) fn seen(&mut self, client: &str) -> bool {
        let first = self.site.is_gateway(client) && !self.has_gateways();
        if first {
            self.gateways_are_known();
        }
        first
    }

    pub(crate) fn has_gateways(&self) -> bool {
        self.gateways == Gateways::Seen
    }

    /// However late they come, nothing is acknowledged without them.
    pub(crate) fn gateways_are_known(&mut self) {
        self.gateways = Gateways::Seen;
    }

    /// Bytes of all publishes taken in for zones and not acknowledged.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.bytes()
    }

    pub(crate) fn waits(&self) -> Waits {
        self.held.waits()
    }

    pub(crate) fn session_starts(&mut self, zone: &str, key: SessionKey) {
        self.held.session_starts(zone, key);
    }

    /// What the session had not acknowledged waits again, before anything newer.
    pub(crate) fn session_ends(&mut self, zone: &str, held: Vec<Delivery>) {
        self.held.session_ends(zone, held);
    }

    /// A stamp for a message of a zone.
    pub(crate) fn stamp(&mut self) -> Stamp {
        self.last_stamp.0 += 1;
        self.last_stamp
    }

    /// Properties that only a zone's session gets.
    pub(crate) fn extra(&self, message: &Message, stored: bool) -> Box<[u8]> {
        let Some(Stamp(counter)) = message.stamp else { return Box::default() };
        let (broker, Incarnation(incarnation)) = (self.broker_id, self.incarnation);
        let stamp = hearth_names::Stamp { broker, incarnation, counter };
        let mut extra = user_property(STAMP_PROPERTY, &stamp.to_string());
        if stored {
            extra.extend(user_property(RETAINED_PROPERTY, "1"));
        }
        extra.into()
    }

    /// Takes a message for a zone.
    pub(crate) fn hand(
        &mut self,
        name: ZoneName,
        place: Place,
        message: &Arc<Message>,
        hold: Option<Hold>,
        sessions: &Sessions,
        limits: &Limits,
    ) -> Handed {
        let zone = name.of(&message.topic);
        let delivery = Delivery { hold, ..Delivery::new(message.clone()) };
        match place {
            Place::Nowhere => Handed::Unwanted,
            Place::Session(key) if hold.is_none() && is_flooded(key, sessions, limits) => {
                Handed::Flooded
            }
            Place::Session(key) => {
                self.admit(zone, &delivery);
                fit(key, delivery, sessions)
                    .map_or(Handed::Unwanted, |delivery| Handed::Give(key, delivery))
            }
            Place::Wait => {
                self.admit(zone, &delivery);
                Handed::Waits { news: self.held.wait(zone, delivery, limits) }
            }
        }
    }

    fn admit(&mut self, zone: &str, delivery: &Delivery) {
        if delivery.hold.is_some() {
            self.held.admit(zone, &delivery.message);
        }
    }

    /// After SUBSCRIBE of a zone's session: what waited for it, in order.
    pub(crate) fn release_held(&mut self, key: SessionKey, sessions: &Sessions) -> Vec<Delivery> {
        let Some(session) = sessions.get(key) else { return Vec::new() };
        let Some(zone) = &session.zone else { return Vec::new() };
        let covers = |message: &Message| session.subscriptions.covers(&message.topic);
        let held = planted::released(self.held.take(zone, usize::MAX, covers));
        held.into_iter().filter_map(|delivery| fit(key, delivery, sessions)).collect()
    }

    /// The zone's session has a message, or refuses it for good: its publisher may know.
    pub(crate) fn settle(
        &mut self,
        held: Held<'_>,
        refusal: Option<Reason>,
        sessions: &mut Sessions,
        out: &mut Out,
    ) {
        let Held { zone, hold, message } = held;
        out.counts.refused += u64::from(refusal.is_some());
        self.held.settled(zone, message);
        if planted::reads_on(true) {
            out.read_on();
        }
        let Some(publisher) = sessions.get_mut(hold.publisher) else { return };
        let Some(heard) = publisher.incoming.withheld(hold) else { return };
        // Otherwise it was sent on an earlier connection, is on its way again, and is answered when it comes.
        let heard = planted::heard_on(heard, publisher.conn);
        let listens = publisher.conn == Some(heard);
        // MQTT 3.1.1 has no word for a refusal: there an acknowledgement says that all is over.
        let told = refusal.filter(|_| publisher.version == Version::V5);
        publisher.incoming.settle(hold, told, listens);
        if hold.qos == Qos::ExactlyOnce && told.is_none() {
            publisher.keep_received(hold.pid, &mut out.effects.keep);
        }
        if listens {
            out.acknowledge(heard, hold.pid, hold.qos, told.unwrap_or(Reason::Normal));
        }
    }

    /// The zone's session can never have a message. Its publisher is told; in MQTT 3.1.1, which knows no refusal, by
    /// the end of the connection, for an acknowledgement would be a lie.
    pub(crate) fn refuse(&mut self, held: Held<'_>, sessions: &mut Sessions, out: &mut Out) {
        let Held { zone, hold, message } = held;
        self.held.settled(zone, message);
        if planted::reads_on(true) {
            out.read_on();
        }
        let Some(publisher) = sessions.get_mut(hold.publisher) else { return };
        let Some(heard) = publisher.incoming.withheld(hold) else { return };
        publisher.incoming.forget(hold.pid);
        if publisher.conn != Some(heard) {
            return;
        }
        match publisher.version {
            Version::V5 => out.acknowledge(heard, hold.pid, hold.qos, Reason::Undeliverable),
            Version::V311 => out.end(heard, Reason::Undeliverable),
        }
    }

    /// Sets the timer of the next announcement, if a zone waits.
    pub(crate) fn start_announcing(&mut self, now: Moment, limits: &Limits, out: &mut Out) {
        if planted::announces_again(!self.announcing) && self.held.waiting().next().is_some() {
            self.announcing = true;
            out.timers.set(now.after(limits.announce_every), Timer::Announce);
        }
    }

    /// What waits for a zone is refused for good: takes it out of the waiting room, at most `most` publishes. Reports
    /// are refused of one payer only, whose account has no room.
    pub(crate) fn turn_away(&mut self, turned: &Turned, most: usize) -> Vec<Delivery> {
        let Knock { up_to, zone } = &turned.knock;
        let payer = self.held.payer_of(zone, up_to.counter);
        let report = turned.verb == REPORT;
        let this_life =
            (up_to.broker, Incarnation(up_to.incarnation)) == (self.broker_id, self.incarnation);
        if !this_life || (report && payer.is_none()) {
            return Vec::new();
        }
        let meant = |message: &Message| {
            planted::is_meant(message.order <= up_to.counter)
                && verb(&message.topic) == turned.verb
                && (!report || payer.as_ref() == Some(&message.payer))
        };
        self.held.take(zone, most, meant)
    }

    /// The moment at which so many messages had come in.
    pub(crate) fn moment(&self, order: u64) -> hearth_names::Stamp {
        let (broker, Incarnation(incarnation)) = (self.broker_id, self.incarnation);
        hearth_names::Stamp { broker, incarnation, counter: order }
    }

    /// The text that names a zone for which only orders wait, when `order` messages had come in.
    pub(crate) fn knock(&self, zone: &str, order: u64) -> String {
        Knock { up_to: self.moment(order), zone: zone.to_owned() }.to_string()
    }

    /// Names every waiting zone again, for a leader that has only just connected.
    pub(crate) fn announce(
        &mut self,
        now: Moment,
        sessions: &mut Sessions,
        out: &mut Out,
    ) -> Vec<(Box<str>, Knocking)> {
        self.announcing = false;
        if matches!(self.gateways, Gateways::Expected(until) if now >= until) {
            self.do_without_gateways(sessions, out);
        }
        self.held.waiting().map(|(zone, knocking)| (zone.into(), knocking)).collect()
    }

    /// No gateway has come: everyone else has had what is held, so its publishers may know.
    fn do_without_gateways(&mut self, sessions: &mut Sessions, out: &mut Out) {
        self.gateways = Gateways::None;
        for zone in self.held.names() {
            for delivery in self.held.take(&zone, usize::MAX, |_| true) {
                if let Some(hold) = delivery.hold {
                    let held = Held { zone: &zone, hold, message: &delivery.message };
                    self.settle(held, None, sessions, out);
                }
            }
        }
    }
}

/// Whether a zone's session has as many publishes at QoS 0 waiting as a zone without a session may. Nothing holds their
/// senders back, and what is promised to others would wait behind them.
fn is_flooded(key: SessionKey, sessions: &Sessions, limits: &Limits) -> bool {
    let waiting = sessions.get(key).map_or(0, |session| session.outbox.unpromised());
    waiting >= limits.zone_qos0
}

/// Sets QoS and flags as the zone session's subscription says; none if nobody would get it.
fn fit(key: SessionKey, delivery: Delivery, sessions: &Sessions) -> Option<Delivery> {
    let session = sessions.get(key)?;
    let pick = session.pick(&delivery.message, key, Via::Zone)?;
    // As published, whatever the subscription says: an owner refuses a retained order.
    let retain = delivery.message.retain;
    let wanted = session.conn.is_some() || pick.qos > Qos::AtMostOnce || delivery.hold.is_some();
    wanted.then(|| Delivery { qos: pick.qos, ids: pick.ids, retain, ..delivery })
}

#[cfg(feature = "testing")]
impl Zones {
    pub(crate) fn last_stamp(&self) -> Stamp {
        self.last_stamp
    }

    pub(crate) fn does_without(&self) -> bool {
        self.gateways == Gateways::None
    }

    pub(crate) fn books(&self) -> HeldBooks {
        self.held.books()
    }
}
