//! Who asks: a few clients, each with a session, who repeat what was not acknowledged at whatever replica.

use std::sync::Arc;

use paxos::{Input, Request, RequestId, SessionId};

use super::machine::{CLIENTS, client};
use super::node::Ticket;
use super::world::{Due, World};

/// A client that has this many requests without an answer repeats one of them.
const OPEN: u64 = 8;

pub(crate) struct Client {
    session: SessionId,
    /// Its last request.
    asked: u64,
    /// Its last request that was acknowledged; all before were carried out too.
    pub(crate) acknowledged: u64,
}

impl Client {
    pub(crate) fn all() -> Vec<Self> {
        let sessions = (1..=CLIENTS as u64).map(SessionId);
        sessions.map(|session| Self { session, asked: 0, acknowledged: 0 }).collect()
    }

    pub(crate) const fn acknowledged(&self) -> RequestId {
        RequestId { session: self.session, number: self.acknowledged }
    }
}

impl World {
    pub(crate) fn next_client(&mut self) {
        if self.calm.is_some() {
            return;
        }
        let next = self.dice.between(1, 2 * self.plan.client_every);
        self.after(next, Due::Client);
        let node = self.dice.below(self.nodes.len());
        let client = self.dice.chance(65).then(|| self.dice.below(self.clients.len()));
        self.ask(node, client);
    }

    /// A client proposes something, or asks whether the replica leads. A replica that stands still finds it when it
    /// goes on, perhaps before it looks at its clock.
    pub(crate) fn ask(&mut self, node: usize, client: Option<usize>) {
        let wait = self.nodes[node].paused_until.saturating_sub(self.now);
        match client {
            _ if wait > 0 => self.after(wait, Due::Ask { node, client }),
            Some(client) => {
                self.propose(node, client);
            }
            None => self.confirm(node),
        }
    }

    /// A client proposes its next request at a replica, or repeats one.
    pub(crate) fn propose(&mut self, node: usize, client: usize) -> RequestId {
        let it = &self.clients[client];
        let open = it.asked - it.acknowledged;
        if open < OPEN && (open == 0 || self.dice.chance(70)) {
            return self.propose_anew(node, client);
        }
        let number = self.dice.between(it.acknowledged + 1, it.asked);
        let id = RequestId { session: it.session, number };
        self.put_forward(node, id);
        id
    }

    /// A client proposes what nobody has proposed before.
    pub(crate) fn propose_anew(&mut self, node: usize, client: usize) -> RequestId {
        let it = &mut self.clients[client];
        it.asked += 1;
        let id = RequestId { session: it.session, number: it.asked };
        self.put_forward(node, id);
        id
    }

    fn put_forward(&mut self, node: usize, id: RequestId) {
        let RequestId { session, number } = id;
        let payload = Arc::from((number << 8 | session.0).to_le_bytes());
        if self.nodes[node].replica.is_some() {
            self.nodes[node].open.insert(id);
            self.input(node, Input::Propose(vec![Request { session, number, payload }]));
        }
    }

    pub(crate) fn confirm(&mut self, node: usize) {
        if self.nodes[node].replica.is_some() {
            self.tickets += 1;
            let number = self.tickets;
            let ticket = Ticket { number, ..self.claims.ticket() };
            self.nodes[node].tickets.push(ticket);
            self.input(node, Input::Confirm(number));
        }
    }

    /// After a write: whoever asked this replica hears what has become of it.
    pub(crate) fn applied(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        self.claims.on_applied(it.id, &it.disk);
        let (machine, clients) = (&it.disk.machine, &mut self.clients);
        it.open.retain(|id| {
            let done = machine.has_done(*id);
            if done {
                let client = &mut clients[client(*id)];
                client.acknowledged = client.acknowledged.max(id.number);
            }
            !done
        });
    }
}
