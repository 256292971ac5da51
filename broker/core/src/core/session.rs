//! One client's session: subscriptions, what it still has to get, what it sent [MQTT-4.1].

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::aliases::Aliases;
use super::outbox::Outbox;
use crate::access::{Reading, Rights};
use crate::map::Map;
use crate::message::{ConnId, GroupId, Hold, Message};
use crate::moment::Moment;
use crate::mutant::mutant;
use crate::protocol::{Publish, Qos, Reason, Version, Will, topic};
use crate::router::FilterId;

/// One client's session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Arc<str>,
    /// What its user may do now.
    pub(super) rights: Rights,
    /// The zone whose messages this session takes, if its client id says so.
    pub(super) zone: Option<Box<str>>,
    pub(super) conn: Option<ConnId>,
    pub(super) version: Version,
    /// Seconds the session outlives its connection; `u32::MAX` is for ever.
    pub(super) expiry: u32,
    pub(super) ends_at: Option<Moment>,
    /// Whether it outlives the broker.
    pub(super) kept: bool,
    pub(super) will: Option<Will>,
    pub(super) will_at: Option<Moment>,
    /// Whether the store has its will.
    pub(super) will_kept: bool,
    /// The broker ended while its client was there, which may come back: then it was never gone.
    pub(super) left_with_broker: bool,
    pub(super) outbox: Outbox,
    /// Handshakes the client allows at a time.
    pub(super) window: usize,
    pub(super) largest: usize,
    /// Of the connection that there is now.
    pub(super) aliases: Option<Box<Aliases>>,
    /// QoS 1 and 2 publishes of the client that are not finished.
    incoming: BTreeMap<u16, Incoming>,
    /// How many of them are withheld.
    withheld: usize,
    /// QoS 1 publishes of an earlier connection that were settled since. The client cannot know and repeats them, and
    /// then hears of it: an acknowledgement more might be taken for that of another publish.
    pub(super) acked_away: BTreeMap<u16, AckedAway>,
    pub(super) exact: Map<Box<str>, Sub>,
    pub(super) wild: Vec<(Box<str>, Sub)>,
    /// Shared subscriptions, by `$share/<name>/<filter>`.
    pub(super) shared: BTreeMap<Box<str>, GroupId>,
    /// Whether a publish that was refused has been logged.
    pub(super) refusal_logged: bool,
    /// It could not keep what it was promised, takes nothing more and ends with the next tick.
    pub(super) doomed: bool,
    /// Whatever comes out of the router from up to here, the session has had already.
    pub(super) settled: u64,
    /// What all filters cost.
    pub(super) filter_bytes: usize,
    /// What it was when it was last weighed.
    pub(super) weighed: usize,
}

/// Where the handshake of a publish from the client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incoming {
    /// Taken in for a zone; PUBACK or PUBREC is withheld.
    Withheld(Withheld),
    /// QoS 2, PUBREC sent: a repetition is not a new message. None for one of an earlier life of the broker.
    Received(Option<Print>),
}

/// A publish whose acknowledgement is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Withheld {
    /// On which connection it was heard last.
    pub(super) heard: ConnId,
    /// That of its [`Hold`](crate::message::Hold).
    pub(super) number: u64,
    pub(super) print: Print,
}

/// A QoS 1 publish that was settled while its client was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AckedAway {
    pub(super) print: Print,
    pub(super) reason: Reason,
}

/// A hash of a publish. A client that has lost its memory uses a packet id again for another message, and may even
/// mark it as a repetition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Print(u64);

impl Print {
    pub(super) fn of(publish: &Publish) -> Self {
        let parts = (&publish.topic, &publish.payload, &publish.properties.forwarded);
        // The seed is fixed: equal runs of a simulator are equal, and a collision harms only who makes it.
        Self(FixedState::default().hash_one(parts))
    }
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sub {
    pub(super) qos: Qos,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) id: Option<u32>,
    /// Whether some of what it matches is denied to the user.
    pub(super) filtered: bool,
    /// Order of the first SUBSCRIBE; earlier messages do not belong to this subscription.
    pub(super) since: u64,
    /// Its number, unless it is a zone's own.
    pub(super) filter: Option<FilterId>,
}

/// How a message reached a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Exact,
    Router(FilterId),
    /// Straight into a zone's session.
    Zone,
}

/// All that a session's subscriptions say about one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) ids: Box<[u32]>,
}

impl Session {
    pub(super) fn new(
        client: Arc<str>,
        rights: Rights,
        zone: Option<Box<str>>,
        version: Version,
    ) -> Self {
        Self {
            client,
            rights,
            zone,
            conn: None,
            version,
            expiry: 0,
            ends_at: None,
            kept: false,
            will: None,
            will_at: None,
            will_kept: false,
            left_with_broker: false,
            outbox: Outbox::default(),
            window: 0,
            largest: 0,
            aliases: None,
            incoming: BTreeMap::new(),
            withheld: 0,
            acked_away: BTreeMap::new(),
            exact: Map::default(),
            wild: Vec::new(),
            shared: BTreeMap::new(),
            refusal_logged: false,
            doomed: false,
            settled: 0,
            filter_bytes: 0,
            weighed: 0,
        }
    }

    /// What to deliver for a message that arrived on one way, or nothing if another way delivers it.
    ///
    /// Overlapping subscriptions give one copy with the highest QoS and all identifiers [MQTT-3.3.4-2, -4]. The
    /// oldest matching subscription's way delivers, so that a newer, faster way never overtakes it.
    pub(super) fn pick(
        &self,
        message: &Message,
        me: Option<super::SessionKey>,
        via: Via,
    ) -> Option<Pick> {
        let mut oldest: Option<(u64, Via)> = None;
        let mut pick = Pick { qos: Qos::AtMostOnce, retain: false, ids: Box::default() };
        let mut ids = Vec::new();
        let exact = self.exact.get(&message.topic).map(|sub| (sub, Via::Exact));
        let wild = self.wild.iter().filter(|(filter, _)| topic::matches(filter, &message.topic));
        let wild = wild.map(|(_, sub)| (sub, sub.filter.map_or(Via::Zone, Via::Router)));
        for (sub, way) in exact.into_iter().chain(wild) {
            let own = sub.no_local && message.publisher.is_some() && message.publisher == me;
            let own = own && !mutant!(OwnMessages);
            // What waited for a zone is older than the subscription that it waited for.
            if (sub.since > message.order && via != Via::Zone) || own {
                continue;
            }
            if sub.filtered && !self.rights.may_read(&message.topic) {
                continue;
            }
            if oldest.is_none_or(|(since, _)| sub.since < since) {
                oldest = Some((sub.since, way));
            }
            // Those with wildcards stand in the order of their age, so no older one follows.
            let other = way != Via::Exact && oldest.is_some_and(|(_, way)| way != via);
            if other && via != Via::Zone && !mutant!(OnceForEachSubscription) {
                return None;
            }
            pick.qos = pick.qos.max(sub.qos);
            pick.retain |= sub.retain_as_published && message.retain;
            ids.extend(sub.id);
        }
        let (_, way) = oldest?;
        if via != Via::Zone && way != via && !mutant!(OnceForEachSubscription) {
            return None;
        }
        if !mutant!(HigherQos) {
            pick.qos = pick.qos.min(message.qos);
        }
        pick.ids = ids.into();
        Some(pick)
    }

    pub(super) fn incoming(&self, pid: u16) -> Option<Incoming> {
        self.incoming.get(&pid).copied()
    }

    /// The publish of a hold, unless the client has used its packet id for another one since.
    pub(super) fn withheld_for(&self, hold: Hold) -> Option<Withheld> {
        match self.incoming(hold.pid)? {
            Incoming::Withheld(withheld)
                if withheld.number == hold.number || mutant!(PacketIdIsTheMessage) =>
            {
                Some(withheld)
            }
            _ => None,
        }
    }

    /// Where the handshake of a publish stands from now on; `None` when it is finished.
    pub(super) fn set_incoming(&mut self, pid: u16, state: Option<Incoming>) {
        let was = match state {
            Some(state) => self.incoming.insert(pid, state),
            None => self.incoming.remove(&pid),
        };
        let withheld = |state| usize::from(matches!(state, Some(Incoming::Withheld(_))));
        self.withheld += withheld(state);
        self.withheld -= withheld(was);
    }

    /// QoS 2 publishes whose PUBREL has not come.
    pub(super) fn received(&self) -> impl Iterator<Item = u16> {
        let received = self.incoming.iter();
        let received = received.filter(|(_, state)| matches!(state, Incoming::Received(_)));
        received.map(|(pid, _)| *pid)
    }

    /// Publishes that count against a Receive Maximum. MQTT 3.1.1 has none: such a client is not read while there are
    /// too many, so only those count that go on without it. A PUBREL that is not read would never come.
    pub(super) fn incoming_count(&self) -> usize {
        match self.version {
            Version::V5 => self.incoming.len(),
            Version::V311 => self.withheld,
        }
    }

    /// Publishes whose acknowledgement is withheld.
    #[cfg(feature = "testing")]
    pub(super) fn withheld(&self) -> usize {
        self.withheld
    }

    /// Whether any subscription covers a topic.
    pub(super) fn covers(&self, topic: &str) -> bool {
        self.exact.contains_key(topic)
            || self.wild.iter().any(|(filter, _)| topic::matches(filter, topic))
    }

    pub(super) fn find(&mut self, filter: &str) -> Option<&mut Sub> {
        if topic::has_wildcard(filter) {
            self.wild.iter_mut().find(|(path, _)| &**path == filter).map(|(_, sub)| sub)
        } else {
            self.exact.get_mut(filter)
        }
    }

    /// Whether somebody with these rights may have every subscription; notes what of them is denied.
    pub(super) fn suits(&mut self, rights: &Rights) -> bool {
        let mut keeps = |(filter, sub): (&str, &mut Sub)| {
            let reading = rights.may_subscribe(filter);
            sub.filtered = reading == Reading::Filtered;
            reading != Reading::Nothing
        };
        self.shared.keys().all(|filter| rights.may_subscribe(filter) != Reading::Nothing)
            && self.exact.iter_mut().map(|(filter, sub)| (&**filter, sub)).all(&mut keeps)
            && self.wild.iter_mut().map(|(filter, sub)| (&**filter, sub)).all(keeps)
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.exact.len() + self.wild.len() + self.shared.len()
    }
}
