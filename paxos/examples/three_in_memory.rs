//! Three replicas in one thread, with queues for a network and vectors for disks: the whole driver in one page.
//!
//! ```text
//! cargo run -p paxos --example three_in_memory
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use paxos::{
    Config, Input, Moment, Outgoing, Record, Recovered, Replica, ReplicaId, Request, SessionId,
    Slot, Step,
};

struct Node {
    replica: Replica,
    disk: Vec<Record>,
}

fn main() {
    let ids = [1, 2, 3].map(ReplicaId);
    let node = |id: ReplicaId| {
        let mut config = Config::new(id, [1, 2, 3]);
        config.priority.insert(3, 1);
        Node { replica: Replica::new(config, Recovered::empty(), Moment(0)), disk: Vec::new() }
    };
    let mut nodes = ids.map(node);
    let mut network = VecDeque::new();
    let mut now = Moment(0);
    while nodes[0].replica.leader().is_none() {
        now = tick(&mut nodes, now, &mut network);
    }
    let words = ["lamp on", "door open", "21.5"].into_iter().zip(1..);
    let request = |(word, number): (&str, u64)| Request {
        session: SessionId(1),
        number,
        payload: Arc::from(word.as_bytes()),
    };
    feed(&mut nodes[0], now, Input::Propose(words.map(request).collect()), &mut network);
    while nodes.iter().any(|node| node.replica.chosen_to() < Slot(2)) {
        now = tick(&mut nodes, now, &mut network);
    }
    for node in &nodes {
        println!("replica {} wrote {} records", node.replica.id(), node.disk.len());
    }
}

/// Delivers everything that is under way, then waits for the next deadline.
fn tick(nodes: &mut [Node], now: Moment, network: &mut VecDeque<(ReplicaId, Outgoing)>) -> Moment {
    while let Some((from, Outgoing { to, message })) = network.pop_front() {
        if let Some(node) = nodes.iter_mut().find(|node| node.replica.id() == to) {
            feed(node, now, Input::Message { from, message }, network);
        }
    }
    let due = nodes.iter().map(|node| node.replica.deadline().0).min();
    let now = now.max(due.unwrap_or(now));
    for node in nodes {
        feed(node, now, Input::Tick, network);
    }
    now
}

/// One turn of a driver: step, send what may leave, write, send the rest, apply.
fn feed(node: &mut Node, now: Moment, input: Input, network: &mut VecDeque<(ReplicaId, Outgoing)>) {
    let mut step: Step = node.replica.step(now, input);
    let id = node.replica.id();
    for event in step.events() {
        println!("{now} replica {id}: {event}");
    }
    network.extend(step.take_immediate().map(|out| (id, out)));
    let chosen = step.take_chosen();
    let written = step.persist(|records| {
        node.disk.extend_from_slice(records);
        Ok::<(), Infallible>(())
    });
    let Ok(((), durable)) = written;
    network.extend(durable.into_messages().map(|out| (id, out)));
    for entry in chosen {
        for request in entry.value.requests() {
            println!("{now} replica {id} applies {:?}", String::from_utf8_lossy(&request.payload));
        }
    }
}
