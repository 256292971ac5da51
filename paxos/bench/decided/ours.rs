//! Three replicas of the crate `paxos`, driven as its contract says.

use paxos::{Ballot, Config, Input, Moment, Outgoing, Record, Recovered, Replica, ReplicaId};
use paxos::{Request, Slot, Step, Value, Voters};

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
    disk: Disk,
    decided: usize,
}

/// Keeps what a disk would, as the other crate's storage in memory does: the log, and the last of each mark.
struct Disk {
    promised: Ballot,
    chosen: Slot,
    /// From slot 1 on.
    log: Vec<(Ballot, Value)>,
}

impl Disk {
    const fn new() -> Self {
        Self { promised: Ballot::ZERO, chosen: Slot::ZERO, log: Vec::new() }
    }

    fn write(&mut self, record: &Record) {
        match record {
            Record::Promised(ballot) => {
                assert!(*ballot > self.promised, "a promise fell to {ballot}");
                self.promised = *ballot;
            }
            Record::Chosen(slot) => {
                assert!(*slot > self.chosen, "the mark fell to slot {slot}");
                self.chosen = *slot;
            }
            Record::Accepted { slot, ballot, value } => {
                assert!(slot.0 == self.log.len() as u64 + 1, "slot {slot} does not come next");
                self.log.push((*ballot, value.clone()));
            }
            Record::Founded(_) | Record::Installed(_) => unreachable!("the group was founded"),
        }
    }
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
            Node { replica, step: Step::default(), disk: Disk::new(), decided: 0 }
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
            records.iter().for_each(|record| disk.write(record));
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
