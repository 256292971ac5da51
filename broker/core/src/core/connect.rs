//! Connections and sessions come and go; wills.

use std::time::Duration;

use super::aliases::Aliases;
use super::publish::permitted;
use super::session::Session;
use super::subscribe::Way;
use super::{Core, Keep, Link, Timer};
use crate::access::{Guest, Renewed, Rights};
use crate::message::{ConnId, SessionKey};
use crate::moment::Moment;
use crate::mutant::mutant;
use crate::protocol::{Connect, Publish, Reason, Version, welcome_size};
use crate::settings::Settings;

/// An accepted CONNECT.
#[derive(Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its client id, assigned if it gave none.
    pub client: std::sync::Arc<str>,
    /// Whether it is back in its session.
    pub session_present: bool,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// DISCONNECT: the will is forgotten [MQTT-3.14.4-3].
    Goodbye,
    /// Anything else.
    Lost,
}

impl Core {
    /// Takes a CONNECT. An older connection with the same client id is ended [MQTT-3.1.4-3].
    ///
    /// # Errors
    ///
    /// The reason for the CONNACK.
    pub fn connect(
        &mut self,
        now: Moment,
        conn: ConnId,
        connect: Connect,
        guest: Guest,
    ) -> Result<Connected, Reason> {
        if self.stopping {
            return Err(Reason::Busy);
        }
        let client = self.client_id(&connect);
        let assigned = connect.client_id.is_empty().then_some(&*client);
        if (connect.maximum_packet as usize) < welcome_size(assigned) {
            return Err(Reason::TooLarge);
        }
        let old = self.clients.get(&*client).copied();
        let rights = self.rights(guest, &client, &connect, old)?;
        if old.is_none() && self.sessions.len() >= self.settings.limits.sessions {
            return Err(Reason::Busy);
        }
        if !self.admits(&connect, &client, old.is_none()) {
            return Err(Reason::Quota);
        }
        let suits = old
            .and_then(|key| self.sessions.get_mut(&key))
            .is_some_and(|session| session.suits(&rights));
        let kept = old.filter(|&key| self.take_over(now, key, connect.clean || !suits));
        let session_present = kept.is_some();
        let key =
            kept.unwrap_or_else(|| self.new_session(&client, connect.version, rights.clone()));
        self.attach(key, conn, connect, rights);
        self.counts.connections += 1;
        self.counts.most_connected = self.counts.most_connected.max(self.connected);
        if self.zones.seen(&client) {
            self.keep_gateways();
        }
        Ok(Connected { client, session_present })
    }

    /// What this guest may do, if it may come as this client and with this will.
    fn rights(
        &self,
        guest: Guest,
        client: &std::sync::Arc<str>,
        connect: &Connect,
        old: Option<SessionKey>,
    ) -> Result<Rights, Reason> {
        let mut rights = Rights::new(guest, client.clone())?;
        let old = old.and_then(|key| self.sessions.get(&key));
        if old.is_some_and(|old| !rights.may_follow(&old.rights)) {
            tracing::info!(%client, "the session of this client id is another user's");
            return Err(Reason::NotAuthorized);
        }
        match &connect.will {
            Some(will) if !permitted(&mut rights, &will.publish) => {
                tracing::info!(%client, topic = %will.publish.topic, "may not have a last will on this topic");
                Err(Reason::NotAuthorized)
            }
            _ => Ok(rights),
        }
    }

    fn client_id(&self, connect: &Connect) -> std::sync::Arc<str> {
        if connect.client_id.is_empty() {
            let Settings { broker_id, incarnation, .. } = &self.settings;
            return format!("auto-{broker_id}-{incarnation}-{}", self.last_key + 1).into();
        }
        connect.client_id.as_str().into()
    }

    /// Ends whatever connection the session has; tells whether the session goes on.
    fn take_over(&mut self, now: Moment, key: SessionKey, clean: bool) -> bool {
        let Some(session) = self.sessions.get_mut(&key) else { return false };
        let was = session.conn.take();
        self.connected -= usize::from(was.is_some());
        let clean = clean && !mutant!(CleanStartIgnored);
        let goes_on = !clean && !session.doomed && session.expiry > 0;
        if !mutant!(ReturnIgnored)
            && let Some(at) = session.ends_at.take()
        {
            self.timers.remove(&(at, Timer::SessionEnds(key)));
        }
        if let Some(at) = session.will_at.take() {
            self.timers.remove(&(at, Timer::WillDue(key)));
        }
        // A will with a delay is for clients that do not come back [MQTT-3.1.3-9].
        let delayed = session.will.as_ref().is_some_and(|will| will.delay > 0);
        let back = session.left_with_broker || (goes_on && (was.is_none() || delayed));
        if back && !mutant!(WillAfterReturn) {
            session.will = None;
        }
        if let Some(old) = was {
            if let Some(link) = self.links.get_mut(&old).filter(|_| !mutant!(OldConnectionActs)) {
                link.session = None;
            }
            self.end_connection(old, Reason::TakenOver);
        }
        self.keep_will(key);
        self.publish_will(now, key);
        if !goes_on {
            self.end_session(now, key);
        }
        goes_on
    }

    pub(super) fn new_session(
        &mut self,
        client: &std::sync::Arc<str>,
        version: Version,
        rights: Rights,
    ) -> SessionKey {
        self.last_key += 1;
        let key = SessionKey(self.last_key);
        let zone = self.zones.zone_of_client(client).map(Box::<str>::from);
        if let Some(zone) = &zone {
            self.zones.session_starts(zone, key);
        }
        let session = Session::new(client.clone(), rights, zone, version);
        self.sessions.insert(key, session);
        self.clients.insert(client.clone(), key);
        key
    }

    fn attach(&mut self, key: SessionKey, conn: ConnId, connect: Connect, rights: Rights) {
        let window = connect.receive_maximum.min(self.settings.limits.inflight);
        if let Some(session) = self.sessions.get_mut(&key) {
            session.conn = Some(conn);
            session.rights = rights;
            self.connected += 1;
            session.version = connect.version;
            session.expiry = connect.session_expiry;
            session.will = connect.will;
            session.left_with_broker = false;
            session.window = usize::from(window);
            session.largest = connect.maximum_packet as usize;
            if !mutant!(OldAliases) || session.aliases.is_none() {
                session.aliases = Aliases::new(connect.alias_maximum);
            }
            session.refusal_logged = false;
            session.outbox.resume();
        }
        self.weigh_session(key);
        self.keep_session(key);
        self.keep_awake(key);
        self.keep_will(key);
        self.links.insert(conn, Link { session: Some(key), ..Link::default() });
        self.effects.wake(conn);
        // The will of the connection before may have been one message too many.
        if self.sessions.get(&key).is_some_and(|session| session.doomed) {
            self.end_connection(conn, Reason::Quota);
        }
    }

    /// Changes the session expiry with DISCONNECT; a session that was to end cannot be kept [MQTT-3.14.2-2].
    pub(super) fn change_expiry(&mut self, key: SessionKey, seconds: u32) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        if session.expiry == 0 && seconds > 0 {
            return Err(Reason::Protocol);
        }
        session.expiry = seconds;
        self.keep_session(key);
        Ok(())
    }

    /// A connection is gone.
    pub fn closed(&mut self, now: Moment, conn: ConnId, how: Ended) {
        self.paused.remove(&conn);
        let Some(key) = self.links.remove(&conn).and_then(|link| link.session) else { return };
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.conn = None;
        self.connected -= 1;
        session.outbox.pause();
        let expiry = if session.doomed { 0 } else { session.expiry };
        if (how == Ended::Goodbye && !mutant!(WillAfterGoodbye)) || self.stopping {
            session.will = None;
        }
        // Of the others it is for the next life to see who comes back.
        session.will_kept &= how == Ended::Goodbye || !self.stopping;
        let delay = session.will.as_ref().map(|will| will.delay.min(expiry));
        self.weigh_session(key);
        match delay {
            None => {}
            Some(0) => self.publish_will(now, key),
            Some(_) if mutant!(WillTooSoon) => self.publish_will(now, key),
            Some(delay) => {
                let at = now.after_secs(delay);
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.will_at = Some(at);
                }
                self.timers.insert((at, Timer::WillDue(key)));
            }
        }
        self.keep_will(key);
        self.plan_end(now, key, expiry);
        self.hand_over(key);
        self.keep_asleep(key);
    }

    /// What a sleeping member of a group was not sent yet goes to one who is awake.
    fn hand_over(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(&key) else { return };
        let mut awake: Vec<_> = session.shared.values().copied().collect();
        awake.retain(|&id| self.anyone_awake(id));
        if let Some(session) = self.sessions.get_mut(&key)
            && !awake.is_empty()
        {
            let unsent = session.outbox.take_unsent(&awake);
            self.share_again(unsent);
        }
    }

    /// Ends a session that cannot keep what it was promised. Its client learns of it: by the reason if it is there, and
    /// in any case by the next CONNACK, which says that there is no session.
    pub(super) fn doom(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if std::mem::replace(&mut session.doomed, true) {
            return;
        }
        tracing::warn!(client = %session.client, "the session fell too far behind and ends");
        // Not in the middle of a delivery to many, which may be where this is.
        let at = Moment::default();
        if let Some(planned) = session.ends_at.replace(at) {
            self.timers.remove(&(planned, Timer::SessionEnds(key)));
        }
        self.timers.insert((at, Timer::SessionEnds(key)));
        let (conn, kept) = (session.conn, session.kept);
        if kept {
            self.keep_session(key);
        }
        if let Some(conn) = conn {
            self.end_connection(conn, Reason::Quota);
        }
    }

    fn plan_end(&mut self, now: Moment, key: SessionKey, expiry: u32) {
        if expiry == 0 {
            if !mutant!(EndIgnored) {
                self.end_session(now, key);
            }
            return;
        }
        if expiry < u32::MAX
            && let Some(session) = self.sessions.get_mut(&key)
        {
            let at = now.after(Duration::from_secs(u64::from(expiry)));
            session.ends_at = Some(at);
            self.timers.insert((at, Timer::SessionEnds(key)));
            self.keep_session(key);
        }
    }

    /// Looks up anew what everyone may do. A session whose user is gone ends, and so does one that holds a subscription
    /// which its user may no longer have, with all that waited for it; a connection whose user has another password or
    /// role ends, and may come back to its session.
    pub fn renew(&mut self, now: Moment, find: impl Fn(Option<&str>) -> Option<Guest>) {
        let mut over = Vec::new();
        let mut ended = Vec::new();
        for (&key, session) in &mut self.sessions {
            let renewed = session.rights.renew(&find);
            let rights = session.rights.clone();
            let goes_on = renewed != Renewed::Gone && session.suits(&rights);
            if !goes_on {
                over.push(key);
            }
            if !goes_on || renewed == Renewed::Login {
                ended.extend(session.conn);
            }
        }
        // In an order that does not depend on the map's.
        over.sort_unstable();
        ended.sort_unstable();
        for conn in ended {
            self.end_connection(conn, Reason::NotAuthorized);
        }
        for key in over {
            self.cut_off(now, key);
        }
    }

    /// Ends a session, also under its connection.
    fn cut_off(&mut self, now: Moment, key: SessionKey) {
        let conn = self.sessions.get(&key).and_then(|session| session.conn);
        if let Some(link) = conn.and_then(|conn| self.links.get_mut(&conn)) {
            link.session = None;
        }
        self.end_session(now, key);
    }

    /// Publishes the session's will, if it still has one.
    pub(super) fn publish_will(&mut self, now: Moment, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.will_at = None;
        let Some(will) = session.will.take() else { return };
        if std::mem::take(&mut session.will_kept) {
            self.effects.keep.push(Keep::WillOver(session.client.clone()));
        }
        self.weigh_session(key);
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if !permitted(&mut session.rights, &will.publish) {
            tracing::info!(client = %session.client, topic = %will.publish.topic, "may no longer have its last will");
            return;
        }
        tracing::info!(client = %session.client, topic = %will.publish.topic, "publishes the last will");
        self.publish_for(now, Some(key), Publish { pid: 0, ..will.publish });
    }

    /// Forgets a session; what a zone's session had not acknowledged is held again.
    pub(super) fn end_session(&mut self, now: Moment, key: SessionKey) {
        self.publish_will(now, key);
        let Some(mut session) = self.sessions.remove(&key) else { return };
        self.unweigh_session(&session);
        self.clients.remove(&session.client);
        if let Some(at) = session.ends_at {
            self.timers.remove(&(at, Timer::SessionEnds(key)));
        }
        if let Some(conn) = session.conn {
            self.connected -= 1;
            if let Some(link) = self.links.get_mut(&conn) {
                link.session = None;
            }
        }
        if session.kept {
            self.effects.keep.push(Keep::SessionEnded(session.client.clone()));
        }
        for (path, _) in session.exact.drain() {
            self.forget(&Way::Exact(path), key);
        }
        for (_, sub) in std::mem::take(&mut session.wild) {
            if let Some(id) = sub.filter {
                self.forget(&Way::Wild(id), key);
            }
        }
        for (_, group) in std::mem::take(&mut session.shared) {
            self.leave(key, group);
        }
        let left = session.outbox.into_left();
        if let Some(zone) = &session.zone {
            let held = if mutant!(ReportsLost) { Vec::new() } else { left.held };
            self.zones.session_ends(zone, held);
            self.start_announcing(now);
        }
        if !mutant!(SharedLost) {
            self.share_again(left.shared);
        }
    }
}
