//! Apply: one entry in, one outcome out, the same on every replica.

use paxos::Voters;
use wire::{Device, GatewayId, Kind, Version, Zone};

use super::change::Change;
use super::devices::Target;
use super::digest;
use super::note::Note;
use super::outcome::{Outcome, Refusal, Verdict};
use super::rows::{Member, ZoneRow};
use super::seen::DATED_IDS;
use super::state::House;
use crate::command::{Entry, Leadership, Move, Op, Origin, TimerName};
use crate::id::Incarnation;
use crate::planted::house as planted;

impl House {
    /// Applies one entry of the log.
    ///
    /// It is a function of the house and the entry alone: no clock, no randomness, no settings of
    /// this replica, and maps that iterate in order.
    pub fn apply(&mut self, entry: &Entry) -> Outcome {
        let mut outcome = Outcome::default();
        // A proposer may count a little behind; elapsed time never goes back.
        self.counters.time = self.counters.time.max(entry.time);
        self.counters.time = planted::apply_reads_a_clock(self.counters.time);
        self.counters.clock = self.counters.clock.max(entry.clock);
        match &entry.op {
            Op::Join { gateway, incarnation, serves, caches } => {
                let member = Member::living(*incarnation, *serves, *caches);
                self.join(*gateway, member, true, &mut outcome);
            }
            Op::Arrive { gateway, incarnation, serves, caches } => {
                let member = Member::living(*incarnation, *serves, *caches);
                self.join(*gateway, member, false, &mut outcome);
            }
            Op::Move { leadership, why } => self.move_zones(*leadership, why, &mut outcome),
            Op::Lead => self.counters.leadership.0 += 1,
            Op::Clock { offset } => self.counters.offset = *offset,
            Op::Raise { version, voters } => self.raise(*version, voters, &mut outcome),
            Op::Dead { gateway, incarnation } => self.dead(*gateway, *incarnation, &mut outcome),
            Op::Settings(agreed) => self.agreed = *agreed,
            Op::Place { zone } => self.place(zone, &mut outcome),
            Op::Register { zone, device, kind, .. } => {
                self.place(zone, &mut outcome);
                self.enrol(zone, device, *kind, &mut outcome);
            }
            Op::Report { zone, device, report, origin } => {
                if self.admit(zone, origin, &mut outcome) {
                    self.report(entry, Target { zone, device }, report, origin, &mut outcome);
                }
            }
            Op::Set { zone, device, state, expires, origin } => {
                if self.admit(zone, origin, &mut outcome) {
                    self.set(entry, Target { zone, device }, state, *expires, origin, &mut outcome);
                }
            }
            Op::Make { zone, maker } => drop(self.make(zone, maker, &mut outcome)),
            Op::Enrol { zone, device, kind, maker, .. } => {
                if self.make(zone, maker, &mut outcome) {
                    self.enrol(zone, device, *kind, &mut outcome);
                }
            }
            Op::Remove { zone, epoch, next } => self.remove(zone, *epoch, *next, &mut outcome),
            Op::Fire { timer, generation } => self.fire(entry, *timer, *generation, &mut outcome),
        }
        self.close(outcome)
    }

    /// Registers a device of a zone that there is, if somebody could own it.
    fn enrol(&mut self, zone: &Zone, device: &Device, kind: Kind, outcome: &mut Outcome) {
        let known = self.node(zone, device);
        outcome.verdict = match known.or_else(|| self.register(zone, device, kind, outcome)) {
            Some(node) => Verdict::done(node, known.is_some()),
            None => Verdict::Refused(Refusal::Unknown, NOBODY.into()),
        };
    }

    /// The last of an entry's changes tells of all of them.
    fn close(&mut self, mut outcome: Outcome) -> Outcome {
        self.counters.digest = digest::after(self.counters.digest, &outcome.changes);
        outcome.changes.push(Change::House(self.counters, self.agreed, self.presence));
        outcome
    }

    /// From the next slot on, these vote. A gateway that loses its vote serves no zone any more; where moves
    /// wait for leases, not after its own.
    pub fn elect(&mut self, voters: &Voters) -> Outcome {
        let mut outcome = Outcome::default();
        self.voters = voters.clone();
        outcome.changes.push(Change::Voters(voters.clone()));
        let alive = self.gateways.iter().filter(|(_, member)| member.alive);
        let at_once = self.counters.leadership == Leadership(0);
        let gone = alive.filter(|(id, _)| at_once && voters.numbered(id.0).is_none());
        let gone: Vec<_> = gone.map(|(id, member)| (*id, member.incarnation)).collect();
        for (gateway, incarnation) in gone {
            self.dead(gateway, incarnation, &mut outcome);
        }
        self.close(outcome)
    }

    /// Somebody who votes only since may not understand the version.
    fn raise(&mut self, version: Version, voters: &Voters, outcome: &mut Outcome) {
        if !planted::raised_for_other_voters(*voters == self.voters) {
            return;
        }
        let before = self.counters.version;
        self.counters.version = before.max(version);
        if before < DATED_IDS && version >= DATED_IDS {
            let now = self.counters.time;
            for (old, new, receipt) in self.seen.date_ids(now) {
                outcome.changes.push(Change::Forgot(old));
                outcome.changes.push(Change::Saw(new, now.0, receipt));
            }
        }
    }

    /// The fence: only the current epoch's next proposal is applied.
    fn admit(&mut self, zone: &Zone, origin: &Origin, outcome: &mut Outcome) -> bool {
        let is_next = |row: &ZoneRow| {
            planted::old_epoch_applied(row.epoch == origin.epoch)
                && planted::any_number_applied(row.next == origin.number)
        };
        match self.zones.get_mut(zone) {
            Some(row) if is_next(row) => {
                row.next += 1;
                outcome.changes.push(Change::Zone(zone.clone(), *row));
                true
            }
            _ => {
                outcome.verdict = Verdict::Fenced;
                false
            }
        }
    }

    fn fire(&mut self, entry: &Entry, name: TimerName, generation: u64, outcome: &mut Outcome) {
        let set = self.timers.get(&name).is_some_and(|timer| timer.generation == generation);
        if !planted::fired_twice(set) {
            return;
        }
        self.set_timer(name, None, outcome);
        match name {
            TimerName::CloseDoor(node) => self.close_door(entry, node, outcome),
            TimerName::DropOrder(node) => self.drop_order(node, outcome),
        }
    }

    /// A leader that came later may have granted leases that nobody waited for.
    fn move_zones(&mut self, leadership: Leadership, why: &Move, outcome: &mut Outcome) {
        if !planted::old_move_applied(leadership == self.counters.leadership) {
            return;
        }
        match why {
            Move::Dead { gateway, incarnation } => self.dead(*gateway, *incarnation, outcome),
            Move::Return { zone, epoch } => self.bring_home(zone, *epoch, outcome),
        }
    }

    fn dead(&mut self, gateway: GatewayId, incarnation: Incarnation, outcome: &mut Outcome) {
        let Some(member) = self.gateways.get_mut(&gateway) else { return };
        if !member.alive || member.incarnation != incarnation {
            return;
        }
        member.alive = false;
        outcome.changes.push(Change::Gateway(gateway, *member));
        let devices =
            self.devices_at(gateway).map(|(node, row)| (row.name.clone(), node)).collect();
        outcome.notes.push(Note::Died(gateway, devices));
        self.evacuate(gateway, outcome);
    }
}

const NOBODY: &str = "no gateway has joined that could own the zone";

impl Verdict {
    fn done(node: wire::NodeId, again: bool) -> Self {
        Self::Done { node, seq: wire::Seq(0), order: None, again }
    }
}
