//! What must be so some time after the last fault.

use gateway_core::event::Session;
use serde_json::json;
use wire::{GatewayId, Zone};

use super::world::{MS, World};
use crate::verdict::{broken, claim};

/// How often it is looked whether something has happened, in milliseconds.
const LOOK: u64 = 5;

/// Until everything is as it should be, in milliseconds of true time.
const RECOVERED_WITHIN: u64 = 10_000;

impl World {
    /// Who leads: the holder of the site's session.
    pub(crate) fn leader(&self) -> Option<u8> {
        self.broker.holder(&Session::Site).map(|id| id.0)
    }

    /// Who serves a zone: its session's holder, if the holder's house says so too.
    pub(crate) fn server_of(&self, zone: &Zone) -> Option<u8> {
        let session = Session::Zone(zone.clone());
        let holder = self.broker.holder(&session)?;
        let node = &self.nodes[&holder];
        let core = node.core.as_ref()?;
        core.house().zones().get(zone).filter(|row| row.owner == holder)?;
        node.is_up(&session).then_some(holder.0)
    }

    /// Gateways that are alive in the house of the one that is furthest.
    pub(crate) fn joined(&self) -> Vec<GatewayId> {
        let cores = self.nodes.values().filter_map(|node| node.core.as_ref());
        let Some(furthest) = cores.max_by_key(|core| core.applied()) else { return vec![] };
        let members = furthest.house().gateways().iter();
        let living = members.filter(|(id, member)| {
            member.alive && member.incarnation == self.nodes[id].settings.incarnation
        });
        living.map(|(id, _)| *id).collect()
    }

    /// Silence repairs everything, and so does load.
    pub(crate) fn the_home_recovers(&mut self) {
        let since = self.now;
        if self.dice.chance(50) {
            self.within("everyone is back without any work", since, |world| {
                world.joined().len() == world.nodes.len()
            });
            self.within("replicas are equal without any work", since, Self::are_equal);
        }
        let began = self.now;
        self.everyone_comes_online();
        if self.plan.foreign {
            self.within("a registered zone is served", since, |world| {
                world.server_of(&"settled".parse().expect("a name")).is_some()
            });
        }
        let last = self.report("settled/last");
        self.within("a report is agreed", since, |world| world.is_acknowledged(last));
        let took = self.now - began;
        self.summary.longest_commit = self.summary.longest_commit.max(took);
        let order = self.set("settled/last", json!({"id": "last"}));
        self.within("an order is agreed", since, |world| world.answer(&order).is_some());
        self.settle(since);
        let took = self.now - since;
        self.summary.longest_recovery = self.summary.longest_recovery.max(took);
        super::claims::histories_are_linearizable(self);
    }

    /// Everything is as it should be: checked some time after the last fault.
    #[cfg(test)]
    pub(crate) fn assert_settled(&mut self) {
        let since = self.now;
        let last = self.report("settled/last");
        self.within("a last report is agreed", since, |world| world.is_acknowledged(last));
        self.settle(since);
    }

    fn settle(&mut self, since: u64) {
        self.within("everyone is back", since, |world| world.joined().len() == world.nodes.len());
        self.within("everything is acknowledged", since, |world| {
            world.broker.unacknowledged() == 0
        });
        self.within("every zone is served at home", since, Self::is_served_at_home);
        self.within("devices have their orders", since, Self::devices_have_their_orders);
        self.within("the site has the version that everybody speaks", since, Self::is_raised);
        // What was agreed last is told soon after.
        self.run(100);
        self.within("all replicas are equal", since, Self::are_equal);
        self.within("retained states are the stored ones", since, |world| {
            world.retained_states_are_the_stored_ones()
        });
        self.within("all replicas are equal again", since, Self::are_equal);
        self.nothing_waits();
        self.only_reports_make_zones();
        self.memory_is_what_the_tables_hold();
        self.every_device_is_answered_for();
    }

    fn within(&mut self, what: &'static str, since: u64, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            claim!(
                self.now - since <= RECOVERED_WITHIN * MS,
                "a calm home recovers within ten seconds",
                "not yet: {what}"
            );
            self.run(LOOK);
        }
    }

    fn is_served_at_home(&self) -> bool {
        let cores = self.nodes.values().filter_map(|node| node.core.as_ref());
        let Some(furthest) = cores.max_by_key(|core| core.applied()) else { return false };
        furthest.house().zones().iter().all(|(zone, row)| {
            let server = self.server_of(zone);
            // A zone that was placed on a standby, when nobody else was there, has no such home.
            server.is_some()
                && (server == Some(row.home.0) || !self.nodes[&row.home].settings.serves)
        })
    }

    fn are_equal(&self) -> bool {
        let top = self.watch.agreement.top;
        self.nodes.values().all(|node| node.core.is_some() && node.disk.applied == top)
    }

    fn nothing_waits(&self) {
        for (id, node) in &self.nodes {
            let waiting = node.core.as_ref().map_or(0, |core| core.waiting() + core.unwritten());
            claim!(waiting < 200, "a calm gateway waits for little", "{waiting} at gateway {id}");
        }
        let seq = self.watch.agreement.history.len() as u64;
        for (id, node) in &self.nodes {
            let own = node.disk.tables.seq.0;
            claim!(own == seq, "nothing agreed is lost", "gateway {id} has {own} of {seq} changes");
        }
    }

    fn only_reports_make_zones(&self) {
        let zones = self.nodes.values().filter_map(|node| node.core.as_ref());
        let made =
            zones.flat_map(|core| core.house().zones()).find(|(zone, _)| zone.as_str() == "attic");
        claim!(made.is_none(), "only a report or a registration makes a zone", "{made:?}");
    }

    fn memory_is_what_the_tables_hold(&self) {
        for (id, node) in &self.nodes {
            let Some(core) = node.core.as_ref().filter(|core| core.applied() == node.disk.applied)
            else {
                continue;
            };
            claim!(
                *core.house() == node.disk.tables.restore(),
                "memory is what the tables hold",
                "gateway {id} at slot {}",
                node.disk.applied
            );
        }
    }

    fn retained_states_are_the_stored_ones(&self) -> bool {
        let Some(node) = self.nodes.values().find(|node| node.core.is_some()) else { return false };
        let devices = node.core.as_ref().map(|core| core.house().devices());
        devices.into_iter().flatten().all(|(id, device)| {
            let topic = format!("home/{}/{}/state", device.zone, device.name);
            let state = self.broker.states.get(&topic);
            let seq = state.and_then(|state| {
                serde_json::from_slice::<serde_json::Value>(state).ok()?["seq"].as_u64()
            });
            let stored = node.disk.tables.status.get(id).map(|row| row.seq.0);
            seq.is_some() && seq == stored
        })
    }

    fn devices_have_their_orders(&self) -> bool {
        let Some(core) = self.nodes.values().find_map(|node| node.core.as_ref()) else {
            return false;
        };
        core.house().orders().iter().all(|(node, order)| {
            let device = &core.house().devices()[node];
            let place = format!("{}/{}", device.zone, device.name);
            let told = self.people.devices.get(&place).filter(|device| device.online);
            told.is_none_or(|device| device.commands.contains(&order.number.0))
        })
    }

    /// A query at QoS 0 may be lost while its zone changes hands: then people ask again.
    fn every_device_is_answered_for(&mut self) {
        let mut unanswered: Vec<String> = self.people.devices.keys().cloned().collect();
        for _ in 0..5 {
            let questions: Vec<_> = unanswered.iter().map(|place| self.get(place)).collect();
            self.run(150);
            let asked = core::mem::take(&mut unanswered).into_iter().zip(questions);
            let missing = asked.filter(|(place, question)| !self.is_answered_well(place, question));
            unanswered = missing.map(|(place, _)| place).collect();
            if unanswered.is_empty() {
                return;
            }
            self.run(400);
        }
        broken("every query is answered in a calm home", unanswered.join(", "));
    }

    /// With the state of a device that is registered, else with a refusal.
    fn is_answered_well(&self, place: &str, question: &str) -> bool {
        let (zone, device) = place.split_once('/').expect("a place is zone/device");
        let (zone, device) = (zone.parse().expect("a name"), device.parse().expect("a name"));
        let core = self.nodes.values().find_map(|node| node.core.as_ref());
        let known = core.is_some_and(|core| core.house().node(&zone, &device).is_some());
        self.answer(question).is_some_and(|answer| answer.failure().is_none() == known)
    }
}
