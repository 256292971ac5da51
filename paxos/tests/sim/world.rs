//! The whole group on one thread: a queue of timed events, a network, and whatever goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use paxos::{
    Event, Input, Message, Moment, Outgoing, Replica, ReplicaId, Request, SessionId, Slot, Step,
};

use crate::invariants::History;
use crate::node::Node;
use crate::plan::Plan;
use crate::rng::Rng;

/// What the queue holds. Nodes are counted from 0.
pub(crate) enum Due {
    Deliver { from: ReplicaId, to: usize, message: Message },
    Wake { node: usize, life: u64 },
    Written { node: usize, life: u64 },
    Restart { node: usize },
    Snapshot { node: usize, life: u64, source: usize },
    Fault,
    Client,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Node>,
    /// Links that carry nothing, one way each.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    pub(crate) calm: bool,
    pub(crate) history: History,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    dues: std::collections::HashMap<u64, Due>,
    count: u64,
    requests: u64,
    trace: bool,
    /// How many leaderships began.
    pub(crate) elections: u64,
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool, blind: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::draw(&mut rng);
        if trace {
            println!("{plan:#?}");
        }
        let drift = |rng: &mut Rng| rng.between(0, 2 * plan.drift as u64) as i64 - plan.drift;
        let ids = 1..=plan.replicas;
        let nodes = ids.map(|id| Node::new(ReplicaId(id), drift(&mut rng))).collect();
        let history = History::new(blind, usize::from(plan.replicas), plan.config.window);
        let mut world = Self {
            plan,
            rng,
            now: 1_000_000,
            nodes,
            cut: BTreeSet::new(),
            calm: false,
            history,
            queue: BinaryHeap::new(),
            dues: std::collections::HashMap::new(),
            count: 0,
            requests: 0,
            trace,
            elections: 0,
        };
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        world
    }

    pub(crate) fn log(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12} {}", Moment(self.now).to_string(), line());
        }
    }

    pub(crate) fn after(&mut self, delay: u64, due: Due) {
        self.count += 1;
        self.queue.push(Reverse((self.now + delay, self.count)));
        self.dues.insert(self.count, due);
    }

    /// Handles every event up to `until`.
    pub(crate) fn run(&mut self, until: u64) {
        while let Some(Reverse((at, number))) = self.queue.peek().copied() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now = at;
            if let Some(due) = self.dues.remove(&number) {
                self.handle(due);
            }
        }
        self.now = until;
    }

    fn handle(&mut self, due: Due) {
        match due {
            Due::Deliver { from, to, message } => self.deliver(from, to, message),
            Due::Wake { node, life } => self.wake(node, life),
            Due::Written { node, life } => self.written(node, life),
            Due::Restart { node } => self.start(node),
            Due::Snapshot { node, life, source } => self.snapshot(node, life, source),
            Due::Fault => self.fault(),
            Due::Client => self.client(),
        }
    }

    fn deliver(&mut self, from: ReplicaId, to: usize, message: Message) {
        let wait = self.nodes[to].paused_until.saturating_sub(self.now);
        if wait > 0 {
            self.after(wait, Due::Deliver { from, to, message });
            return;
        }
        self.log(|| format!("{from} -> {} {message:?}", to + 1));
        self.input(to, Input::Message { from, message });
    }

    fn wake(&mut self, node: usize, life: u64) {
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

    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].replica.is_some() {
            return;
        }
        let config = self.plan.config_of(self.nodes[node].id, &mut self.rng);
        let below = self.rng.between(0, 20);
        let now = self.now;
        let it = &mut self.nodes[node];
        let recovered = it.disk.recover(below);
        it.started = now;
        it.wake = u64::MAX;
        it.reported = it.disk.applied_to();
        it.replica = Some(Replica::new(config, recovered, Moment(0)));
        self.log(|| format!("{} starts", node + 1));
        self.arm(node);
    }

    pub(crate) fn crash(&mut self, node: usize) {
        if self.nodes[node].replica.is_none() {
            return;
        }
        let survives = self.rng.chance(self.plan.torn);
        self.log(|| format!("{} crashes", node + 1));
        self.nodes[node].crash(survives);
        let down = self.rng.between(1, 600) * 1000;
        self.after(down, Due::Restart { node });
    }

    /// Gives a running replica an input and does at once what its step allows.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let it = &mut self.nodes[node];
        let clock = it.clock(self.now);
        let Some(replica) = &mut it.replica else {
            return;
        };
        let mut step = replica.step(clock, input);
        let life = it.life;
        self.check(node, &step);
        for out in step.take_immediate() {
            self.send(node, out);
        }
        for fetch in step.fetch().to_vec() {
            let entries = self.nodes[node].disk.fetch(fetch.from, fetch.limit);
            self.input(node, Input::Fetched { to: fetch.to, entries });
        }
        if self.nodes[node].life == life {
            self.nodes[node].gathered.absorb(step);
            self.write(node);
            self.arm(node);
        }
    }

    fn check(&mut self, node: usize, step: &Step) {
        let by = self.nodes[node].id;
        for event in step.events() {
            self.log(|| format!("{by}: {event:?}"));
            self.history.on_event(by, event);
            match event {
                Event::Leading { .. } => self.elections += 1,
                Event::Refused(ids) => self.nodes[node].open.retain(|id| !ids.contains(id)),
                Event::SnapshotNeeded { from, .. } => {
                    let (life, source) = (self.nodes[node].life, usize::from(from.0) - 1);
                    self.after(10_000, Due::Snapshot { node, life, source });
                }
                _ => {}
            }
        }
        let disks: Vec<_> = self.nodes.iter().map(|node| &node.disk).collect();
        let it = &self.nodes[node];
        self.history.on_chosen(by, it.reported, step.chosen(), &disks);
        let it = &mut self.nodes[node];
        it.reported = step.chosen().last().map_or(it.reported, |entry| entry.slot);
        let reached = it.replica.as_ref().map_or(Slot::ZERO, Replica::chosen_to);
        assert!(
            it.reported == reached,
            "replica {by} chose up to {reached} but reported up to {}",
            it.reported
        );
        for (ticket, yes) in step.confirmed() {
            let at = it.tickets.iter().position(|(asked, _)| asked == ticket);
            let (_, top) = it.tickets.remove(at.expect("an answer without a question"));
            if *yes {
                self.history.confirmed_leaders_are_fresh(by, top, reached);
            }
        }
    }

    /// Starts a write if none is under way: it takes all that was gathered.
    fn write(&mut self, node: usize) {
        if self.nodes[node].writing.is_some() || self.nodes[node].gathered.is_empty() {
            return;
        }
        let mut step = std::mem::take(&mut self.nodes[node].gathered);
        let chosen = step.take_chosen();
        self.nodes[node].writing = Some((step, chosen));
        let life = self.nodes[node].life;
        let takes = self.rng.between(self.plan.write.0, self.plan.write.1);
        self.after(takes, Due::Written { node, life });
    }

    fn written(&mut self, node: usize, life: u64) {
        let it = &mut self.nodes[node];
        if it.life != life {
            return;
        }
        let Some((step, chosen)) = it.writing.take() else {
            return;
        };
        let written: Result<_, ()> = step.persist(|records| {
            it.disk.write(records, &it.snapshot);
            Ok(())
        });
        it.disk.apply(chosen);
        if let Some(keep) = self.plan.keep {
            it.disk.trim(keep);
        }
        let Ok(((), durable)) = written else {
            return;
        };
        for out in durable.into_messages() {
            let last = matches!(out.message, Message::Promise { .. } | Message::Accepted { .. });
            self.send(node, out);
            if last && !self.calm && self.rng.chance(self.plan.last_act) {
                self.crash(node);
                return;
            }
        }
        self.write(node);
    }

    fn arm(&mut self, node: usize) {
        let now = self.now;
        let it = &mut self.nodes[node];
        let Some(replica) = &it.replica else {
            return;
        };
        let at = it.true_time(replica.deadline().0).max(now + 1);
        if at < it.wake {
            it.wake = at;
            let life = it.life;
            self.after(at - now, Due::Wake { node, life });
        }
    }

    fn send(&mut self, node: usize, out: Outgoing) {
        let (from, to) = (self.nodes[node].id, usize::from(out.to.0) - 1);
        self.history.on_send(from, &out.message, &self.nodes[node].disk);
        if to == node {
            let message = out.message;
            self.after(0, Due::Deliver { from, to, message });
            return;
        }
        let lost = !self.calm && self.rng.chance(self.plan.drop);
        if lost || self.cut.contains(&(node, to)) {
            return;
        }
        let twice = self.rng.chance(self.plan.duplicate);
        for _ in 0..=u8::from(twice) {
            let delay = self.delay();
            let message = out.message.clone();
            self.after(delay, Due::Deliver { from, to, message });
        }
    }

    fn delay(&mut self) -> u64 {
        if !self.calm && self.rng.chance(self.plan.straggle) {
            return self.rng.between(1, 1_000_000);
        }
        let (low, high) = self.plan.delay;
        self.rng.between(low, low + high)
    }

    /// Copies another replica's state machine, as a driver would after `SnapshotNeeded`.
    fn snapshot(&mut self, node: usize, life: u64, source: usize) {
        if self.nodes[node].life != life || self.nodes[source].replica.is_none() {
            return;
        }
        let state = self.nodes[source].disk.applied.clone();
        let slot = Slot(state.len() as u64);
        if slot <= self.nodes[node].reported {
            return;
        }
        self.log(|| format!("{} installs a snapshot up to {slot}", node + 1));
        self.nodes[node].snapshot = state;
        self.nodes[node].reported = slot;
        self.input(node, Input::Installed(slot));
    }

    /// Proposes one request at a node, and gives its name.
    pub(crate) fn propose(&mut self, node: usize) -> paxos::RequestId {
        self.requests += 1;
        let request = Request {
            session: SessionId(self.rng.between(1, 3)),
            number: self.requests,
            payload: Arc::from(self.requests.to_le_bytes()),
        };
        let id = request.id();
        if self.nodes[node].replica.is_some() {
            self.nodes[node].open.push(id);
            self.input(node, Input::Propose(vec![request]));
        }
        id
    }

    pub(crate) fn confirm(&mut self, node: usize) {
        self.requests += 1;
        if self.nodes[node].replica.is_some() {
            let ticket = (self.requests, self.history.top);
            self.nodes[node].tickets.push(ticket);
            self.input(node, Input::Confirm(self.requests));
        }
    }
}
