//! Three replicas of the crate `paxos`, driven as its contract says.

use paxos::{Config, Input, Moment, Outgoing, Record, Recovered, Replica, ReplicaId, Voters};
use paxos::{Request, Step};

use crate::{Group, Travel};

const VOTERS: [ReplicaId; 3] = [ReplicaId(1), ReplicaId(2), ReplicaId(3)];
const LEADER: usize = 0;

/// Nothing is lost, so nothing waits for a timeout, and time may stand still.
const NOW: Moment = Moment(1);

pub(crate) struct Ours {
    nodes: [Node; 3],
    inboxes: [Vec<Input>; 3],
    messages: usize,
}

struct Node {
    replica: Replica,
    step: Step,
    disk: Vec<Record>,
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
            let disk = Recovered::empty().founded_by(voters.clone());
            let replica = Replica::new(config, disk, NOW);
            Node { replica, step: Step::default(), disk: Vec::new(), decided: 0 }
        };
        let inboxes = [vec![Input::Campaign], Vec::new(), Vec::new()];
        let mut group = Self { nodes: VOTERS.map(node), inboxes, messages: 0 };
        while group.inboxes.iter().any(|inbox| !inbox.is_empty()) {
            group.turn();
        }
        assert!(group.nodes[LEADER].replica.is_leading(), "the campaign failed");
        group
    }

    /// One write for all that waits.
    fn act(&mut self, at: usize) {
        let Node { replica, step, disk, decided } = &mut self.nodes[at];
        for input in self.inboxes[at].drain(..) {
            replica.step_into(NOW, input, step);
        }
        let from = VOTERS[at];
        let mut send = |Outgoing { to, message }| {
            self.messages += usize::from(to != from);
            self.inboxes[usize::from(to.number()) - 1].push(Input::Message { from, message });
        };
        step.take_immediate().for_each(&mut send);
        *decided += step.chosen().iter().map(|chosen| chosen.value.requests().len()).sum::<usize>();
        let Ok(((), durable)) = step.persist(|records| {
            disk.extend_from_slice(records);
            Ok::<_, std::convert::Infallible>(())
        });
        durable.into_messages().for_each(send);
        assert!(replica.deadline().0 > NOW, "a replica waits for time to pass");
    }
}

impl Group for Ours {
    fn propose(&mut self, requests: Vec<Request>) {
        if !requests.is_empty() {
            self.inboxes[LEADER].push(Input::Propose(requests));
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
