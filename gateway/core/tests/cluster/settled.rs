//! What must be so some time after the last fault.

use gateway_core::event::Session;
use wire::GatewayId;

use crate::world::World;

impl World {
    /// Who leads: the holder of the site's session.
    pub(crate) fn leader(&self) -> Option<u8> {
        self.broker.holder(&Session::Site).map(|id| id.0)
    }

    /// Who serves a zone: its session's holder, if the holder's house says so too.
    pub(crate) fn server(&self, zone: &str) -> Option<u8> {
        let zone: wire::Zone = zone.parse().expect("a name");
        let holder = self.broker.holder(&Session::Zone(zone.clone()))?;
        let core = self.nodes[&holder].core.as_ref()?;
        core.house().zones().get(&zone).filter(|row| row.owner == holder)?;
        let up = self.nodes[&holder].sessions.get(&Session::Zone(zone)).is_some_and(|open| open.1);
        up.then_some(holder.0)
    }

    /// A home with one sensor in every zone, whose first report is agreed.
    pub(crate) fn furnish(&mut self, places: &[&str]) {
        self.until("someone leads", 3000, |world| world.leader().is_some());
        let all = self.nodes.len();
        self.until("everyone has joined", 1000, |world| world.joined().len() == all);
        for place in places {
            let stamp = self.report(place);
            self.until("a report is agreed", 2000, |world| world.is_acknowledged(stamp));
        }
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

    /// Everything is as it should be: checked some time after the last fault.
    pub(crate) fn assert_settled(&mut self) {
        let last = self.report("settled/last");
        self.until("a last report is agreed", 3000, |world| world.is_acknowledged(last));
        let all = self.nodes.len();
        self.until("everyone is back", 3000, |world| world.joined().len() == all);
        self.until("everything is acknowledged", 3000, |world| world.broker.unacknowledged() == 0);
        let zones = self.zones();
        self.until("every zone is served", 3000, |world| {
            zones.iter().all(|(zone, _)| world.server(zone).is_some())
        });
        self.run(1000);
        self.every_zone_is_at_its_home();
        self.all_replicas_are_equal();
        self.retained_states_are_the_stored_ones();
        self.every_device_is_answered_for();
    }

    fn zones(&self) -> Vec<(String, GatewayId)> {
        let core = self.nodes.values().find_map(|node| node.core.as_ref()).expect("someone lives");
        let zones = core.house().zones().iter();
        zones.map(|(zone, row)| (zone.to_string(), row.home)).collect()
    }

    fn every_zone_is_at_its_home(&self) {
        for (zone, home) in self.zones() {
            // A zone that was placed on a standby, when nobody else was there, has no such home.
            if self.nodes[&home].settings.serves {
                assert_eq!(self.server(&zone), Some(home.0), "zone {zone}");
            }
        }
    }

    pub(crate) fn all_replicas_are_equal(&self) {
        let stores: Vec<_> = self.nodes.values().map(|node| &node.store).collect();
        for store in &stores[1..] {
            assert_eq!(store.applied, stores[0].applied);
            assert_eq!(store.history, stores[0].history);
            assert_eq!(store.status, stores[0].status);
            assert_eq!(store.recover().0, stores[0].recover().0);
        }
    }

    fn retained_states_are_the_stored_ones(&self) {
        let node = self.nodes.values().next().expect("there are gateways");
        let core = node.core.as_ref().expect("everyone is back");
        for (id, device) in core.house().devices() {
            let topic = format!("home/{}/{}/state", device.zone, device.name);
            let state: serde_json::Value =
                serde_json::from_slice(&self.broker.states[&topic]).expect("a state is JSON");
            assert_eq!(state["seq"].as_u64(), Some(node.store.status[id].seq.0), "{topic}");
        }
    }

    fn every_device_is_answered_for(&mut self) {
        let places: Vec<String> = self.people.devices.keys().cloned().collect();
        let questions: Vec<_> = places.iter().map(|place| self.get(place)).collect();
        self.run(100);
        for (place, question) in places.iter().zip(questions) {
            let answer = self.answer(&question).unwrap_or_else(|| panic!("{place}: no answer"));
            let known = self.people.devices[place].acknowledged > 0;
            assert_eq!(answer.failure().is_none(), known, "{place}: {answer:?}");
        }
    }
}
