//! The rounds of Paxos, told one by one to whoever wants to watch them.

use std::collections::{BTreeMap, BTreeSet};

use paxos::{Event, Input, Message, ReplicaId, Slot, Value};
use wire::Kind;

use crate::command::{Entry, Op};
use crate::context::Context;
use crate::story::value_or_text;
use crate::want::Wants;

/// The rounds that are told of.
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

impl Rounds {
    /// Remembers what a slot is to hold.
    pub(crate) fn proposed(&mut self, ctx: &Context, message: &Message) {
        if !ctx.settings.rounds {
            return;
        }
        let Message::Accept { slot, value, .. } = message else { return };
        let Some(about) = about(ctx, value) else { return };
        if self.slots.len() >= ROUNDS {
            self.slots.pop_first();
        }
        self.slots.entry(*slot).or_insert(Round { about, accepted: BTreeSet::new() });
    }

    /// A replica accepted what `me` proposed to `voters`, also one whose acceptance comes after a majority's.
    pub(crate) fn accepted(
        &mut self,
        me: ReplicaId,
        voters: usize,
        input: Option<&Input>,
        out: &mut Wants,
    ) {
        let Some(Input::Message { from: by, message: Message::Accepted { ballot, from, to, .. } }) =
            input
        else {
            return;
        };
        if ballot.replica != me || from > to {
            return;
        }
        for (slot, round) in self.slots.range_mut(*from..=*to) {
            round.accepted_by(*slot, *by, voters, out);
        }
    }

    /// Tells of a round's beginning and end.
    pub(crate) fn happened(&mut self, event: &Event, out: &mut Wants) {
        match event {
            Event::RoundStarted { slot, .. } => {
                if let Some(round) = self.slots.get(slot) {
                    out.tell(format!("Write request received {}", round.about));
                    out.tell("Starting consensus agreement".to_owned());
                    out.tell(format!("Starting round {}", slot.0));
                }
            }
            Event::RoundFailed { slot, .. } if self.slots.remove(slot).is_some() => {
                let slot = slot.0;
                out.tell(format!("Round {slot} failed !! Starting another round"));
            }
            _ => {}
        }
    }
}

impl Round {
    fn accepted_by(&mut self, slot: Slot, by: ReplicaId, voters: usize, out: &mut Wants) {
        if !self.accepted.insert(by) {
            return;
        }
        let (slot, by, about) = (slot.0, by.number(), &self.about);
        out.tell(format!(
            "Accepted write request: {slot} Consensus on node:state : {about} my id: {by}"
        ));
        if self.accepted.len() == voters {
            out.tell(format!("All gateways agreed on consensus (node ID: state) {about}"));
        }
    }
}

/// `2:54 - tempSensor` for the device changes of a value; none for housekeeping.
fn about(ctx: &Context, value: &Value) -> Option<String> {
    let entries = value.requests().iter().filter_map(|r| Entry::decode(&r.payload).ok());
    let changes: Vec<String> = entries.filter_map(|entry| change(ctx, &entry.op)).collect();
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn change(ctx: &Context, op: &Op) -> Option<String> {
    let (zone, device, state) = match op {
        Op::Report { zone, device, report, .. } => (zone, device, &report.state),
        Op::Set { zone, device, state, .. } => (zone, device, state),
        _ => return None,
    };
    let node = ctx.house.node(zone, device);
    let kind = node.map_or(Kind::default(), |node| ctx.house.kind(node));
    let node = node.map_or("new".to_owned(), |node| node.to_string());
    Some(format!("{node}:{} - {device}", value_or_text(kind, state)))
}
