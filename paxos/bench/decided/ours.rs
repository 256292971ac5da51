//! Three replicas of the crate `paxos`, driven as its contract says.

use paxos::{Config, Input, Moment, Outgoing, Record, Recovered, Replica, ReplicaId, Voters};
use paxos::{Request, Step};

use crate::{Group, Travel};

const VOTERS: [ReplicaId; 3] = [ReplicaId(1), ReplicaId(2), ReplicaId(3)];
const LEADER: usize = 0;

/// Nothing is lost, so nothing waits for a timeout, and time may stand still.
const NOW: Moment = Moment(1);

pub(crate) struct Ours {
    nodes: Vec<Node>,
    messages: usize,
}

struct Node {
    replica: Replica,
    disk: Vec<Record>,
    inbox: Vec<Input>,
    decided: usize,
}

impl Ours {
    /// A group whose first replica leads.
    pub(crate) fn new(travel: Travel, in_flight: usize) -> Self {
        let voters = Voters::new(VOTERS).expect("a group of three");
        let node = |id: ReplicaId| {
            let mut config = Config::new(id, 1..=3);
            if travel == Travel::Alone {
                config.batch_requests = 1;
                config.window = in_flight as u64;
            }
            let replica = Replica::new(config, Recovered::empty().founded_by(voters.clone()), NOW);
            Node { replica, disk: Vec::new(), inbox: Vec::new(), decided: 0 }
        };
        let mut group = Self { nodes: VOTERS.map(node).into(), messages: 0 };
        group.nodes[LEADER].inbox.push(Input::Campaign);
        let settled = |node: &Node| node.inbox.is_empty();
        while !group.nodes.iter().all(settled) {
            group.turn();
        }
        assert!(group.nodes[LEADER].replica.is_leading(), "the campaign failed");
        group
    }

    fn send(&mut self, from: usize, out: Vec<Outgoing>) {
        let sender = VOTERS[from];
        for Outgoing { to, message } in out {
            self.messages += usize::from(to != sender);
            let input = Input::Message { from: sender, message };
            self.nodes[usize::from(to.number()) - 1].inbox.push(input);
        }
    }

    /// One write for all that waits.
    fn act(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let mut step = Step::default();
        for input in node.inbox.drain(..) {
            step.absorb(node.replica.step(NOW, input));
        }
        let immediate = step.take_immediate();
        let chosen = step.take_chosen();
        node.decided += chosen.iter().map(|chosen| chosen.value.requests().len()).sum::<usize>();
        let Ok(((), durable)) = step.persist(|records| {
            node.disk.extend_from_slice(records);
            Ok::<_, std::convert::Infallible>(())
        });
        assert!(node.replica.deadline().0 > NOW, "a replica waits for time to pass");
        self.send(at, immediate);
        self.send(at, durable.into_messages());
    }
}

impl Group for Ours {
    fn propose(&mut self, requests: Vec<Request>) {
        if !requests.is_empty() {
            self.nodes[LEADER].inbox.push(Input::Propose(requests));
        }
    }

    fn turn(&mut self) {
        (0..self.nodes.len()).for_each(|at| self.act(at));
    }

    fn decided_at_leader(&self) -> usize {
        self.nodes[LEADER].decided
    }

    fn decided(&self) -> usize {
        self.nodes.iter().map(|node| node.decided).min().unwrap_or(0)
    }

    fn messages(&self) -> usize {
        self.messages
    }
}
