//! Claims about the core's own books: after every event, and when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::App;
use crate::people::app_of;
use crate::world::World;
use crate::{Broken, broken};
use broker_core::testing::inside;

impl World {
    /// A session that the core gives up had as many messages waiting as it may.
    pub(crate) fn a_session_ends_early_only_if_it_was_full(&mut self) -> Result<(), Broken> {
        let doomed = inside(&self.core).sessions().filter(|session| session.is_doomed());
        let doomed: Vec<_> =
            doomed.map(|session| (session.client().clone(), session.queue().counted)).collect();
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
    pub(crate) fn note_sessions_that_ended_at_once(&mut self) {
        let clients = &self.clients;
        let gone = self.model.lives.iter().filter(|(_, life)| {
            let name = clients[life.client].persona.name.as_str();
            inside(&self.core).session_of(name).is_none()
        });
        let gone: Vec<_> = gone.map(|(&id, _)| id).collect();
        if self.plan.tight {
            gone.into_iter().for_each(|id| self.model.end(self.now, id));
        }
    }

    pub(crate) fn queues_and_counters_are_right(&self) -> Result<(), Broken> {
        let claim = "queues_and_counters_are_right";
        let limits = &self.plan.settings.limits;
        let inside = inside(&self.core);
        for session in inside.sessions() {
            let queue = session.queue();
            if queue.counted > limits.queue_messages || !queue.right {
                return broken(claim, format!("{}: {queue:?}", session.client()));
            }
            if queue.inflight > usize::from(limits.inflight) {
                return broken(claim, format!("{}: {queue:?}", session.client()));
            }
        }
        let of_zones = inside.sessions().filter(|session| session.is_of_zone());
        let held: usize = of_zones.map(|session| session.held_bytes()).sum();
        let zones = inside.held();
        if zones.bytes != held + zones.waiting {
            return broken(claim, format!("zones count {zones:?}, sessions hold {held}"));
        }
        if !inside.sessions_are_weighed_right() {
            return broken(claim, "what sessions are is weighed wrong".to_owned());
        }
        Ok(())
    }

    /// When the faults are over, all of these hold.
    pub(crate) fn everything_is_at_rest(&self) -> Result<(), Broken> {
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
            Some(owed) if !inside(&self.core).does_without_gateways() => {
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
        let zones = inside(&self.core).held();
        let routed = self.core.window_in_use();
        let paused = inside(&self.core).paused();
        if zones.bytes > 0 || zones.taken > 0 || routed || !paused.is_empty() {
            return broken(
                "nothing_is_left_inside",
                format!("zones {zones:?}, router's window in use {routed}, paused {paused:?}"),
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
        for session in inside(&self.core).sessions() {
            found.insert(&**session.client(), session.filters().collect::<BTreeSet<&str>>());
        }
        let claim = "subscriptions_are_as_they_should";
        if expected != found {
            return broken(claim, format!("expected {expected:?}, found {found:?}"));
        }
        inside(&self.core).stray_audience().map_or(Ok(()), |audience| broken(claim, audience))
    }

    fn what_is_retained_is_right(&self) -> Result<(), Broken> {
        let live = |expires: Option<broker_core::Moment>| expires.is_none_or(|at| at > self.now);
        let expected: BTreeMap<&str, _> = self
            .model
            .retained
            .iter()
            .filter(|(_, kept)| live(kept.expires))
            .map(|(topic, kept)| (topic.as_str(), Some(kept.told.app)))
            .collect();
        let found: BTreeMap<&str, _> = inside(&self.core)
            .retained()
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
