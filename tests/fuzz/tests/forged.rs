//! Messages that are well formed and that no replica would send, given to a replica that is at work.
//!
//! Numbers are near the real ones or at the edges of what their fields hold. Nothing stops a replica: what cannot be
//! true beside what it holds is not believed. (A forger can still make a group agree on nonsense: this is no
//! authentication.)

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hearth_fuzz::{Random, count, runs, seed};
use paxos::{
    Ballot, Config, Entry, Event, Input, Message, Moment, Opinion, Recovered, Replica, ReplicaId,
    Request, SessionId, Slot, Value, Voters,
};

/// Inputs that one replica gets before another one starts afresh.
const LIFE: u64 = 2_000;

#[test]
fn forged_messages_stop_no_replica() {
    let mut random = Random::new(seed("forged"));
    let (mut contradicted, lives) = (0, runs(300_000) / LIFE);
    for life in 0..lives {
        let replica = replica(life);
        let mut forger = Forger { random: Random::new(random.next()), replica, contradicted: 0 };
        forger.live();
        contradicted += forger.contradicted;
    }
    count("forged", lives * LIFE, lives * LIFE - contradicted);
    assert!(contradicted > 0, "some lies contradict what a replica holds");
}

fn id(number: u8) -> ReplicaId {
    ReplicaId::new(number, 7)
}

fn voters() -> Voters {
    Voters::new([1, 2, 3].map(id)).unwrap()
}

fn replica(seed: u64) -> Replica {
    let mut config = Config::new(id(1), 1..=3);
    (config.seed, config.log_window, config.queue) = (seed, 64, 64);
    let (founders, voters) = (voters(), voters());
    Replica::new(config, Recovered { founders, voters, ..Recovered::empty() }, Moment(0))
}

struct Forger {
    random: Random,
    replica: Replica,
    /// Messages that were not believed.
    contradicted: u64,
}

impl Forger {
    fn live(&mut self) {
        let mut now = Moment(0);
        for _ in 0..LIFE {
            let span = Duration::from_millis(self.random.next() % 40);
            now = now + span;
            let from = self.sender();
            let input = match self.random.below(12) {
                0 => Input::Tick,
                1 => Input::Propose(self.requests()),
                _ => Input::Message { from, message: self.message(from) },
            };
            self.step(now, input);
            assert!(self.replica.deadline().0 >= Moment(0));
        }
    }

    /// One input, and what the replica says to itself because of it.
    fn step(&mut self, now: Moment, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut step = self.replica.step(now, input);
            let contradicted = |event: &&Event| matches!(event, Event::Contradicted { .. });
            self.contradicted += step.events().iter().filter(contradicted).count() as u64;
            let mut sent: Vec<_> = step.take_immediate().collect();
            let Ok(((), durable)) = step.persist(|_| Ok::<_, Infallible>(()));
            sent.extend(durable.into_messages());
            let own = sent.into_iter().filter(|out| out.to == self.replica.id());
            inputs.extend(own.map(|out| Input::Message { from: out.to, message: out.message }));
        }
    }

    fn sender(&mut self) -> ReplicaId {
        match self.random.below(8) {
            0 => ReplicaId(self.random.next() | 2),
            _ => id(*self.random.one_of(&[2, 3])),
        }
    }

    fn ballot(&mut self, of: ReplicaId) -> Ballot {
        let own = self.replica.ballot();
        let round = match self.random.below(8) {
            0 => self.random.edge(),
            1 => return own,
            _ => own.round + self.random.next() % 3,
        };
        Ballot { round, replica: of }
    }

    fn slot(&mut self) -> Slot {
        let chosen = self.replica.chosen_to();
        match self.random.below(10) {
            0 => Slot(self.random.edge()),
            1 => Slot(chosen.0.saturating_sub(self.random.next() % 100)),
            _ => chosen.plus(self.random.next() % 12),
        }
    }

    fn requests(&mut self) -> Vec<Request> {
        let count = self.random.below(3);
        let request =
            |number| Request { session: SessionId(1), number, payload: Arc::from([7; 9]) };
        (0..count).map(|_| request(self.random.next() % 9)).collect()
    }

    /// Mostly the same value for a slot, so that a log can grow before it is contradicted.
    fn value(&mut self, slot: Slot) -> Value {
        let payload = Arc::from(slot.0.to_le_bytes());
        let request = Request { session: SessionId(2), number: slot.0, payload };
        match self.random.below(400) {
            0 => Value::NoOp,
            1 => Value::Voters(Arc::new(Voters::none())),
            2 => Value::Voters(Arc::new(voters())),
            3 => Value::Batch(self.requests().into()),
            _ => Value::Batch([request].into()),
        }
    }

    fn entries(&mut self, from: Slot) -> Vec<Entry> {
        let count = self.random.next() % 6;
        let mut entries = Vec::new();
        for step in 0..count {
            let slot = if self.random.once_in(12) { self.slot() } else { from.plus(step) };
            let of = self.sender();
            entries.push(Entry { slot, ballot: self.ballot(of), value: self.value(slot) });
        }
        entries
    }

    fn message(&mut self, from: ReplicaId) -> Message {
        let (ballot, own) = (self.ballot(from), self.replica.ballot());
        let (slot, chosen, to) = (self.slot(), self.slot(), self.slot());
        let answered = if self.random.once_in(4) { ballot } else { own };
        let to_end = if self.random.once_in(3) { to } else { Slot(u64::MAX) };
        let (beat, attempt) = (self.random.edge(), 1 + self.random.next() % 20);
        match self.random.below(20) {
            0 => Message::Seek,
            1 => Message::Blank { to: id(1) },
            2 => Message::Founded { founders: voters(), chosen },
            3 => Message::PreVote { attempt: beat, chosen, replacing: Some(answered) },
            4 | 5 => {
                let opinion = *self.random.one_of(&[Opinion::Granted, Opinion::Behind]);
                Message::PreVoteAnswer { attempt, opinion, promised: ballot, chosen }
            }
            6 => Message::Prepare { ballot, from: slot },
            7 | 8 => {
                let (ballot, from) = (answered, self.replica.chosen_to().next());
                let entries = self.entries(from);
                Message::Promise { ballot, from, to: to_end, chosen, entries }
            }
            9 | 10 => Message::Accept { ballot, chosen, slot, value: self.value(slot) },
            11 => Message::Accepted { ballot: answered, from: slot, to, chosen },
            12 => Message::Nack { ballot: answered, promised: ballot, chosen },
            13 => Message::TooFarBehind { ballot: answered, chosen },
            14 => Message::Heartbeat { ballot, beat, chosen },
            15 => Message::HeartbeatAck { ballot: answered, beat, chosen },
            16 => Message::Commit { ballot, chosen },
            17 => Message::CatchUp { from: slot },
            18 => Message::Suffix { chosen, entries: self.entries(slot) },
            _ => Message::Propose { requests: self.requests() },
        }
    }
}
