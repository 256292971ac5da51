//! What the standard says should happen, written as plainly as it can be: who has a session, who is subscribed to
//! what, what is retained, which wills are due. It goes in step with the core and owes messages in the ledger.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{Accepted, Ledger};
use crate::plan::Persona;
use broker_core::ConnId;
use broker_core::Ended;
use broker_core::Moment;
use broker_core::protocol::{Connect, Filter, Qos, RetainHandling};

/// A message as its writer means it, whatever number of times it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct App(pub(crate) u32);

/// One session from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LifeId(pub(crate) u32);

#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) app: App,
    pub(crate) topic: String,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Seconds.
    pub(crate) expiry: Option<u32>,
    pub(crate) large: bool,
    /// Without payload: it clears what is retained.
    pub(crate) empty: bool,
}

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) client: usize,
    pub(crate) conn: Option<ConnId>,
    pub(crate) expiry: u32,
    pub(crate) ends_at: Option<Moment>,
    pub(crate) will: Option<(Told, u32)>,
    pub(crate) will_at: Option<Moment>,
    pub(crate) subs: BTreeMap<String, Sub>,
    pub(crate) doomed: bool,
    pub(crate) largest: u32,
    pub(crate) zone: Option<&'static str>,
    /// Publishes whose handshake is not finished.
    pub(crate) incoming: BTreeMap<u16, Incoming>,
    pub(crate) acked_away: BTreeSet<u16>,
}

impl Life {
    /// Publishes that count against the Receive Maximum; an old client has none, but waits with those of zones.
    pub(crate) fn counted(&self, new: bool) -> usize {
        self.incoming.values().filter(|incoming| new || incoming.withheld).count()
    }
}

#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) withheld: bool,
    /// Where it was heard last.
    pub(crate) conn: ConnId,
    pub(crate) stamp: Option<u64>,
    pub(crate) qos: Qos,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sub {
    pub(crate) qos: Qos,
    no_local: bool,
    rap: bool,
    id: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) told: Told,
    writer: LifeId,
    pub(crate) expires: Option<Moment>,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) lives: BTreeMap<LifeId, Life>,
    pub(crate) of_client: BTreeMap<usize, LifeId>,
    pub(crate) of_conn: BTreeMap<ConnId, LifeId>,
    /// The same, also once the broker has ended the connection: a client still hears what is on its way to it.
    heard_by: BTreeMap<ConnId, LifeId>,
    pub(crate) retained: BTreeMap<String, Kept>,
    pub(crate) ledger: Ledger,
    pub(crate) zones: bool,
    last_life: u32,
}

impl Model {
    /// Whether the session goes on.
    pub(crate) fn connect(
        &mut self,
        now: Moment,
        conn: ConnId,
        (client, persona): (usize, &Persona),
        connect: &Connect,
        will: Option<(Told, u32)>,
    ) -> bool {
        let old = self.of_client.get(&client).copied();
        let present = old.is_some_and(|life| self.take_over(now, life, connect.clean));
        let id = match old.filter(|_| present) {
            Some(id) => id,
            None => self.begin(client, persona),
        };
        self.of_conn.insert(conn, id);
        self.heard_by.insert(conn, id);
        if let Some(life) = self.lives.get_mut(&id) {
            (life.conn, life.expiry, life.will) = (Some(conn), connect.session_expiry, will);
            life.largest = connect.maximum_packet;
        }
        present
    }

    fn begin(&mut self, client: usize, persona: &Persona) -> LifeId {
        self.last_life += 1;
        let id = LifeId(self.last_life);
        let life = Life {
            client,
            conn: None,
            expiry: 0,
            ends_at: None,
            will: None,
            will_at: None,
            subs: BTreeMap::new(),
            doomed: false,
            largest: u32::MAX,
            zone: persona.zone.filter(|_| self.zones),
            incoming: BTreeMap::new(),
            acked_away: BTreeSet::new(),
        };
        self.lives.insert(id, life);
        self.of_client.insert(client, id);
        id
    }

    fn take_over(&mut self, now: Moment, id: LifeId, clean: bool) -> bool {
        let Some(life) = self.lives.get_mut(&id) else { return false };
        let was = life.conn.take();
        let goes_on = !clean && !life.doomed && (was.is_none() || life.expiry > 0);
        (life.ends_at, life.will_at) = (None, None);
        // Someone came back in time; or a live connection had a will that is to wait for that.
        if goes_on && life.will.as_ref().is_some_and(|(_, delay)| was.is_none() || *delay > 0) {
            life.will = None;
        }
        if let Some(was) = was {
            self.of_conn.remove(&was);
        }
        self.publish_will(now, id);
        if !goes_on {
            self.end(now, id);
        }
        goes_on
    }

    pub(crate) fn closed(&mut self, now: Moment, conn: ConnId, how: Ended) {
        let Some(id) = self.of_conn.remove(&conn) else { return };
        let Some(life) = self.lives.get_mut(&id) else { return };
        life.conn = None;
        let expiry = if life.doomed { 0 } else { life.expiry };
        if how == Ended::Goodbye {
            life.will = None;
        }
        match life.will.as_ref().map(|(_, delay)| (*delay).min(expiry)) {
            None => {}
            Some(0) => self.publish_will(now, id),
            Some(delay) => life.will_at = Some(now.after_secs(delay)),
        }
        if expiry == 0 {
            self.end(now, id);
        } else if expiry < u32::MAX
            && let Some(life) = self.lives.get_mut(&id)
        {
            life.ends_at = Some(now.after_secs(expiry));
        }
    }

    pub(crate) fn tick(&mut self, now: Moment) {
        loop {
            let due = |(&id, life): (&LifeId, &Life)| {
                let ends = if life.doomed { Some(Moment::default()) } else { life.ends_at };
                let ends = ends.map(|at| (at, 0, id));
                ends.into_iter().chain(life.will_at.map(|at| (at, 1, id))).min()
            };
            let Some((at, what, id)) = self.lives.iter().filter_map(due).min() else { return };
            if at > now {
                return;
            }
            if what == 0 { self.end(now, id) } else { self.publish_will(now, id) }
        }
    }

    fn publish_will(&mut self, now: Moment, id: LifeId) {
        let Some(life) = self.lives.get_mut(&id) else { return };
        life.will_at = None;
        if let Some((told, _)) = life.will.take() {
            self.publish(now, id, &told, false);
        }
    }

    pub(crate) fn end(&mut self, now: Moment, id: LifeId) {
        self.publish_will(now, id);
        let Some(life) = self.lives.remove(&id) else { return };
        self.of_client.remove(&life.client);
        self.of_conn.retain(|_, other| *other != id);
        self.ledger.ended(id);
        for path in life.subs.keys().filter(|path| path.starts_with("$share/")) {
            if self.members(path).is_empty() {
                self.ledger.promise_less(path);
            }
        }
    }

    /// The broker dies with all it has.
    pub(crate) fn restart(&mut self) {
        for (id, life) in std::mem::take(&mut self.lives) {
            self.ledger.ended(id);
            for path in life.subs.keys().filter(|path| path.starts_with("$share/")) {
                self.ledger.promise_less(path);
            }
        }
        self.of_client.clear();
        self.of_conn.clear();
        self.heard_by.clear();
        self.retained.clear();
    }

    fn members(&self, path: &str) -> Vec<(LifeId, Sub)> {
        let of = |(&id, life): (&LifeId, &Life)| life.subs.get(path).map(|sub| (id, *sub));
        self.lives.iter().filter_map(of).collect()
    }

    pub(crate) fn subscribe(
        &mut self,
        now: Moment,
        id: LifeId,
        filters: &[Filter],
        number: Option<u32>,
    ) {
        for filter in filters {
            let Some(life) = self.lives.get_mut(&id) else { return };
            let sub = Sub {
                qos: filter.qos,
                no_local: filter.no_local,
                rap: filter.retain_as_published,
                id: number,
            };
            let new = life.subs.insert(filter.path.clone(), sub).is_none();
            if filter.path.starts_with("$share/") {
                if sub.qos == Qos::AtMostOnce {
                    self.ledger.promise_less(&filter.path);
                }
                continue;
            }
            let wanted = match filter.retain_handling {
                RetainHandling::Always => true,
                RetainHandling::IfNew => new,
                RetainHandling::Never => false,
            };
            if wanted {
                self.owe_retained(now, id, &filter.path, sub);
            }
        }
    }

    fn owe_retained(&mut self, now: Moment, id: LifeId, path: &str, sub: Sub) {
        let largest = self.lives.get(&id).map_or(0, |life| life.largest);
        self.retained.retain(|_, kept| kept.expires.is_none_or(|at| at > now));
        for (topic, kept) in &self.retained {
            if covers(path, topic) && !(sub.no_local && kept.writer == id) {
                let accepted = Accepted {
                    stored: true,
                    qos: kept.told.qos.min(sub.qos),
                    ids: sub.id.into_iter().collect(),
                    retain: true,
                    expires: kept.expires,
                };
                self.ledger.owe(id, &kept.told, accepted, largest);
            }
        }
    }

    pub(crate) fn unsubscribe(&mut self, id: LifeId, paths: &[String]) {
        for path in paths {
            let Some(life) = self.lives.get_mut(&id) else { return };
            life.subs.remove(path);
            if path.starts_with("$share/") && self.members(path).is_empty() {
                self.ledger.promise_less(path);
            }
        }
    }

    /// A new message; `handed` if it goes to the zone's session on a way of its own.
    pub(crate) fn publish(&mut self, now: Moment, writer: LifeId, told: &Told, handed: bool) {
        let expires = told.expiry.map(|seconds| now.after_secs(seconds));
        let accepted = |qos: Qos, retain, ids| Accepted {
            stored: false,
            qos: qos.min(told.qos),
            ids,
            retain: retain && told.retain,
            expires,
        };
        let zone = self.zone_of(&told.topic).filter(|_| handed);
        for (&id, life) in &self.lives {
            if zone.is_some() && life.zone == zone {
                continue;
            }
            let subs = life
                .subs
                .iter()
                .filter(|(path, sub)| covers(path, &told.topic) && !(sub.no_local && writer == id));
            let subs: Vec<Sub> = subs.map(|(_, sub)| *sub).collect();
            let Some(qos) = subs.iter().map(|sub| sub.qos).max() else { continue };
            let mut ids: Vec<u32> = subs.iter().filter_map(|sub| sub.id).collect();
            ids.sort_unstable();
            let accepted = accepted(qos, subs.iter().any(|sub| sub.rap), ids);
            self.ledger.owe(id, told, accepted, life.largest);
        }
        self.share(told, expires.is_some());
        if told.retain && told.empty {
            self.retained.remove(&told.topic);
        } else if told.retain && !(zone.is_some() && told.topic.ends_with("/set")) {
            let kept = Kept { told: told.clone(), writer, expires };
            self.retained.insert(told.topic.clone(), kept);
        }
    }

    fn share(&mut self, told: &Told, expires: bool) {
        let paths: BTreeSet<&String> =
            self.lives.values().flat_map(|life| life.subs.keys()).collect();
        for path in paths {
            let Some(filter) = shared(path).filter(|filter| covers(filter, &told.topic)) else {
                continue;
            };
            debug_assert!(!filter.is_empty());
            let members = self.members(path);
            let least = members.iter().map(|(_, sub)| sub.qos).min();
            let sure = least.is_some_and(|qos| qos.min(told.qos) > Qos::AtMostOnce);
            self.ledger.owe_group(path, told, sure && !expires);
        }
    }

    /// The zone of a topic whose acknowledgement may be withheld.
    pub(crate) fn zone_of(&self, topic: &str) -> Option<&'static str> {
        let rest = topic.strip_prefix("home/").filter(|_| self.zones)?;
        let is = |zone: &&&str| {
            let Some(rest) = rest.strip_prefix(**zone) else { return false };
            rest.ends_with("/report") || rest.ends_with("/set")
        };
        ["hall", "den"].iter().find(is).copied()
    }

    pub(crate) fn current(&mut self, conn: ConnId) -> Option<(LifeId, &mut Life)> {
        let id = *self.of_conn.get(&conn)?;
        self.lives.get_mut(&id).map(|life| (id, life))
    }

    /// Whose messages are on their way on a connection.
    pub(crate) fn hearer(&self, conn: ConnId) -> Option<LifeId> {
        self.heard_by.get(&conn).copied()
    }
}

fn shared(path: &str) -> Option<&str> {
    path.strip_prefix("$share/")?.split_once('/').map(|(_, filter)| filter)
}

/// Whether a filter covers a topic, in the words of the standard.
pub(crate) fn covers(filter: &str, topic: &str) -> bool {
    fn levels(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            ([one, filter @ ..], [name, topic @ ..]) if *one == "+" || one == name => {
                levels(filter, topic)
            }
            _ => false,
        }
    }
    let hidden = topic.starts_with('$') && filter.starts_with(['+', '#']);
    let split = |text| str::split(text, '/').collect::<Vec<_>>();
    !filter.starts_with("$share/") && !hidden && levels(&split(filter), &split(topic))
}
