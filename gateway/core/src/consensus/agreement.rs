//! The agreement: feeds Paxos, and applies what it chose.

use std::collections::VecDeque;
use std::sync::Arc;

use paxos::{Chosen, Event, Moment, Request, SessionId, Voters};
use wire::{ApiVerb, Epoch, GatewayId, Zone};

use crate::after_commit::settle::Unsettled;
use crate::command::{Entry, Op};
use crate::event::{Delivery, Effect, Read};
use crate::gateway::{Gateway, gateway};
use crate::house::Change;
use crate::peer::PeerMessage;
use crate::step::Step;

/// For what Paxos was asked whether this gateway leads still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// A life of a gateway wants a lease.
    Lease { to: (GatewayId, u64), sent: u64 },
    /// An owner asks whether it still is one.
    Epoch { to: GatewayId, zone: Zone, epoch: Epoch, question: u64 },
    /// This gateway wants to open the site session.
    Site,
    /// Someone asks the API, and must not be answered by a leader that was deposed.
    Api(Box<Delivery>, ApiVerb),
}

impl Gateway {
    /// Gives Paxos an input and carries out what follows.
    pub(crate) fn agree(&mut self, input: paxos::Input, out: &mut Step) {
        let me = self.paxos.id();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.watch_acceptance(&input, out);
            let mut step = self.paxos.step(self.now.moment, input);
            for paxos::Outgoing { to, message } in step.take_immediate() {
                if to == me {
                    inputs.push_back(paxos::Input::Message { from: me, message });
                } else {
                    self.watch_round(&message);
                    self.send(gateway(to), PeerMessage::Paxos(message), out);
                }
            }
            for event in step.events() {
                self.tell_event(event, out);
            }
            for chosen in step.take_chosen() {
                self.apply(&chosen, out);
            }
            let confirmed = step.confirmed().to_vec();
            for fetch in step.fetch() {
                if self.fetching_for.insert(gateway(fetch.to)) {
                    out.reads.push(Read::Log(*fetch));
                }
            }
            out.paxos.absorb(step);
            self.lease_after_a_move(out);
            for (ticket, holds) in confirmed {
                self.confirmed(ticket, holds, out);
            }
        }
    }

    /// Proposes an entry of no zone; it may be proposed again until its effect shows.
    pub(crate) fn propose(&mut self, op: Op, out: &mut Step) {
        if !self.may_propose(&op) {
            return;
        }
        self.own_number += 1;
        let (session, number) = (self.own_session(), self.own_number);
        self.note_move(number, &op);
        let payload = self.entry(op);
        self.agree(paxos::Input::Propose(vec![Request { session, number, payload }]), out);
    }

    /// The bytes of an entry proposed now.
    pub(crate) fn entry(&mut self, op: Op) -> Arc<[u8]> {
        let clock = self.clock.tick();
        let entry = Entry { time: self.now.time, clock, by: self.settings.id, op };
        Arc::from(entry.encode())
    }

    /// Asks Paxos whether this gateway leads still; the answer comes to [`Self::confirmed`].
    pub(crate) fn confirm(&mut self, ticket: Ticket, out: &mut Step) {
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, ticket);
        self.agree(paxos::Input::Confirm(self.next_ticket), out);
    }

    fn confirmed(&mut self, number: u64, leads: bool, out: &mut Step) {
        if let Some(ticket) = self.tickets.remove(&number) {
            self.take_ticket(ticket, leads, out);
        }
    }

    pub(crate) fn take_ticket(&mut self, ticket: Ticket, leads: bool, out: &mut Step) {
        match ticket {
            Ticket::Lease { to, sent } if leads => self.grant(to, sent, out),
            Ticket::Epoch { to, zone, epoch, question } if leads => {
                let row = self.house.zones().get(&zone);
                let holds = row.is_some_and(|row| row.epoch == epoch && row.owner == to);
                self.send(to, PeerMessage::EpochAnswer { zone, epoch, question, holds }, out);
            }
            Ticket::Site => self.site_confirmed(leads, out),
            Ticket::Api(delivery, verb) => self.api_confirmed(&delivery, verb, leads, out),
            // Whoever asked asks again, and then perhaps another leader.
            Ticket::Lease { .. } | Ticket::Epoch { .. } => {}
        }
    }

    fn apply(&mut self, chosen: &Chosen, out: &mut Step) {
        assert_eq!(chosen.slot.0, self.applied.0 + 1, "entries are applied in the order of slots");
        self.applied = chosen.slot;
        out.applied = Some(chosen.slot);
        let mut house = None;
        let over = chosen.value.requests().iter();
        self.forget_moves(over.map(|request| (request.session, &request.number)));
        for request in chosen.value.requests() {
            let entry = match self.read_entry(&request.payload) {
                Ok(entry) => entry,
                Err(error) => {
                    let slot = chosen.slot.0;
                    let why = format!("slot {slot} of the log cannot be applied: {error}");
                    return out.effects.push(Effect::Stop(why));
                }
            };
            self.clock = self.clock.max(entry.clock);
            let mut outcome = self.house.apply(&entry);
            if entry.op == Op::Lead {
                self.note_leadership(request);
            }
            if let Some(why) = self.left_behind() {
                return out.effects.push(Effect::Stop(why));
            }
            #[cfg(feature = "mutants")]
            self.tell_too_early(&entry, &outcome, out);
            // Only the last of the slot's rows of counters has to be written.
            house = outcome.changes.pop_if(|change| matches!(change, Change::House(..))).or(house);
            out.changes.append(&mut outcome.changes);
            self.unsettled.push_back(Unsettled { slot: chosen.slot, entry: Some(entry), outcome });
        }
        if let Some(voters) = chosen.value.voters() {
            let mut outcome = self.house.elect(voters);
            out.changes.append(&mut outcome.changes);
            self.unsettled.push_back(Unsettled { slot: chosen.slot, entry: None, outcome });
        }
        self.digests.note(chosen.slot, self.house.counters().digest);
        out.changes.extend(house);
    }

    /// These vote: they are watched, and nobody else is.
    pub(crate) fn regroup(&mut self, voters: &Voters) {
        let voters = voters.iter().map(gateway).collect();
        self.peers.regroup(self.settings.id, &voters, self.now.moment);
    }

    /// The queue of the leader was full, or there is no leader: what was refused is due again.
    fn refused(&mut self, sessions: impl Iterator<Item = SessionId>) {
        for session in sessions {
            if let Some(zone) = self.zones.values_mut().find(|zone| zone.epoch.0 == session.0) {
                zone.gap = true;
            }
        }
    }

    fn tell_event(&mut self, event: &Event, out: &mut Step) {
        let me = self.settings.id;
        match event {
            Event::Leading { .. } => {
                self.leases.began_to_lead(self.now.moment, self.own_number);
                self.give_up_wish(out);
                self.lead_in_the_log(out);
                // Phase 1 told it what it had missed; a leader has nobody to catch up with, and is
                // not told when it has.
                self.caught_up = true;
                self.duties.lease = Moment(0);
                self.tell(out, format!("Gateway {me} leads."));
                self.contention_chores(out);
            }
            Event::Following { leader, .. } => {
                self.duties.lease = Moment(0);
                self.give_up_wish(out);
                self.tell(out, format!("Gateway {me} follows gateway {leader}."));
            }
            Event::CatchingUp { from, to } => {
                self.caught_up = false;
                let (from, to) = (from.0, to.0);
                self.tell(out, format!("Gateway {me} is catching up: slots {from} to {to}."));
            }
            Event::CaughtUp => {
                self.caught_up = true;
                self.tell(out, format!("Gateway {me} has caught up."));
            }
            Event::SnapshotNeeded { from, missing } => {
                self.snapshot_needed(gateway(*from), *missing, out);
            }
            Event::Founded(founders) => {
                self.regroup(founders);
                self.tell(out, format!("Gateways {founders} found the site."));
            }
            Event::Awaiting(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
                let numbers = numbers.join(", ");
                self.tell(
                    out,
                    format!(
                        "Gateway {me} waits for gateways {numbers}: a new site begins when all of \
                         its gateways are there."
                    ),
                );
            }
            Event::Voting { voters, .. } => self.voters_changed(voters, out),
            Event::VotersRefused { voters, why } => self.voters_refused(voters, *why, out),
            Event::Refused(requests) => {
                self.forget_moves(requests.iter().map(|id| (id.session, &id.number)));
                self.refused(requests.iter().map(|id| id.session));
            }
            Event::Contradicted { by, .. } => {
                let by = gateway(*by);
                self.tell(
                    out,
                    format!(
                        "Gateway {me} does not believe gateway {by}: {event}. Somebody else sends in its \
                         name, or one of the two files is damaged: compare them with `hearth dump history`."
                    ),
                );
            }
            Event::RoundStarted { slot, .. } => self.round_started(*slot, out),
            Event::RoundFailed { slot, .. } => self.round_failed(*slot, out),
            _ => {}
        }
    }
}
