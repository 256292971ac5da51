//! What goes wrong.

use paxos::Input;

use super::claims::votes;
use super::world::{Due, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Crash,
    CrashLeader,
    PowerCut,
    Pause,
    Suspend,
    FullDisk,
    Split,
    Divide,
    Isolate,
    IsolateLeader,
    OneWay,
    Chain,
    Star,
    BrokerRestart,
    Stale,
    Suspicion,
    Campaign,
    Duel,
    Usurp,
    Rush,
    LostDisk,
}

impl Fault {
    pub(crate) const ALL: [Self; 21] = [
        Self::Crash,
        Self::CrashLeader,
        Self::PowerCut,
        Self::Pause,
        Self::Suspend,
        Self::FullDisk,
        Self::Split,
        Self::Divide,
        Self::Isolate,
        Self::IsolateLeader,
        Self::OneWay,
        Self::Chain,
        Self::Star,
        Self::BrokerRestart,
        Self::Stale,
        Self::Suspicion,
        Self::Campaign,
        Self::Duel,
        Self::Usurp,
        Self::Rush,
        Self::LostDisk,
    ];
}

impl World {
    pub(crate) fn fault(&mut self, only: Option<Fault>) {
        if self.calm.is_some() {
            return;
        }
        if let Some(fault) = only {
            return self.strike(fault);
        }
        let next = self.dice.between(1, 2 * self.plan.fault_every);
        self.after(next, Due::Fault { only: None });
        // Cuts do not last: one way or another the others go on in between.
        if self.plan.faults.is_empty() || self.dice.chance(15) {
            return self.mend();
        }
        let fault = self.dice.pick(&self.plan.faults);
        self.strike(fault);
    }

    fn strike(&mut self, fault: Fault) {
        let node = self.dice.below(self.nodes.len());
        match fault {
            Fault::Crash => self.crash(node),
            Fault::CrashLeader => {
                let leader = self.leader_or(node);
                self.crash(leader);
            }
            Fault::PowerCut => self.cut_power(),
            Fault::Pause => {
                let leader = self.leader_or(node);
                let node = if self.dice.chance(40) { leader } else { node };
                self.pause(node, 0);
            }
            Fault::Suspend => {
                let leap = self.dice.tail(1000, 3_600_000_000);
                self.pause(node, leap);
            }
            Fault::FullDisk => self.fill_disk(node),
            Fault::Split => {
                let side = self.dice.next();
                self.split(side);
            }
            Fault::Divide => self.divide(node),
            Fault::Isolate => self.isolate(node),
            Fault::IsolateLeader => {
                let leader = self.leader_or(node);
                self.isolate(leader);
            }
            Fault::OneWay => self.cut_one_way(node),
            Fault::Chain => self.chain(),
            Fault::Star => {
                self.star(node);
                self.cuts();
            }
            Fault::BrokerRestart => self.restart_broker(),
            Fault::Stale => self.stale_deliveries(),
            Fault::Suspicion => {
                let suspect = self.dice.below(self.nodes.len());
                self.suspect(node, suspect);
            }
            Fault::Campaign => self.campaign(node),
            Fault::Duel => self.duel(node),
            Fault::Usurp => self.usurp(node),
            Fault::Rush => self.rush(),
            Fault::LostDisk => self.lose_disk(node),
        }
    }

    pub(crate) fn campaign(&mut self, node: usize) {
        if self.calm.is_none() {
            self.note(node, "told to campaign", String::new);
            self.input(node, Input::Campaign);
        }
    }

    /// Two replicas take the lead from each other, faster than what was said in one ballot gets old.
    fn duel(&mut self, node: usize) {
        let rival = self.dice.below(self.nodes.len());
        let mut delay = 0;
        for turn in 0..self.dice.between(2, 6) {
            let node = if turn % 2 == 0 { node } else { rival };
            self.after(delay, Due::Campaign { node });
            delay += self.dice.tail(500, 100_000);
            let old = self.dice.below(delay as usize) as u64;
            self.after(old, Due::Stale);
        }
    }

    /// A leader is cut off or stands still, another takes over meanwhile, and people ask the old one whether it leads.
    fn usurp(&mut self, node: usize) {
        let (leader, rival) = (self.leader_or(node), self.dice.below(self.nodes.len()));
        if self.dice.chance(50) {
            self.isolate(leader);
        } else {
            self.pause(leader, 0);
        }
        let soon = self.dice.tail(500, 100_000);
        self.after(soon, Due::Campaign { node: rival });
        for _ in 0..self.dice.between(1, 4) {
            let later = self.dice.tail(500, 600_000);
            self.after(later, Due::Ask { node: leader, client: None });
        }
    }

    /// Many ask at once: queues run over, and whoever is away needs a snapshot when it comes back.
    fn rush(&mut self) {
        for _ in 0..self.dice.between(10, 60) {
            let node = self.dice.below(self.nodes.len());
            let client = Some(self.dice.below(self.clients.len()));
            let soon = self.dice.tail(500, 50_000);
            self.after(soon, Due::Ask { node, client });
        }
    }

    /// One of those that lead: an old leader may not know yet that there is a new one.
    pub(crate) fn leader_or(&mut self, node: usize) -> usize {
        let leading: Vec<_> = (0..self.nodes.len()).filter(|at| self.nodes[*at].leads()).collect();
        if leading.is_empty() { node } else { self.dice.pick(&leading) }
    }

    fn cut_power(&mut self) {
        self.summary.power_cuts += 1;
        for node in 0..self.nodes.len() {
            self.crash(node);
        }
    }

    /// The process stands still; with a leap its clock goes on meanwhile, as when a machine is suspended.
    fn pause(&mut self, node: usize, leap: u64) {
        let length = self.dice.tail(10_000, 30_000_000);
        self.note(node, "pause", || format!("{length} us, its clock leaps {leap} us"));
        self.summary.pauses += 1;
        self.summary.leaps += u64::from(leap > 0);
        let it = &mut self.nodes[node];
        it.paused_until = self.now + length;
        it.clock.leapt += leap;
        it.wake = u64::MAX;
        self.arm(node);
    }

    fn fill_disk(&mut self, node: usize) {
        let length = self.dice.tail(1000, 500_000);
        self.note(node, "disk full", || format!("for {length} us"));
        self.nodes[node].full_until = self.now + length;
    }

    fn cuts(&mut self) {
        self.summary.partitions += 1;
        let cut = format!("{:?}", self.cut);
        self.note_all("cut", || cut);
    }

    fn mend(&mut self) {
        self.cut.clear();
        self.note_all("mended", String::new);
    }

    /// Two sides that hear nothing of each other.
    fn split(&mut self, side: u64) {
        let count = self.nodes.len();
        self.cut.clear();
        for a in 0..count {
            for b in 0..count {
                if (side >> a & 1) != (side >> b & 1) {
                    self.cut.insert((a, b));
                }
            }
        }
        self.cuts();
    }

    /// The voters that were wished for last, with the leader, hear nothing of those who vote without them.
    fn divide(&mut self, node: usize) {
        let leader = self.leader_or(node);
        let mut side = self.dice.next();
        if let Some(wish) = self.wishes.last() {
            for (place, node) in self.nodes.iter().enumerate() {
                match (votes(wish, node.id), votes(self.claims.voters(), node.id)) {
                    (true, false) => side |= 1 << place,
                    (false, true) => side &= !(1 << place),
                    _ => {}
                }
            }
        }
        self.split(side | 1 << leader);
        // The others need not wait until they miss the leader.
        let other = self.dice.below(self.nodes.len());
        if other != leader && self.dice.chance(50) {
            let soon = self.dice.tail(500, 100_000);
            self.after(soon, Due::Campaign { node: other });
        }
    }

    fn isolate(&mut self, node: usize) {
        let (hears, speaks) = (self.dice.chance(50), self.dice.chance(50));
        for other in 0..self.nodes.len() {
            if !speaks {
                self.cut.insert((node, other));
            }
            if !hears {
                self.cut.insert((other, node));
            }
        }
        self.cuts();
    }

    fn cut_one_way(&mut self, node: usize) {
        let other = self.dice.below(self.nodes.len());
        self.cut.insert((node, other));
        self.cuts();
    }

    /// Everyone hears his neighbours only.
    fn chain(&mut self) {
        self.cut.clear();
        let count = self.nodes.len();
        for a in 0..count {
            let far = (0..count).filter(|b| a.abs_diff(*b) > 1);
            self.cut.extend(far.map(|b| (a, b)));
        }
        self.cuts();
    }

    /// Everyone hears the hub only.
    pub(crate) fn star(&mut self, hub: usize) {
        let count = self.nodes.len();
        self.cut.clear();
        for a in (0..count).filter(|a| *a != hub) {
            let far = (0..count).filter(|b| a != *b && *b != hub);
            self.cut.extend(far.map(|b| (a, b)));
        }
    }

    /// Everything that was broken is repaired, and what was held up arrives.
    pub(crate) fn heal(&mut self) {
        self.note_all("all faults end", String::new);
        self.calm = Some(self.now);
        self.cut.clear();
        let now = self.now;
        let held = self.queue.take(|at, due| {
            let later = at > now;
            later
                && matches!(
                    due,
                    Due::Deliver { .. } | Due::Own { .. } | Due::Written { .. } | Due::Wake { .. }
                )
        });
        for due in held {
            let delay = match due {
                Due::Deliver { .. } => self.usual_delay(),
                Due::Written { .. } => {
                    self.dice.between(self.plan.disk.write.0, self.plan.disk.write.1)
                }
                _ => 0,
            };
            self.after(delay, due);
        }
        for node in 0..self.nodes.len() {
            let it = &mut self.nodes[node];
            it.paused_until = 0;
            it.full_until = 0;
            it.offline_until = 0;
            self.start(node);
        }
    }
}
