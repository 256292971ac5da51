//! What goes wrong: crashes, cuts, pauses, full and lost disks, wrong clocks, and a broker that dies.

use gateway_core::Input;
use wire::{GatewayId, Heartbeat, Liveness};

use super::broker::Life;
use super::disk::Disk;
use super::world::{Event, MS, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Crash,
    CrashLeader,
    PowerCut,
    Cut,
    Mute,
    Pause,
    OneWay,
    Part,
    Isolate,
    Chain,
    FullDisk,
    LostDisk,
    OldDisk,
    WallClock,
    BrokerRestart,
    Stale,
    Stop,
    Members,
    Reopen,
}

impl Fault {
    pub(crate) const ALL: [Self; 19] = [
        Self::Crash,
        Self::CrashLeader,
        Self::PowerCut,
        Self::Cut,
        Self::Mute,
        Self::Pause,
        Self::OneWay,
        Self::Part,
        Self::Isolate,
        Self::Chain,
        Self::FullDisk,
        Self::LostDisk,
        Self::OldDisk,
        Self::WallClock,
        Self::BrokerRestart,
        Self::Stale,
        Self::Stop,
        Self::Members,
        Self::Reopen,
    ];
}

/// How long broker and gateway take to notice a dead connection.
const KEEPALIVE: u64 = 200 * MS;

impl World {
    pub(crate) fn next_fault(&mut self) {
        if self.calm {
            return;
        }
        let next = self.dice.between(1, 2 * self.plan.fault_every);
        self.after(next, Event::Fault);
        if self.plan.faults.is_empty() || self.dice.chance(15) {
            return self.parted.clear();
        }
        let fault = self.dice.pick(&self.plan.faults);
        let id = self.somebody();
        self.note("fault", || format!("{fault:?} {id}").into());
        self.strike(fault, id);
    }

    fn strike(&mut self, fault: Fault, id: GatewayId) {
        match fault {
            Fault::Crash => self.crash(id),
            Fault::CrashLeader => {
                let leader = self.leader().map_or(id, GatewayId);
                self.crash(leader);
            }
            Fault::PowerCut => {
                self.summary.power_cuts += 1;
                self.everybody().into_iter().for_each(|id| self.crash(id));
            }
            Fault::Cut => self.cut_for_a_while(id),
            Fault::Mute => self.mute_for_a_while(id),
            Fault::Pause => self.pause(id),
            Fault::OneWay => {
                let other = self.somebody();
                self.parted.insert((id, other));
                self.summary.partitions += 1;
            }
            Fault::Part => {
                let other = self.somebody();
                self.part(id.0, other.0);
                self.summary.partitions += 1;
            }
            Fault::Isolate => self.isolate(id),
            Fault::Chain => self.chain(),
            Fault::FullDisk => {
                let until = self.now + self.dice.tail(1000, 500_000);
                self.node(id).full_until = until;
            }
            Fault::LostDisk => self.lose_disk(id),
            Fault::OldDisk => self.put_back_or_back_up(id),
            Fault::WallClock => {
                let most = self.dice.pick(&[5_000, 3_600_000, 3 * 24 * 3_600_000]);
                let skew = self.dice.between(0, 2 * most) as i64 - most as i64;
                self.node(id).skew = skew;
                self.summary.leaps += 1;
            }
            Fault::BrokerRestart => self.restart_broker(),
            Fault::Stale => self.deliver_stale(),
            Fault::Members => {
                let verb = self.dice.pick(&["add", "add", "remove"]);
                // Known limit, in ARCHITECTURE: a gateway of an older program may get its vote in the same moment in
                // which the site is raised, and then stops. So homes that are being upgraded keep their voters.
                if self.summary.home.upgrades == 0 {
                    self.wish_for_voters(verb, id);
                }
            }
            Fault::Reopen => self.reopen(id),
            Fault::Stop => {
                let life = self.nodes[&id].life();
                self.input(life, Input::Stopping);
                self.after(self.plan.network.delay, Event::Die(life));
            }
        }
    }

    pub(crate) fn everybody(&self) -> Vec<GatewayId> {
        self.nodes.keys().copied().collect()
    }

    fn somebody(&mut self) -> GatewayId {
        GatewayId(self.dice.between(1, self.nodes.len() as u64) as u8)
    }

    pub(crate) fn start(&mut self, id: u8) {
        let (id, now) = (GatewayId(id), self.now);
        let node = self.node(id);
        assert!(node.core.is_none(), "gateway {id} runs already");
        node.start(now);
        self.muted.remove(&id);
        let node = &self.nodes[&id];
        let life = node.life();
        self.note_of(id, "start", String::new);
        self.soon(Event::Input(life, Input::Links { up: true }));
        self.input(life, Input::Tick);
    }

    /// A process that died is started again, once it can write.
    pub(crate) fn restart(&mut self, id: GatewayId) {
        let wait = self.nodes[&id].full_until.saturating_sub(self.now);
        if wait > 0 {
            self.after(wait, Event::Restart(id));
        } else if self.nodes[&id].core.is_none() {
            self.summary.restarts += 1;
            self.start(id.0);
        }
    }

    /// The process dies, to be started again.
    pub(crate) fn crash(&mut self, id: GatewayId) {
        if self.nodes[&id].core.is_none() {
            return;
        }
        self.kill(id.0);
        let down = self.dice.tail(1000, 600_000);
        self.after(down, Event::Restart(id));
    }

    /// The process dies; the broker sees its connections close and publishes its will.
    pub(crate) fn kill(&mut self, id: u8) {
        let id = GatewayId(id);
        self.note_of(id, "crash", String::new);
        self.write_what_survives(id);
        self.summary.crashes += 1;
        let node = self.node(id);
        let life = node.life();
        node.stop();
        self.broker.lose(life);
        self.will(life);
    }

    /// Cuts a gateway off from broker and gateways; nobody notices at once.
    pub(crate) fn cut(&mut self, id: u8) {
        let (id, now) = (GatewayId(id), self.now);
        self.node(id).cut = Some(now);
        self.after(KEEPALIVE, Event::Notice(id, now));
    }

    fn cut_for_a_while(&mut self, id: GatewayId) {
        if self.nodes[&id].core.is_none() || self.nodes[&id].cut.is_some() {
            return;
        }
        self.summary.partitions += 1;
        self.cut(id.0);
        let (cut, length) = (self.now, self.dice.tail(10_000, 3_000_000));
        self.after(length, Event::Heal(id, cut));
    }

    #[cfg(test)]
    pub(crate) fn heal(&mut self, id: u8) {
        if let Some(cut) = self.nodes[&GatewayId(id)].cut {
            self.heal_cut(GatewayId(id), cut);
        }
    }

    pub(crate) fn heal_cut(&mut self, id: GatewayId, cut: u64) {
        if self.nodes[&id].cut != Some(cut) {
            return;
        }
        // Connections that lost something are not used any more.
        if !self.nodes[&id].noticed {
            self.notice(id, cut);
        }
        let node = self.node(id);
        (node.cut, node.noticed) = (None, false);
        let life = node.life();
        self.soon(Event::Input(life, Input::Links { up: true }));
    }

    /// The process stands still; the broker notices that after a while, and the process later.
    fn pause(&mut self, id: GatewayId) {
        let length = self.dice.tail(10_000, 30_000_000);
        let node = self.node(id);
        if node.paused || node.core.is_none() || node.cut.is_some() {
            return;
        }
        node.paused = true;
        let life = node.life();
        self.summary.pauses += 1;
        self.after(length, Event::Resume(life));
        let noticed = self.dice.between(500, 1500) * MS;
        if length > noticed {
            let cut = self.now + noticed;
            self.at(cut, Event::Notice(id, cut));
        }
    }

    pub(crate) fn resume(&mut self, life: Life) {
        let node = self.node(life.0);
        if !node.is(life) || !core::mem::take(&mut node.paused) {
            return;
        }
        // It hears what came before its connections ended, and that they ended, and connects again.
        let (cut, noticed) = (node.cut.take(), core::mem::take(&mut node.noticed));
        for event in core::mem::take(&mut node.inbox) {
            self.happen(event);
        }
        match cut {
            Some(_) if noticed => self.soon(Event::Input(life, Input::Links { up: true })),
            Some(at) if self.nodes[&life.0].is(life) => {
                self.node(life.0).cut = Some(at);
                self.heal_cut(life.0, at);
            }
            _ => {}
        }
    }

    /// Two gateways stop hearing each other; both stay connected to the broker.
    pub(crate) fn part(&mut self, a: u8, b: u8) {
        self.parted.insert((GatewayId(a), GatewayId(b)));
        self.parted.insert((GatewayId(b), GatewayId(a)));
    }

    /// Nobody hears it, or it hears nobody, or both; its heartbeats and sessions live.
    fn isolate(&mut self, id: GatewayId) {
        let (hears, speaks) = (self.dice.chance(40), self.dice.chance(40));
        for other in self.everybody() {
            if !speaks {
                self.parted.insert((id, other));
            }
            if !hears {
                self.parted.insert((other, id));
            }
        }
        self.summary.partitions += 1;
    }

    /// Everyone hears only who is next to it.
    fn chain(&mut self) {
        let all = self.everybody();
        for a in &all {
            let far = all.iter().filter(|b| a.0.abs_diff(b.0) > 1);
            self.parted.extend(far.map(|b| (*a, *b)));
        }
        self.summary.partitions += 1;
    }

    pub(crate) fn notice(&mut self, id: GatewayId, cut: u64) {
        let now = self.now;
        let node = self.node(id);
        // A process that stood still too long.
        if node.paused && node.cut.is_none() && cut == now {
            node.cut = Some(cut);
        }
        if node.cut != Some(cut) {
            return;
        }
        let life = node.life();
        self.broker.lose(life);
        self.will(life);
        self.drop_connections(id);
    }

    fn drop_connections(&mut self, id: GatewayId) {
        let node = self.node(id);
        node.noticed = true;
        let life = node.life();
        let sessions = core::mem::take(&mut node.sessions);
        let down = sessions
            .into_iter()
            .map(|(session, (generation, _))| Input::Down { session, generation });
        let inputs: Vec<Input> = [Input::Links { up: false }].into_iter().chain(down).collect();
        for input in inputs {
            let event = Event::Input(life, input);
            let node = self.node(id);
            if node.paused {
                node.inbox.push_back(event);
            } else {
                self.happen(event);
            }
        }
    }

    /// Everything in the broker is gone, and everyone has to connect again.
    fn restart_broker(&mut self) {
        self.summary.broker_restarts += 1;
        self.broker.restart();
        for id in self.everybody() {
            let (now, node) = (self.now, self.node(id));
            if node.core.is_none() || node.cut.is_some() {
                continue;
            }
            node.cut = Some(now);
            self.drop_connections(id);
            if !self.nodes[&id].paused {
                let back = self.dice.tail(1000, 400_000);
                self.after(back, Event::Heal(id, now));
            }
        }
        self.devices_say_again();
    }

    /// A disk is lost only while all the others have everything: a home survives one at a time.
    fn may_lose(&self, id: GatewayId) -> bool {
        let top = self.watch.agreement.top;
        let everyone_votes = self.nodes.values().all(|node| {
            let voters = node.disk.voters();
            voters.len() == self.nodes.len()
                && self.nodes.values().all(|other| voters.contains(other.replica()))
        });
        let others = self.nodes.values().filter(|node| node.id() != id);
        everyone_votes && top.0 > 0 && others.into_iter().all(|node| node.disk.applied == top)
    }

    fn lose_disk(&mut self, id: GatewayId) {
        if !self.may_lose(id) {
            return;
        }
        self.crash(id);
        let number = self.new_disk_number();
        let node = self.node(id);
        node.disk = Disk::new(node.settings.log_keep, number);
        self.summary.lost_disks += 1;
        self.note_of(id, "its disk is lost", String::new);
    }

    fn put_back_or_back_up(&mut self, id: GatewayId) {
        if self.nodes[&id].backup.is_none() {
            let node = self.node(id);
            node.backup = Some(node.disk.clone());
        } else if self.may_lose(id) {
            self.crash(id);
            let number = self.new_disk_number();
            let node = self.node(id);
            if let Some(backup) = node.backup.take() {
                node.disk = backup;
                // As the store numbers the lives of a file that was put back.
                node.disk.incarnation += 0x1000 | number & 0xf_ffff;
                node.disk.number = number;
            }
            self.summary.home.old_disks += 1;
            self.note_of(id, "its disk is an old one", String::new);
        }
    }

    /// A gateway has learnt that its file was put back: it goes on with another number.
    pub(crate) fn gives_its_number_up(&mut self, life: Life) {
        let number = self.new_disk_number();
        self.node(life.0).renounces = Some(number);
        self.after(0, Event::Die(life));
    }

    /// As the store numbers a file that lies elsewhere than before.
    fn new_disk_number(&mut self) -> u64 {
        (self.dice.next() >> 8).max(1)
    }

    pub(crate) fn will(&mut self, (id, incarnation): Life) {
        let will = Heartbeat::bare(Liveness::Dead, id, incarnation.0);
        self.broker.kept.insert(id, will);
        self.broadcast(Some(id), || Input::Heartbeat(will));
    }

    /// Everything that was broken is repaired.
    pub(crate) fn mend_all(&mut self) {
        self.note("all faults end", || serde_json::Value::Null);
        self.calm = true;
        (self.plan.network.delay, self.plan.storage.write) = (2 * MS, 4 * MS);
        self.parted.clear();
        self.deaf.clear();
        self.deliver_what_is_late();
        self.at(self.now, Event::GiveVotes);
        for id in self.everybody() {
            let node = self.node(id);
            node.full_until = 0;
            let (life, number) = (node.life(), node.writes);
            self.soon(Event::Written(life, number));
            self.resume(life);
            if let Some(cut) = self.nodes[&id].cut {
                self.heal_cut(id, cut);
            }
            self.unmute(self.nodes[&id].life());
            self.restart(id);
        }
    }
}
