//! What goes wrong: processes that die or stand still, connections that break, disks and files, wrong clocks, a broker
//! that dies, devices that begin anew.

use gateway_core::Input;
use wire::GatewayId;

use super::class::Class;
use super::hub::ONLY;
use super::lane::Who;
use super::links::Name;
use super::process::Life;
use super::world::{Event, MS, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Crash,
    CrashLeader,
    PowerCut,
    /// All gateways are off for longer than an order may take.
    AllOff,
    Stop,
    Pause,
    /// All connections of a gateway stand still, in one direction or both.
    Cut,
    CutOneWay,
    /// One connection of anybody stands still.
    Slow,
    /// One connection of anybody breaks.
    Break,
    FullDisk,
    SlowDisk,
    WallClock,
    BrokerDies,
    BrokerLosesPower,
    BrokerPauses,
    Restart,
    Copy,
    BrokerFile,
}

impl Fault {
    pub(crate) const ALL: [Self; 19] = [
        Self::Crash,
        Self::CrashLeader,
        Self::PowerCut,
        Self::AllOff,
        Self::Stop,
        Self::Pause,
        Self::Cut,
        Self::CutOneWay,
        Self::Slow,
        Self::Break,
        Self::FullDisk,
        Self::SlowDisk,
        Self::WallClock,
        Self::BrokerDies,
        Self::BrokerLosesPower,
        Self::BrokerPauses,
        Self::Restart,
        Self::Copy,
        Self::BrokerFile,
    ];

    /// The class without which it is not played.
    pub(crate) const fn class(self) -> Option<Class> {
        match self {
            Self::WallClock | Self::AllOff => Some(Class::Clocks),
            Self::Copy => Some(Class::Copies),
            Self::BrokerFile => Some(Class::BrokerFile),
            _ => None,
        }
    }
}

impl World {
    pub(crate) fn next_fault(&mut self) {
        if self.calm {
            return;
        }
        let next = self.dice.between(1, 2 * self.plan.fault_every);
        self.after(next, Event::Fault);
        if self.plan.faults.is_empty() {
            return;
        }
        let fault = self.dice.pick(&self.plan.faults);
        let id = GatewayId(self.dice.between(1, self.processes.len() as u64) as u8);
        self.note("fault", || format!("{fault:?} {id}").into());
        self.strike(fault, id);
    }

    fn strike(&mut self, fault: Fault, id: GatewayId) {
        match fault {
            Fault::Crash => self.crash(id),
            Fault::CrashLeader => {
                let leader = self.leader().unwrap_or(id);
                self.crash(leader);
            }
            Fault::PowerCut => {
                self.summary.power_cuts += 1;
                let all: Vec<_> = self.processes.keys().copied().collect();
                for id in all {
                    let down = self.dice.tail(1000, 600_000);
                    self.lose_power(id, down);
                }
            }
            Fault::AllOff => self.all_off(),
            Fault::Stop => {
                let life = self.processes[&id].life();
                self.input(life, Input::Stopping);
                self.after(30 * MS, Event::Die(life));
            }
            Fault::Pause => self.pause(id),
            Fault::Cut => self.cut(id, (true, true)),
            Fault::CutOneWay => {
                let up = self.dice.chance(50);
                self.cut(id, (up, !up));
            }
            Fault::Slow => {
                let ways = self.dice.pick(&[(true, true), (true, false), (false, true)]);
                let length = self.dice.tail(1000, 3_000_000);
                if let Some(conn) = self.any_conn() {
                    self.hold(conn, ways, length);
                }
            }
            Fault::Break => {
                if let Some(conn) = self.any_conn() {
                    self.summary.system.breaks += 1;
                    self.break_conn(conn);
                }
            }
            Fault::FullDisk => {
                let until = self.now + self.dice.tail(1000, 500_000);
                self.process(id).full_until = until;
            }
            Fault::SlowDisk => {
                let until = self.now + self.dice.between(50, 1000) * MS;
                self.process(id).slow_until = until;
            }
            Fault::WallClock => self.set_a_clock(id),
            Fault::BrokerDies => {
                let lost = self.dice.tail(1, 40_000);
                self.restart_broker(lost);
            }
            Fault::BrokerLosesPower => self.restart_broker(1_000_000),
            Fault::BrokerPauses => {
                let length = self.dice.tail(1000, 1_500_000);
                let broker = self.broker(ONLY);
                broker.paused = broker.alive;
                let life = broker.life;
                self.after(length, Event::ResumeBroker(ONLY, life));
            }
            Fault::Restart => {
                let client = self.dice.below(self.clients.len());
                self.summary.system.device_restarts += 1;
                self.restart_client(client);
            }
            Fault::Copy => self.put_back_or_back_up(id),
            Fault::BrokerFile => self.put_back_the_brokers_file(),
        }
    }

    fn any_conn(&mut self) -> Option<u64> {
        let all: Vec<u64> = self.conns.keys().copied().collect();
        (!all.is_empty()).then(|| self.dice.pick(&all))
    }

    fn conns_of_gateway(&self, life: Life) -> Vec<u64> {
        let conns = self.conns.iter().filter(|(_, conn)| {
            matches!(&conn.who, Who::Link(of, _) if *of == life) && conn.client_has_it
        });
        conns.map(|(number, _)| *number).collect()
    }

    /// Who leads, or believes so.
    pub(crate) fn leader(&self) -> Option<GatewayId> {
        let mut leading = self
            .processes
            .values()
            .filter(|process| process.core.as_ref().is_some_and(gateway_core::Gateway::is_leading));
        leading.next().map(|process| process.id())
    }

    pub(crate) fn restart(&mut self, id: GatewayId) {
        let now = self.now;
        let process = &self.processes[&id];
        let wait = process.full_until.saturating_sub(now);
        if process.core.is_some() {
            return;
        }
        if wait > 0 {
            return self.after(wait, Event::Restart(id));
        }
        self.note_of(id, "start", String::new);
        self.summary.restarts += 1;
        self.process(id).start(now);
        let life = self.processes[&id].life();
        let paxos = self.new_link(life, Name::Paxos);
        let own = self.new_link(life, Name::Own);
        let process = self.process(id);
        (process.paxos, process.own) = (paxos, own);
        self.input(life, Input::Tick);
    }

    /// The process dies, to be started again.
    pub(crate) fn crash(&mut self, id: GatewayId) {
        if self.processes[&id].core.is_none() {
            return;
        }
        self.write_what_survives(id);
        self.kill(id);
        let down = self.dice.tail(1000, 600_000);
        self.after(down, Event::Restart(id));
    }

    /// The box of a gateway loses power: nothing is left that was not synced.
    fn lose_power(&mut self, id: GatewayId, down: u64) {
        let process = self.process(id);
        if let Some(synced) = process.synced.take() {
            // Only a box whose process has not been started since the crash.
            process.disk = *synced;
        }
        if self.processes[&id].core.is_some() {
            self.kill(id);
            self.after(down, Event::Restart(id));
        }
    }

    fn kill(&mut self, id: GatewayId) {
        self.note_of(id, "crash", String::new);
        self.summary.crashes += 1;
        let links = self.process(id).stop();
        for link in links.into_values() {
            if let Some(conn) = link.conn {
                self.client_leaves(conn);
            }
        }
    }

    /// A process that dies leaves what the system has of its writes. It is not synced before the next start.
    fn write_what_survives(&mut self, id: GatewayId) {
        if self.processes[&id].writing.is_none() {
            return;
        }
        let kept = self.dice.between(0, 100);
        let most = self.plan.storage.survives;
        if kept * 2 < most {
            let before = self.processes[&id].disk.clone();
            self.write(id);
            self.process(id).synced = Some(Box::new(before));
            return;
        }
        self.summary.lost_writes += 1;
        self.summary.torn_writes += u64::from(kept < most);
    }

    /// The process stands still. The broker gives its connections up when it has heard nothing for too long.
    fn pause(&mut self, id: GatewayId) {
        let length = self.dice.tail(10_000, 4_000_000);
        let process = self.process(id);
        if process.paused || process.core.is_none() {
            return;
        }
        process.paused = true;
        let life = process.life();
        self.summary.pauses += 1;
        for conn in self.conns_of_gateway(life) {
            self.hold(conn, (false, false), length);
            let (cut, patience) = (self.conns[&conn].cut, self.conns[&conn].patience);
            if length > patience {
                self.after(patience, Event::Silent(conn, cut));
            }
        }
        self.after(length, Event::Resume(life));
    }

    pub(crate) fn resume(&mut self, life: Life) {
        let process = self.process(life.0);
        if !process.is(life) || !std::mem::take(&mut process.paused) {
            return;
        }
        process.draining = false;
        self.arm(life);
        // What has come meanwhile is read connection by connection, in whatever order.
        let mut conns = self.conns_of_gateway(life);
        while !conns.is_empty() {
            let conn = conns.swap_remove(self.dice.below(conns.len()));
            self.plan_down(conn);
        }
        self.drain_soon(life);
    }

    /// All connections of a gateway stand still.
    fn cut(&mut self, id: GatewayId, ways: (bool, bool)) {
        let length = self.dice.tail(10_000, 3_000_000);
        let life = self.processes[&id].life();
        self.summary.partitions += 1;
        for conn in self.conns_of_gateway(life) {
            self.hold(conn, ways, length);
        }
    }

    /// Nothing is agreed while a flood begins: the connections for the agreement stand still, and all others live.
    pub(crate) fn hush(&mut self) {
        let length = self.plan.flood.as_ref().map_or(0, |flood| flood.hush);
        if length == 0 || self.calm {
            return;
        }
        let links = self.processes.values().filter_map(|process| process.links.get(&process.paxos));
        for conn in links.filter_map(|link| link.conn).collect::<Vec<_>>() {
            self.hold(conn, (true, true), length);
        }
    }

    /// Everything is off for a while, and clocks may show something else afterwards.
    fn all_off(&mut self) {
        self.summary.power_cuts += 1;
        let off = self.dice.between(300, 4000) * MS;
        for id in self.processes.keys().copied().collect::<Vec<_>>() {
            let down = off + self.dice.tail(1000, 600_000);
            self.lose_power(id, down);
            if self.dice.chance(30) {
                self.set_a_clock(id);
            }
        }
    }

    pub(crate) fn set_a_clock(&mut self, id: GatewayId) {
        let may_be_wrong = self.processes[&id].may_be_wrong;
        if !may_be_wrong {
            return;
        }
        self.summary.leaps += 1;
        let skew = self.wall_clock_of(may_be_wrong);
        self.process(id).skew = skew;
        if self.dice.chance(30) {
            let soon = self.dice.between(5, 1000) * MS;
            self.after(soon, Event::SetRight(id));
        }
    }

    fn restart_broker(&mut self, lost: u64) {
        if !self.brokers[&ONLY].alive {
            return;
        }
        self.summary.broker_restarts += 1;
        self.kill_broker(ONLY, lost);
        let down = self.dice.tail(1000, 400_000);
        self.after(down, Event::StartBroker(ONLY));
    }

    /// A file of a gateway is put back, by a copy over the file: the system tells it from the present one by nothing.
    /// One in a run: a home survives the loss of one disk at a time.
    fn put_back_or_back_up(&mut self, id: GatewayId) {
        let may = self.summary.system.copies == 0;
        if self.processes[&id].backup.is_none() {
            let process = self.process(id);
            process.backup = Some(process.disk.clone());
        } else if may && self.processes.len() > 2 {
            self.crash(id);
            let process = self.process(id);
            process.synced = None;
            if let Some(backup) = process.backup.take() {
                process.disk = backup;
            }
            self.summary.system.copies += 1;
            self.note_of(id, "its file is put back by copy", String::new);
        }
    }

    /// A gateway has learnt that its file was put back: it goes on with another number.
    pub(crate) fn gives_its_number_up(&mut self, life: Life) {
        let number = self.dice.between(1 << 20, 1 << 40);
        let process = self.process(life.0);
        process.renounces = Some(number);
        self.summary.system.renounced += 1;
        self.after(0, Event::Die(life));
    }

    fn put_back_the_brokers_file(&mut self) {
        let broker = self.broker(ONLY);
        if broker.backup.is_none() && broker.alive {
            broker.backup = Some(broker.file.clone());
            return;
        }
        let lost = self.dice.chance(50);
        self.restart_broker(0);
        let broker = self.broker(ONLY);
        if !broker.alive {
            let backup = broker.backup.take();
            broker.file = if lost { Default::default() } else { backup.unwrap_or_default() };
            self.summary.system.broker_files += 1;
        }
    }

    /// Everything that was broken is repaired; wall clocks go on being wrong.
    pub(crate) fn mend_all(&mut self) {
        self.note("all faults end", || serde_json::Value::Null);
        self.calm = true;
        (self.plan.net.delay, self.plan.storage.write) = (2 * MS, 4 * MS);
        self.release_all();
        let life = self.brokers[&ONLY].life;
        self.resume_broker(ONLY, life);
        self.at(self.now, Event::StartBroker(ONLY));
        for id in self.processes.keys().copied().collect::<Vec<_>>() {
            let process = self.process(id);
            (process.full_until, process.slow_until) = (0, 0);
            let (life, number) = (process.life(), process.writes);
            self.resume(life);
            self.at(self.now, Event::Written(life, number));
            self.at(self.now, Event::Restart(id));
        }
        for client in 0..self.clients.len() {
            self.after(10 * MS, Event::Join(client));
        }
    }
}
