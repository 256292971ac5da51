//! The home's rules: a door closes itself, motion lights the bulbs, and the order of events tells
//! whether someone came or went.
//!
//! They run inside apply, so they survive a failover and fire once; only the owner of a device
//! carries out what they order.

use wire::{Kind, NodeId, State, Value};

use super::note::Note;
use super::outcome::Outcome;
use super::state::House;
use crate::command::{Entry, Said, TimerName};

impl House {
    /// What this report tells of the people in the home.
    pub(super) fn presence_note(&mut self, node: NodeId, said: &Said) -> Option<Note> {
        let kind = self.devices.get(&node)?.kind;
        match (kind, kind.is_on(&said.state)) {
            (Kind::Door, true) => self.presence.door(said.presence == Some(true)),
            (Kind::Motion, true) => self.presence.motion(),
            (Kind::Motion, false) => {
                self.presence.quiet = true;
                None
            }
            _ => None,
        }
    }

    /// What this report sets in motion.
    pub(super) fn react(&mut self, entry: &Entry, node: NodeId, state: &State, out: &mut Outcome) {
        let kind = self.kind(node);
        match (kind, kind.is_on(state)) {
            (Kind::Door, true) => match self.agreed.door_closes_after {
                Some(0) => self.close_door(entry, node, out),
                after => self.set_timer(TimerName::CloseDoor(node), after, out),
            },
            (Kind::Door, false) => self.set_timer(TimerName::CloseDoor(node), None, out),
            (Kind::Motion, true) => self.light_bulbs(entry, out),
            _ => {}
        }
    }

    pub(super) fn close_door(&mut self, entry: &Entry, node: NodeId, out: &mut Outcome) {
        out.notes.push(Note::ClosingDoor);
        self.order(entry, node, &Value::OFF.state(), Some(&Note::ClosingDoor), out);
    }

    fn light_bulbs(&mut self, entry: &Entry, out: &mut Outcome) {
        let bulbs = self.devices.iter().filter(|(_, row)| row.kind == Kind::Bulb);
        let bulbs: Vec<NodeId> = bulbs.map(|(node, _)| *node).collect();
        if !bulbs.is_empty() {
            out.notes.push(Note::TurningOnLights);
        }
        for bulb in bulbs {
            self.order(entry, bulb, &Value::ON.state(), Some(&Note::TurningOnLights), out);
        }
    }
}
