//! What goes wrong, and who asks meanwhile.

use paxos::{Input, ReplicaId};

use crate::world::{Due, World};

impl World {
    pub(crate) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let next = self.rng.between(1, 2 * self.plan.fault_every);
        self.after(next, Due::Fault);
        let node = self.rng.below(self.nodes.len());
        match self.rng.below(10) {
            0 | 1 => self.crash(node),
            2 => self.pause(node),
            3 => self.split(),
            4 => self.isolate(node),
            5 => self.cut_one_way(node),
            6 => self.chain(),
            7 => self.suspect(node),
            8 => self.input(node, Input::Campaign),
            _ => self.cut.clear(),
        }
    }

    fn pause(&mut self, node: usize) {
        let length = self.rng.between(1, 1000) * 1000;
        self.log(|| format!("{} pauses", node + 1));
        self.nodes[node].paused_until = self.now + length;
    }

    /// Two sides that hear nothing of each other.
    fn split(&mut self) {
        let count = self.nodes.len();
        let side = self.rng.next();
        self.cut.clear();
        for a in 0..count {
            for b in 0..count {
                if (side >> a & 1) != (side >> b & 1) {
                    self.cut.insert((a, b));
                }
            }
        }
        self.log(|| format!("split {:?}", self.cut));
    }

    fn isolate(&mut self, node: usize) {
        let (hears, speaks) = (self.rng.chance(50), self.rng.chance(50));
        for other in 0..self.nodes.len() {
            if !speaks {
                self.cut.insert((node, other));
            }
            if !hears {
                self.cut.insert((other, node));
            }
        }
        self.log(|| format!("cuts {:?}", self.cut));
    }

    fn cut_one_way(&mut self, node: usize) {
        let other = self.rng.below(self.nodes.len());
        self.log(|| format!("cuts {} -> {}", node + 1, other + 1));
        self.cut.insert((node, other));
    }

    /// Everyone hears his neighbours only.
    fn chain(&mut self) {
        self.cut.clear();
        let count = self.nodes.len();
        for a in 0..count {
            let far = (0..count).filter(|b| a.abs_diff(*b) > 1);
            self.cut.extend(far.map(|b| (a, b)));
        }
        self.log(|| "chain".to_owned());
    }

    /// Everyone hears the hub only.
    pub(crate) fn star(&mut self, hub: usize) {
        let count = self.nodes.len();
        for a in (0..count).filter(|a| *a != hub) {
            let far = (0..count).filter(|b| a != *b && *b != hub);
            self.cut.extend(far.map(|b| (a, b)));
        }
        self.log(|| format!("only {} is heard by all", hub + 1));
    }

    fn suspect(&mut self, node: usize) {
        let suspect = ReplicaId(self.rng.between(1, self.nodes.len() as u64) as u8);
        self.log(|| format!("{} suspects {suspect}", node + 1));
        self.input(node, Input::Suspect(suspect));
    }

    pub(crate) fn client(&mut self) {
        if self.calm {
            return;
        }
        let next = self.rng.between(1, 2 * self.plan.client_every);
        self.after(next, Due::Client);
        let node = self.rng.below(self.nodes.len());
        if self.nodes[node].paused_until > self.now {
            return;
        }
        if self.rng.chance(25) {
            self.confirm(node);
        } else {
            self.propose(node);
        }
    }

    /// Everything that was broken is repaired.
    pub(crate) fn heal(&mut self) {
        self.log(|| "all faults end".to_owned());
        self.calm = true;
        self.cut.clear();
        for node in 0..self.nodes.len() {
            self.nodes[node].paused_until = 0;
            self.start(node);
        }
    }
}
