//! What must be so some time after the last fault.

use gateway_core::event::Session;
use wire::{GatewayId, NodeId};

use super::claims;
use super::letters::Told;
use super::world::{MS, World};
use crate::verdict::{broken, claim};

/// How often it is looked whether something has happened.
const LOOK: u64 = 10 * MS;
/// Until everything is as it should be, in true time.
const RECOVERED_WITHIN: u64 = 15_000 * MS;

impl World {
    /// `zone/device` of a node.
    pub(crate) fn place_of(&self, id: GatewayId, node: NodeId) -> String {
        // The gateway that writes a row has applied it.
        let core = self.processes[&id].core.as_ref();
        let device = core.and_then(|core| core.house().devices().get(&node));
        device.map(|row| format!("{}/{}", row.zone, row.name)).unwrap_or_default()
    }

    pub(crate) fn the_home_recovers(&mut self) {
        let since = self.now;
        self.within("everyone is back", since, Self::everyone_has_joined);
        let took = self.now - since;
        self.summary.longest_commit = self.summary.longest_commit.max(took);
        self.report("e/sensor");
        self.report("a/sensor");
        self.within("everything is acknowledged", since, Self::everything_is_told);
        self.within("every zone is served", since, Self::is_served);
        self.run(300 * MS);
        self.within("timers that are due have fired", since, Self::no_timer_is_late);
        self.within("all replicas are equal", since, Self::are_equal);
        self.a_reader_comes();
        self.within("retained states are the agreed ones", since, Self::states_are_right);
        self.every_device_is_answered_for();
        self.durations_are_exact();
        let took = self.now - since;
        self.summary.longest_recovery = self.summary.longest_recovery.max(took);
        self.nothing_acknowledged_is_lost();
        self.only_reports_make_zones();
        claims::histories_are_linearizable(self);
    }

    pub(crate) fn within(&mut self, what: &'static str, since: u64, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            if self.now - since > RECOVERED_WITHIN {
                let state = self.state_in_words();
                broken("a calm home recovers", format!("not yet: {what}; {state}"));
            }
            self.run(LOOK);
        }
    }

    fn state_in_words(&self) -> String {
        let gateways = self.processes.values().map(|process| {
            let applied = process.core.as_ref().map(|core| core.applied().0);
            let leads = process.core.as_ref().is_some_and(gateway_core::Gateway::is_leading);
            format!("{}: applied {applied:?}, leads {leads}", process.id())
        });
        let untold = self.clients.iter().filter(|client| !client.sent.is_empty());
        let untold = untold.map(|client| {
            let conn = client.conn.and_then(|conn| self.conns.get(&conn));
            format!("{} waits for {:?} on {conn:?}", client.persona.name, client.sent)
        });
        gateways.chain(untold).collect::<Vec<_>>().join("; ")
    }

    fn furthest(&self) -> Option<&gateway_core::Gateway> {
        let cores = self.processes.values().filter_map(|process| process.core.as_ref());
        cores.max_by_key(|core| core.applied())
    }

    fn everyone_has_joined(&self) -> bool {
        let Some(furthest) = self.furthest() else { return false };
        self.processes.values().all(|process| {
            let member = furthest.house().gateways().get(&process.id());
            let incarnation = process.settings.incarnation;
            member.is_some_and(|member| member.alive && member.incarnation == incarnation)
        })
    }

    fn everything_is_told(&self) -> bool {
        self.clients.iter().all(|client| {
            client.waiting.is_empty() && client.sent.iter().all(|sent| sent.letter.is_none())
        })
    }

    fn is_served(&self) -> bool {
        let Some(furthest) = self.furthest() else { return false };
        furthest.house().zones().iter().all(|(zone, row)| {
            let process = &self.processes[&row.owner];
            process.serves(&Session::Zone(zone.clone()))
                && process.serves(&Session::Query(zone.clone()))
        })
    }

    fn no_timer_is_late(&self) -> bool {
        self.furthest().is_some_and(|core| core.house().timers().is_empty())
    }

    fn are_equal(&self) -> bool {
        let top = self.watch.agreement.top;
        self.processes.values().all(|p| p.core.is_some() && p.disk.applied == top)
    }

    /// Someone who has read nothing yet reads all states.
    fn a_reader_comes(&mut self) {
        self.last_states.clear();
        let reader = self.client_named("eve").expect("a reader");
        self.restart_client(reader);
    }

    /// A reader who comes now is told the agreed states.
    fn states_are_right(&self) -> bool {
        let Some(process) = self.processes.values().find(|process| process.core.is_some()) else {
            return false;
        };
        let devices = process.core.as_ref().map(|core| core.house().devices());
        devices.into_iter().flatten().all(|(node, device)| {
            let topic = format!("home/{}/{}/state", device.zone, device.name);
            let told = self.last_states.get(&topic);
            told.copied() == process.disk.tables.status.get(node).map(|row| row.seq.0)
        })
    }

    fn every_device_is_answered_for(&mut self) {
        let places: Vec<String> = self.watch.registered.keys().cloned().collect();
        let mut open = places;
        for _ in 0..8 {
            let first = self.letters.asked.len();
            open.iter().for_each(|place| self.get(place));
            self.run(200 * MS);
            let answered = |place: &String| {
                self.letters.asked.values().any(|asked| {
                    asked.place == *place
                        && asked.number >= first
                        && asked.answers.iter().any(|answer| answer.failure().is_none())
                })
            };
            open.retain(|place| !answered(place));
            if open.is_empty() {
                return;
            }
        }
        broken("every query is answered in a calm home", open.join(", "));
    }

    fn only_reports_make_zones(&self) {
        let zones = self.furthest().map(|core| core.house().zones());
        let made = zones.into_iter().flatten().find(|(zone, _)| zone.as_str() == "attic");
        claim!(made.is_none(), "only a report or a registration makes a zone", "{made:?}");
    }

    fn nothing_acknowledged_is_lost(&self) {
        for letter in &self.letters.all {
            let (Some(value), Told::Taken) = (letter.value, letter.told) else { continue };
            let known = self.watch.seqs.contains_key(&(letter.order, value));
            let refused = letter.order && !letter.device_known;
            claim!(known || refused, "nothing acknowledged is lost", "{letter:?}");
        }
    }
}
