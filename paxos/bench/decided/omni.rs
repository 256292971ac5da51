//! Three replicas of the crate `omnipaxos`.

use omnipaxos::messages::Message;
use omnipaxos::{ClusterConfig, OmniPaxos, ServerConfig, macros::Entry};
use omnipaxos_storage::memory_storage::MemoryStorage;
use paxos::Request;

use crate::{Group, Travel};

const NODES: [u64; 3] = [1, 2, 3];
const LEADER: usize = 0;

#[derive(Clone, Debug, Entry)]
struct Asked(#[allow(dead_code, reason = "nobody asks for the entries")] Request);

struct Node {
    replica: OmniPaxos<Asked, MemoryStorage<Asked>>,
    inbox: Vec<Message<Asked>>,
}

pub(crate) struct Omni {
    nodes: Vec<Node>,
    /// Keeps its room between turns.
    out: Vec<Message<Asked>>,
    messages: usize,
    travel: Travel,
}

impl Omni {
    /// A group whose first replica leads.
    pub(crate) fn new(travel: Travel) -> Self {
        let node = |pid| {
            let cluster =
                ClusterConfig { configuration_id: 1, nodes: NODES.into(), flexible_quorum: None };
            let server = ServerConfig { pid, ..ServerConfig::default() };
            let replica = cluster.build_for_server(server, MemoryStorage::default());
            Node { replica: replica.expect("a valid configuration"), inbox: Vec::new() }
        };
        let nodes = NODES.map(node).into();
        let mut group = Self { nodes, out: Vec::new(), messages: 0, travel };
        group.nodes[LEADER].replica.try_become_leader();
        for _ in 0..10 {
            group.turn();
        }
        group
    }

    fn send(&mut self, from: usize) {
        let mut out = std::mem::take(&mut self.out);
        self.nodes[from].replica.take_outgoing_messages(&mut out);
        self.messages += out.len();
        for message in out.drain(..) {
            self.nodes[message.get_receiver() as usize - 1].inbox.push(message);
        }
        self.out = out;
    }
}

impl Group for Omni {
    fn propose(&mut self, requests: Vec<Request>) {
        for request in requests {
            let appended = self.nodes[LEADER].replica.append(Asked(request));
            assert!(appended.is_ok(), "an entry was refused");
        }
        // It adds entries to a message as long as that has not left.
        if self.travel == Travel::Alone {
            self.send(LEADER);
        }
    }

    fn turn(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &mut self.nodes[at];
            for message in node.inbox.drain(..) {
                node.replica.handle_incoming(message);
            }
            self.send(at);
        }
    }

    fn decided_at_leader(&self) -> usize {
        self.nodes[LEADER].replica.get_decided_idx()
    }

    fn decided(&self) -> usize {
        self.nodes.iter().map(|node| node.replica.get_decided_idx()).min().unwrap_or(0)
    }

    fn messages(&self) -> usize {
        self.messages
    }
}
