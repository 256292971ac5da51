//! What a gateway does around a replica: give it inputs, send, write, send what waited for the write, apply.

use paxos::{Chosen, Input, Message, Moment, Outgoing, Record, Replica, Slot, Step};

use super::disk::Frame;
use super::plan::Survives;
use super::planted::{self, Mutant};
use super::world::{Due, World};
use crate::verdict::claim;

/// A write on its way to the disk: transactions, and what was chosen in each.
#[derive(Debug)]
pub(crate) struct Write {
    number: u64,
    steps: Vec<(Step, Vec<Chosen>)>,
    fate: Fate,
}

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    /// The process dies before the sync; some calls were made.
    DiesBefore,
    /// The process dies between the sync and the first message.
    DiesAfter,
    /// A call fails.
    CallFails,
    /// The sync fails.
    SyncFails,
}

impl World {
    pub(crate) fn start(&mut self, node: usize) {
        let full = self.nodes[node].full_until.saturating_sub(self.now);
        if full > 0 {
            // A gateway writes before it starts, and cannot.
            return self.after(full, Due::Restart { node });
        }
        if self.nodes[node].replica.is_some() {
            return;
        }
        let config = self.plan.config_of(self.nodes[node].id, &mut self.dice);
        let below = self.dice.between(0, 20);
        let it = &mut self.nodes[node];
        it.clock.start(self.now);
        it.wake = u64::MAX;
        it.reported = it.disk.applied_to();
        it.replica = Some(Replica::new(config, it.disk.recover(below), Moment(0)));
        self.summary.restarts += u64::from(it.life > 0);
        self.note(node, "start", String::new);
        self.arm(node);
    }

    /// Gives a running replica an input and does at once what its step allows.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let it = &mut self.nodes[node];
        let clock = it.clock.shows(self.now);
        let Some(replica) = &mut it.replica else {
            return;
        };
        let mut step = replica.step(clock, input);
        let life = it.life;
        self.summary.inputs += 1;
        self.nobody_spins(node);
        self.look(node, &step);
        for out in step.take_immediate() {
            self.send(node, out);
        }
        for fetch in step.fetch().to_vec() {
            let entries = self.nodes[node].disk.fetch(fetch.from, fetch.limit);
            self.input(node, Input::Fetched { to: fetch.to, entries });
        }
        if self.nodes[node].life == life {
            self.nodes[node].waiting.push(step);
            self.write(node);
            self.arm(node);
        }
    }

    /// The longest runs take a tenth of this.
    fn nobody_spins(&self, node: usize) {
        let inputs = self.summary.inputs;
        claim!(inputs < 1_000_000, "nobody spins", "{} took the last input", node + 1);
    }

    /// Starts a write if none is under way: it takes all that waits.
    fn write(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        it.waiting.retain(|step| !step.is_empty());
        if it.writing.is_some() || it.waiting.is_empty() {
            return;
        }
        let mut steps = std::mem::take(&mut it.waiting);
        if self.plan.disk.grouped {
            let all = steps.drain(..).reduce(|mut all, step| {
                all.absorb(step);
                all
            });
            steps.extend(all);
        }
        let chosen = steps.into_iter().map(|mut step| {
            let chosen = step.take_chosen();
            (step, chosen)
        });
        let steps = chosen.collect();
        it.writes += 1;
        let (life, number) = (it.life, it.writes);
        let fate = self.fate(node);
        self.nodes[node].writing = Some(Write { number, steps, fate });
        let takes = self.write_time();
        self.after(takes, Due::Written { node, life, number });
    }

    fn fate(&mut self, node: usize) -> Fate {
        if self.nodes[node].full_until > self.now {
            return Fate::CallFails;
        }
        if self.calm.is_some() {
            return Fate::Done;
        }
        let dice = &mut self.dice;
        if dice.chance(self.plan.disk.deadly) {
            return dice.pick(&[Fate::DiesBefore, Fate::DiesAfter]);
        }
        if dice.chance(self.plan.disk.failing) {
            return dice.pick(&[Fate::CallFails, Fate::SyncFails]);
        }
        Fate::Done
    }

    fn write_time(&mut self) -> u64 {
        if self.calm.is_none() && self.dice.chance(self.plan.disk.slow) {
            let takes = self.dice.tail(1000, 5_000_000);
            self.summary.slow_writes += u64::from(takes >= 1_000_000);
            return takes;
        }
        let (low, high) = self.plan.disk.write;
        self.dice.between(low, high)
    }

    pub(crate) fn written(&mut self, node: usize, life: u64, number: u64) {
        let it = &mut self.nodes[node];
        if it.life != life || it.writing.as_ref().is_none_or(|write| write.number != number) {
            return;
        }
        let wait = it.paused_until.saturating_sub(self.now);
        if wait > 0 {
            return self.after(wait, Due::Written { node, life, number });
        }
        let fate = it.writing.as_ref().map_or(Fate::Done, |write| write.fate);
        match fate {
            Fate::Done => self.finish_write(node),
            Fate::SyncFails if planted::is_active(Mutant::FailedSyncIgnored) => {
                self.ignore_failed_sync(node)
            }
            Fate::DiesBefore => self.crash(node),
            Fate::DiesAfter => {
                self.put(node);
                self.nodes[node].disk.sync();
                self.crash(node);
            }
            Fate::CallFails | Fate::SyncFails => {
                // Whatever the file holds now is for the next start to read: this process acknowledges nothing more.
                self.summary.failed_writes += 1;
                self.note(node, "write fails", String::new);
                self.crash(node);
            }
        }
    }

    /// The system has forgotten what it could not write, and the next sync says that all is well.
    fn ignore_failed_sync(&mut self, node: usize) {
        let messages = self.put(node);
        self.nodes[node].disk.crash(0, false);
        messages.into_iter().for_each(|out| self.send(node, out));
    }

    fn finish_write(&mut self, node: usize) {
        let mut messages = self.put(node);
        if planted::is_active(Mutant::SentBeforeSync) {
            messages.drain(..).for_each(|out| self.send(node, out));
        }
        let it = &mut self.nodes[node];
        it.disk.sync();
        if let Some(keep) = self.plan.disk.keep {
            it.disk.trim(keep, self.now);
        }
        self.applied(node);
        for out in messages {
            let last = matches!(out.message, Message::Promise { .. } | Message::Accepted { .. });
            self.accepts_a_change(node, &out);
            self.send(node, out);
            if last && self.calm.is_none() && self.dice.chance(self.plan.last_act) {
                return self.crash(node);
            }
        }
        self.write(node);
    }

    /// Makes the storage calls of the write under way, and gives the messages that rest on it.
    fn put(&mut self, node: usize) -> Vec<Outgoing> {
        let it = &mut self.nodes[node];
        let mut messages = Vec::new();
        let Some(write) = it.writing.take() else {
            return messages;
        };
        for (mut step, chosen) in write.steps {
            let written: Result<_, ()> = step.persist(|records| {
                for record in records {
                    if let Record::Installed(slot) = record
                        && let Some(at) =
                            it.snapshots.iter().position(|state| state.applied_to() == *slot)
                    {
                        it.disk.append(Frame::Snapshot(it.snapshots.swap_remove(at)));
                    }
                    it.disk.append(Frame::Record(record.clone()));
                }
                Ok(())
            });
            chosen.into_iter().for_each(|chosen| it.disk.append(Frame::Applied(chosen)));
            it.disk.append(Frame::End);
            if let Ok(((), durable)) = written {
                messages.extend(durable.into_messages());
            }
        }
        messages
    }

    /// The process dies, and with it whatever the disk had not synced, or a part of that.
    pub(crate) fn crash(&mut self, node: usize) {
        if self.nodes[node].replica.is_none() {
            return;
        }
        self.put(node);
        let calls = self.nodes[node].disk.unsynced();
        let (kept, torn) = match self.plan.disk.survives {
            Survives::Nothing => (0, false),
            Survives::Some => (self.dice.between(0, calls as u64) as usize, self.dice.chance(50)),
            Survives::All => (calls, false),
        };
        self.note(node, "crash", || format!("{kept} of {calls} storage calls are there"));
        self.summary.crashes += 1;
        self.summary.lost_writes += u64::from(kept < calls);
        self.summary.torn_writes += u64::from(torn && kept < calls);
        self.nodes[node].disk.crash(kept, torn);
        self.nodes[node].end();
        let down = self.dice.tail(1000, 1_000_000);
        self.after(down, Due::Restart { node });
    }

    /// Copies another replica's state machine, as a gateway does after `SnapshotNeeded`.
    pub(crate) fn snapshot(&mut self, node: usize, life: u64, source: usize) {
        if self.nodes[node].life != life || self.nodes[source].replica.is_none() {
            return;
        }
        let state = self.nodes[source].disk.give(self.now);
        let slot: Slot = state.applied_to();
        let voters = self.nodes[source].disk.voters();
        if slot <= self.nodes[node].reported {
            return;
        }
        self.note(node, "snapshot", || format!("up to {slot}, from {}", source + 1));
        self.summary.snapshots += 1;
        self.nodes[node].snapshots.push(state);
        self.nodes[node].reported = slot;
        self.input(node, Input::Installed { slot, voters });
        // What a snapshot says matters most to whoever leads next.
        if self.dice.chance(25) {
            let soon = self.dice.tail(500, 100_000);
            self.after(soon, Due::Campaign { node });
        }
    }

    /// Sees to it that the replica is woken when it wants to be.
    pub(crate) fn arm(&mut self, node: usize) {
        let now = self.now;
        let it = &mut self.nodes[node];
        let Some(replica) = &it.replica else {
            return;
        };
        let at = it.clock.true_time(replica.deadline().0).max(now + 1);
        if at < it.wake {
            it.wake = at;
            let life = it.life;
            self.after(at - now, Due::Wake { node, life });
        }
    }

    pub(crate) fn wake(&mut self, node: usize, life: u64) {
        if self.nodes[node].life != life {
            return;
        }
        let wait = self.nodes[node].paused_until.saturating_sub(self.now);
        if wait > 0 {
            self.after(wait, Due::Wake { node, life });
            return;
        }
        self.nodes[node].wake = u64::MAX;
        self.input(node, Input::Tick);
    }
}
