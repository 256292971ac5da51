//! The words in which a gateway tells what it does.

use std::collections::{BTreeMap, BTreeSet};

use paxos::{Input, Message, ReplicaId, Slot, Value};
use wire::{Class, NodeId};

use crate::command::{Entry, Op};
use crate::event::Effect;
use crate::gateway::Gateway;
use crate::house::StatusRow;
use crate::step::Step;

/// The rounds of Paxos that are told of.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    slots: BTreeMap<Slot, Round>,
}

#[derive(Debug)]
struct Round {
    about: String,
    accepted: BTreeSet<ReplicaId>,
}

/// Slots remembered to tell of their rounds: far more than are in flight at once.
const ROUNDS: usize = 64;

impl Gateway {
    /// Tells what an operator must know.
    pub(crate) fn tell(&self, out: &mut Step, words: String) {
        out.effects.push(Effect::Say(words));
    }

    /// Tells a detail, if anyone wants to hear details.
    pub(crate) fn say(&self, out: &mut Step, words: impl FnOnce() -> String) {
        if self.settings.story {
            out.effects.push(Effect::Say(words()));
        }
    }

    /// The seed's line for what goes to the database.
    pub(crate) fn say_stored(&self, row: &StatusRow, out: &mut Step) {
        self.say(out, || {
            let name = self.house.devices().get(&row.node).map_or("?", |row| row.name.as_str());
            let state = row.state.as_ref().map_or("unknown".to_owned(), ToString::to_string);
            format!(
                "Sending to the backend : node ID is {} , Sensor/Device name is {name} , \
                 current state is {state}",
                row.node
            )
        });
    }

    /// The registration tables of this gateway.
    pub(crate) fn say_tables(&self, out: &mut Step) {
        self.say(out, || {
            let me = self.settings.id;
            let devices: Vec<_> = self.house.devices_at(me).collect();
            let types: Vec<(&str, Class)> =
                devices.iter().map(|(_, row)| (row.name.as_str(), row.kind.class())).collect();
            let ids: Vec<(&str, NodeId)> =
                devices.iter().map(|(node, row)| (row.name.as_str(), *node)).collect();
            format!("Gateway {me} serves {} and {}", table(&types, true), table(&ids, false))
        });
    }

    /// Remembers what a slot is to hold.
    pub(crate) fn watch_round(&mut self, message: &Message) {
        if !self.settings.rounds {
            return;
        }
        let Message::Accept { slot, value, .. } = message else { return };
        let Some(about) = self.about(value) else { return };
        if self.rounds.slots.len() >= ROUNDS {
            self.rounds.slots.pop_first();
        }
        self.rounds.slots.entry(*slot).or_insert(Round { about, accepted: BTreeSet::new() });
    }

    pub(crate) fn round_started(&self, slot: Slot, out: &mut Step) {
        if let Some(round) = self.rounds.slots.get(&slot) {
            self.tell(out, format!("Write request received {}", round.about));
            self.tell(out, "Starting consensus agreement".to_owned());
            self.tell(out, format!("Starting round {}", slot.0));
        }
    }

    /// A replica accepted, also one whose acceptance comes after a majority's.
    pub(crate) fn watch_acceptance(&mut self, input: &Input, out: &mut Step) {
        let Input::Message { from: by, message: Message::Accepted { ballot, from, to, .. } } =
            input
        else {
            return;
        };
        if ballot.replica != self.paxos.id() || from > to {
            return;
        }
        let slots: Vec<_> = self.rounds.slots.range(*from..=*to).map(|(slot, _)| *slot).collect();
        slots.into_iter().for_each(|slot| self.slot_accepted(slot, *by, out));
    }

    fn slot_accepted(&mut self, slot: Slot, by: ReplicaId, out: &mut Step) {
        let voters = self.paxos.voters().len();
        let Some(round) = self.rounds.slots.get_mut(&slot) else { return };
        if !round.accepted.insert(by) {
            return;
        }
        let (about, all) = (round.about.clone(), round.accepted.len() == voters);
        let (slot, by) = (slot.0, by.number());
        self.tell(
            out,
            format!("Accepted write request: {slot} Consensus on node:state : {about} my id: {by}"),
        );
        if all {
            self.tell(out, format!("All gateways agreed on consensus (node ID: state) {about}"));
        }
    }

    pub(crate) fn round_failed(&mut self, slot: Slot, out: &mut Step) {
        if self.rounds.slots.remove(&slot).is_some() {
            let slot = slot.0;
            self.tell(out, format!("Round {slot} failed !! Starting another round"));
        }
    }

    /// `2:54 - tempSensor` for the device changes of a value; none for housekeeping.
    fn about(&self, value: &Value) -> Option<String> {
        let entries = value.requests().iter().filter_map(|r| Entry::decode(&r.payload).ok());
        let changes: Vec<String> = entries.filter_map(|entry| self.change(&entry.op)).collect();
        (!changes.is_empty()).then(|| changes.join(", "))
    }

    fn change(&self, op: &Op) -> Option<String> {
        let (zone, device, state) = match op {
            Op::Report { zone, device, report, .. } => (zone, device, &report.state),
            Op::Set { zone, device, state, .. } => (zone, device, state),
            _ => return None,
        };
        let node = self.house.node(zone, device).map_or("new".to_owned(), |node| node.to_string());
        Some(format!("{node}:{state} - {device}"))
    }
}

/// A table in the seed's form: `{'doorSensor': 4, 'tempSensor': 2}`.
pub(crate) fn table<V: core::fmt::Display>(rows: &[(&str, V)], quoted: bool) -> String {
    let quote = if quoted { "'" } else { "" };
    let rows: Vec<String> =
        rows.iter().map(|(name, value)| format!("'{name}': {quote}{value}{quote}")).collect();
    format!("{{{}}}", rows.join(", "))
}
