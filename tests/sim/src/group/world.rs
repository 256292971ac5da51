//! The whole group on one thread: a queue of timed events, and everything they act on.

use std::collections::BTreeSet;

use paxos::{Event, Input, Message, ReplicaId, Step, Voters};
use serde_json::json;

use super::claims::Claims;
use super::clients::Client;
use super::faults::Fault;
use super::network::Parcel;
use super::node::Node;
use super::plan::Plan;
use crate::attic::Attic;
use crate::dice::Dice;
use crate::queue::Queue;
use crate::summary::Summary;
use crate::{Options, Trace};

/// What the queue holds. Nodes are counted from 0; what belongs to one life of a process names it.
pub(crate) enum Due {
    /// Of the broker's so-manieth life.
    Deliver {
        broker: u64,
        parcel: Parcel,
    },
    Own {
        node: usize,
        life: u64,
        message: Message,
    },
    Wake {
        node: usize,
        life: u64,
    },
    Written {
        node: usize,
        life: u64,
        number: u64,
    },
    Restart {
        node: usize,
    },
    Snapshot {
        node: usize,
        life: u64,
        source: usize,
    },
    Stale,
    Campaign {
        node: usize,
    },
    /// One fault, or else the next of many.
    Fault {
        only: Option<Fault>,
    },
    /// A client asks a replica that stood still when it did.
    Ask {
        node: usize,
        client: Option<usize>,
    },
    Client,
    Change,
}

/// What tells every replica's first disk from later ones.
pub(crate) const FIRST_DISK: u64 = 7;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) dice: Dice,
    /// True time, in microseconds.
    pub(crate) now: u64,
    pub(crate) queue: Queue<Due>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    /// The last wishes for other voters that a leader took.
    pub(crate) wishes: Vec<Voters>,
    /// How many wishes were refused.
    pub(crate) refused_wishes: u64,
    /// How many disks there were.
    pub(crate) disks: u64,
    /// How many questions were asked.
    pub(crate) tickets: u64,
    /// Links that carry nothing, one way each.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// The broker's life.
    pub(crate) broker: u64,
    /// Messages that were sent some time ago.
    pub(crate) attic: Attic<Parcel>,
    /// While the last message of each kind gets lost: the kinds that lost theirs.
    pub(crate) last_words: Option<BTreeSet<&'static str>>,
    /// When the faults ended.
    pub(crate) calm: Option<u64>,
    pub(crate) claims: Claims,
    pub(crate) summary: Summary,
    trace: Trace,
}

impl World {
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let drift = |dice: &mut Dice| dice.between(0, 2 * plan.drift as u64) as i64 - plan.drift;
        let ids =
            (1..=plan.founders + plan.spares).map(|number| ReplicaId::new(number, FIRST_DISK));
        let nodes = ids.map(|id| Node::new(id, drift(&mut dice))).collect();
        let claims = Claims::new(options.blind, &plan);
        let mut world = Self {
            plan,
            dice,
            now: 1_000_000,
            queue: Queue::new(),
            nodes,
            clients: Client::all(),
            wishes: Vec::new(),
            refused_wishes: 0,
            disks: FIRST_DISK,
            tickets: 0,
            cut: BTreeSet::new(),
            broker: 0,
            attic: Attic::new(15),
            last_words: None,
            calm: None,
            claims,
            summary: Summary::default(),
            trace: options.trace,
        };
        let plan = format!("{:?}", world.plan);
        world.note_all("plan", || plan);
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        world
    }

    pub(crate) fn node_of(&self, id: ReplicaId) -> usize {
        usize::from(id.number()) - 1
    }

    /// Adds a line to the trace: what happens to a replica, and where it stands.
    pub(crate) fn note(&mut self, node: usize, event: &str, text: impl FnOnce() -> String) {
        if !self.trace.is_on() {
            return;
        }
        let it = &self.nodes[node];
        let mut line = json!({
            "ms": self.now as f64 / 1000.0,
            "replica": it.id.to_string(),
            "event": event,
            "text": text(),
            "applied": it.disk.applied_to().0,
        });
        if let Some(replica) = &it.replica {
            line["chosen"] = replica.chosen_to().0.into();
            line["ballot"] = replica.ballot().to_string().into();
            line["leads"] = replica.is_leading().into();
        }
        self.trace.line(line);
    }

    /// Adds a line to the trace that concerns everyone.
    pub(crate) fn note_all(&mut self, event: &str, text: impl FnOnce() -> String) {
        if self.trace.is_on() {
            let ms = self.now as f64 / 1000.0;
            self.trace.line(json!({ "ms": ms, "event": event, "text": text() }));
        }
    }

    pub(crate) fn after(&mut self, delay: u64, due: Due) {
        self.queue.add(self.now + delay, due);
    }

    /// Handles every event of the next `span` microseconds.
    pub(crate) fn run(&mut self, span: u64) {
        let until = self.now + span;
        while let Some((at, due)) = self.queue.next(until) {
            self.now = at;
            self.handle(due);
        }
        self.now = until;
    }

    fn handle(&mut self, due: Due) {
        match due {
            Due::Deliver { broker, parcel } => self.deliver(broker, parcel),
            Due::Own { node, life, message } => self.own(node, life, message),
            Due::Wake { node, life } => self.wake(node, life),
            Due::Written { node, life, number } => self.written(node, life, number),
            Due::Restart { node } => self.start(node),
            Due::Snapshot { node, life, source } => self.snapshot(node, life, source),
            Due::Stale => self.stale_deliveries(),
            Due::Campaign { node } => self.campaign(node),
            Due::Fault { only } => self.fault(only),
            Due::Ask { node, client } => self.ask(node, client),
            Due::Client => self.next_client(),
            Due::Change => self.next_change(),
        }
    }

    /// Checks what a step says, before anything of it is done.
    pub(crate) fn look(&mut self, node: usize, step: &Step) {
        let by = self.nodes[node].id;
        for event in step.events() {
            self.note(node, "event", || format!("{event}"));
            self.claims.on_event(by, event);
            if let Event::Founded(founders) = event {
                let known = self.nodes.iter().map(|node| &node.disk.founders);
                self.claims.on_founded(founders, known);
            }
            match event {
                Event::Leading { .. } => self.summary.leader_changes += 1,
                Event::Refused(ids) => self.nodes[node].open.retain(|id| !ids.contains(id)),
                Event::VotersRefused { .. } => self.refused_wishes += 1,
                Event::SnapshotNeeded { from, .. } => {
                    let (life, source) = (self.nodes[node].life, self.node_of(*from));
                    let takes = self.dice.tail(2_000, 300_000);
                    self.after(takes, Due::Snapshot { node, life, source });
                }
                _ => {}
            }
        }
        let it = &self.nodes[node];
        let Some(replica) = &it.replica else {
            return;
        };
        self.claims.on_chosen(by, it.reported, step.chosen(), replica);
        let (reached, ballot) = (replica.chosen_to(), replica.ballot());
        let it = &mut self.nodes[node];
        it.reported = reached;
        for (ticket, yes) in step.confirmed() {
            let ticket = it.tickets.iter().position(|asked| asked.number == *ticket);
            let ticket = ticket.map(|at| it.tickets.swap_remove(at));
            self.claims.on_answer(by, ticket, yes.then_some((reached, ballot)));
        }
    }

    /// Suspicion of a death, as a last will or a missing beat would raise it.
    pub(crate) fn suspect(&mut self, node: usize, suspect: usize) {
        let suspect = self.nodes[suspect].id;
        self.note(node, "suspects", || suspect.to_string());
        self.input(node, Input::Suspect(suspect));
    }
}
