//! Claims about the core's own books: after every event, and when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use super::model::App;
use super::people::app_of;
use super::world::World;
use super::{Broken, broken};
use crate::message::SessionKey;

impl World {
    /// A session that the core gives up had as many messages waiting as it may.
    pub(super) fn a_session_ends_early_only_if_it_was_full(&mut self) -> Result<(), Broken> {
        let doomed = self.core.sessions.values().filter(|session| session.doomed);
        let doomed: Vec<_> = doomed
            .map(|session| (session.client.clone(), session.outbox.books().counted))
            .collect();
        for (name, backlog) in doomed {
            let client = self.clients.iter().position(|client| *client.persona.name == *name);
            let life = client.and_then(|client| self.model.of_client.get(&client)).copied();
            let Some(of_life) = life.and_then(|life| self.model.lives.get_mut(&life)) else {
                continue;
            };
            if std::mem::replace(&mut of_life.doomed, true) {
                continue;
            }
            self.say(|| format!("{name} runs over"));
            self.count("sessions that ran over");
            if backlog < self.plan.settings.limits.queue_messages {
                return broken(
                    "a_session_ends_early_only_if_it_was_full",
                    format!("{name} had {backlog} messages waiting"),
                );
            }
        }
        Ok(())
    }

    /// One tick may end a session, whose will is one message too many for another, and that one too.
    pub(super) fn note_sessions_that_ended_at_once(&mut self) {
        let clients = &self.clients;
        let gone = self.model.lives.iter().filter(|(_, life)| {
            let name = clients[life.client].persona.name.as_str();
            !self.core.clients.contains_key(name)
        });
        let gone: Vec<_> = gone.map(|(&id, _)| id).collect();
        if self.plan.tight {
            gone.into_iter().for_each(|id| self.model.end(self.now, id));
        }
    }

    pub(super) fn queues_and_counters_are_right(&self) -> Result<(), Broken> {
        let claim = "queues_and_counters_are_right";
        let limits = &self.plan.settings.limits;
        for session in self.core.sessions.values() {
            let books = session.outbox.books();
            if books.counted > limits.queue_messages || !books.right {
                return broken(claim, format!("{}: {books:?}", session.client));
            }
            if books.inflight > usize::from(limits.inflight) {
                return broken(claim, format!("{}: {books:?}", session.client));
            }
        }
        let sessions = self.core.sessions.values();
        let held = sessions.filter(|session| session.zone.is_some());
        let held: usize = held.map(|session| session.outbox.books().held).sum();
        let zones = self.core.zones.books();
        if zones.bytes != held + zones.waiting {
            return broken(claim, format!("zones count {zones:?}, sessions hold {held}"));
        }
        if !self.core.rooms_are_right() {
            return broken(claim, "what sessions are is weighed wrong".to_owned());
        }
        Ok(())
    }

    /// When the faults are over, all of these hold.
    pub(super) fn everything_is_at_rest(&self) -> Result<(), Broken> {
        self.model.ledger.everything_owed_has_arrived(&self.alive())?;
        self.every_report_has_reached_its_zone()?;
        self.every_handshake_is_finished()?;
        self.nothing_is_left_inside()?;
        self.subscriptions_are_as_they_should()?;
        self.what_is_retained_is_right()
    }

    fn every_report_has_reached_its_zone(&self) -> Result<(), Broken> {
        // One that is too large for its zone is refused, and nobody hears of it when its writer's session has ended.
        let small = |(_, app): &(&u64, &App)| !self.told[app.0 as usize].0.large;
        match self.zones.owed.iter().find(small) {
            Some(owed) if !self.core.zones.does_without() => {
                broken("every_report_has_reached_its_zone", format!("stamp and message {owed:?}"))
            }
            _ => Ok(()),
        }
    }

    fn every_handshake_is_finished(&self) -> Result<(), Broken> {
        for client in self.clients.iter().filter(|client| client.up) {
            if let Some(sending) = client.sending.first() {
                let name = &client.persona.name;
                return broken("every_handshake_is_finished", format!("{name}: {}", sending.pid));
            }
        }
        for (&life, of_life) in &self.model.lives {
            let under_way = self.handshakes.under_way(life);
            if of_life.conn.is_some() && under_way > 0 {
                return broken("every_handshake_is_finished", format!("{life:?}: {under_way}"));
            }
        }
        Ok(())
    }

    fn nothing_is_left_inside(&self) -> Result<(), Broken> {
        let zones = self.core.zones.books();
        let inside = self.core.window_in_use();
        if zones.bytes > 0 || zones.taken > 0 || inside || !self.core.paused.is_empty() {
            let paused = &self.core.paused;
            return broken(
                "nothing_is_left_inside",
                format!("zones {zones:?}, router's window in use {inside}, paused {paused:?}"),
            );
        }
        Ok(())
    }

    fn subscriptions_are_as_they_should(&self) -> Result<(), Broken> {
        let lives = self.model.lives.values();
        let expected: BTreeMap<&str, BTreeSet<&str>> = lives
            .map(|life| {
                let name = self.clients[life.client].persona.name.as_str();
                (name, life.subs.keys().map(String::as_str).collect())
            })
            .collect();
        let mut found = BTreeMap::new();
        for session in self.core.sessions.values() {
            let paths = session.exact.keys().chain(session.wild.iter().map(|(path, _)| path));
            let paths: BTreeSet<&str> =
                paths.chain(session.shared.keys()).map(|path| &**path).collect();
            found.insert(&*session.client, paths);
        }
        let claim = "subscriptions_are_as_they_should";
        if expected != found {
            return broken(claim, format!("expected {expected:?}, found {found:?}"));
        }
        let keys: BTreeSet<SessionKey> = self.core.sessions.keys().copied().collect();
        let audiences = self.core.exact.values().chain(self.core.watchers.values());
        for audience in audiences {
            let gone = audience.sessions.iter().find(|key| !keys.contains(key));
            let groups = &self.core.groups;
            let ended = audience.groups.iter().find(|group| !groups.contains_key(group));
            if audience.is_empty() || gone.is_some() || ended.is_some() {
                return broken(claim, format!("{audience:?}"));
            }
        }
        Ok(())
    }

    fn what_is_retained_is_right(&self) -> Result<(), Broken> {
        let live = |expires: Option<crate::moment::Moment>| expires.is_none_or(|at| at > self.now);
        let expected: BTreeMap<&str, _> = self
            .model
            .retained
            .iter()
            .filter(|(_, kept)| live(kept.expires))
            .map(|(topic, kept)| (topic.as_str(), Some(kept.told.app)))
            .collect();
        let found: BTreeMap<&str, _> = self
            .core
            .retained
            .all()
            .filter(|message| live(message.expires))
            .map(|message| (&*message.topic, app_of(&message.payload)))
            .collect();
        if expected != found {
            return broken(
                "what_is_retained_is_right",
                format!("expected {expected:?}, found {found:?}"),
            );
        }
        Ok(())
    }
}
