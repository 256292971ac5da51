//! What goes into a replica, and what it asks for in return.

use alloc::vec::{Drain, Vec};
use core::fmt;

use crate::event::Event;
use crate::id::{Ballot, ReplicaId, Slot};
use crate::message::{Entry, Message, Request, Value};
use crate::record::Record;
use crate::voters::Voters;

/// Something that happened to a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time passed; at the latest at the deadline.
    Tick,
    /// A message came in, from a peer or from this replica itself.
    Message {
        /// The sender, as the transport knows it.
        from: ReplicaId,
        /// What it says.
        message: Message,
    },
    /// Please agree on these, in this order within a session.
    Propose(Vec<Request>),
    /// Is this replica the leader still? Answered in [`Step::confirmed`] under this ticket.
    Confirm(u64),
    /// Someone saw signs of this replica's death. Suspicion is not death: it starts at most a pre-vote.
    Suspect(ReplicaId),
    /// Lead now, with a new ballot, if this replica votes.
    Campaign,
    /// Stop leading, if this replica leads, as soon as a voter that is up to date has taken over.
    HandOver,
    /// From the next slot on, these shall vote. Refused ([`Event::VotersRefused`]) by a replica that does not lead,
    /// while another change is under way, and as long as a new one of them, or a majority, is not alive and up to
    /// date.
    ChangeVoters(Voters),
    /// The answer to a [`Fetch`]: chosen entries from its first slot on, without holes; none if the log is trimmed
    /// there.
    Fetched {
        /// Who asked.
        to: ReplicaId,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// A snapshot of the state machine is at hand. It is to be put in place by the write of
    /// [`Record::Installed`], not before.
    Installed {
        /// The last slot that it holds.
        slot: Slot,
        /// Who votes in the next one.
        voters: Voters,
    },
}

/// A message and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The addressee; may be the sender itself. The transport goes by its number: nobody may know its disk yet.
    pub to: ReplicaId,
    /// What to say.
    pub message: Message,
}

/// A slot's final value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Where in the log.
    pub slot: Slot,
    /// The highest ballot under which this replica knows it; may differ between replicas.
    pub ballot: Ballot,
    /// What every replica will find there.
    pub value: Value,
}

/// A request for the caller's disk: chosen entries that are no longer in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Who wants them.
    pub to: ReplicaId,
    /// The first slot.
    pub from: Slot,
    /// At most so many entries.
    pub limit: usize,
}

/// What one or more inputs asked for. Send what [`take_immediate`](Self::take_immediate) gives, then
/// [`persist`](Self::persist), which empties it: it may then be filled again, and has room already.
#[must_use = "a step holds records to write and messages to send"]
#[derive(Debug, Default)]
pub struct Step {
    pub(crate) records: Vec<Record>,
    pub(crate) immediate: Vec<Outgoing>,
    pub(crate) durable: Vec<Outgoing>,
    pub(crate) chosen: Vec<Chosen>,
    pub(crate) events: Vec<Event>,
    pub(crate) confirmed: Vec<(u64, bool)>,
    pub(crate) fetch: Vec<Fetch>,
}

impl Step {
    /// Adds what a later input asked for, so that one write serves both.
    pub fn absorb(&mut self, later: Self) {
        append(&mut self.records, later.records);
        append(&mut self.immediate, later.immediate);
        if self.durable.is_empty() {
            self.durable = later.durable;
        } else {
            later.durable.into_iter().for_each(|out| self.send_durable(out.to, out.message));
        }
        append(&mut self.chosen, later.chosen);
        append(&mut self.events, later.events);
        append(&mut self.confirmed, later.confirmed);
        append(&mut self.fetch, later.fetch);
    }

    /// A message that rests on nothing unwritten.
    pub(crate) fn send(&mut self, to: ReplicaId, message: Message) {
        self.immediate.push(Outgoing { to, message });
    }

    /// A message that rests on this step's records or earlier ones. An acceptance joins the one before it if that
    /// is the latest message, and so waits for the same write: nothing that was sent, or that another message
    /// to the same peer came after, ever changes.
    pub(crate) fn send_durable(&mut self, to: ReplicaId, message: Message) {
        let last = self.durable.last_mut().filter(|out| out.to == to);
        if !last.is_some_and(|out| out.message.extend(&message)) {
            self.durable.push(Outgoing { to, message });
        }
    }

    /// True if nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.immediate.is_empty()
            && self.durable.is_empty()
            && self.chosen.is_empty()
            && self.events.is_empty()
            && self.confirmed.is_empty()
            && self.fetch.is_empty()
    }

    /// True if a record is there that the durable messages rest on. Without one the closure of
    /// [`persist`](Self::persist) may write nothing, or whenever it likes.
    pub fn needs_write(&self) -> bool {
        self.records.iter().any(|record| !matches!(record, Record::Chosen(_)))
    }

    /// Messages that rest on nothing unwritten: they may leave before the write.
    pub fn take_immediate(&mut self) -> impl Iterator<Item = Outgoing> + '_ {
        self.immediate.drain(..)
    }

    /// Newly chosen entries: contiguous, ascending, each slot once in a process' life, from the first
    /// that was not applied when it started.
    pub fn chosen(&self) -> &[Chosen] {
        &self.chosen
    }

    /// Like [`chosen`](Self::chosen), and takes them out.
    pub fn take_chosen(&mut self) -> Vec<Chosen> {
        core::mem::take(&mut self.chosen)
    }

    /// What happened, for people.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Answers to [`Input::Confirm`]. `(ticket, true)`: when the ticket came in, this replica led, and no
    /// other could have chosen anything; what is chosen by this step (inclusive) is fresh enough for a read
    /// or a lease that began with the ticket.
    pub fn confirmed(&self) -> &[(u64, bool)] {
        &self.confirmed
    }

    /// Entries to read from disk for a late peer; answered with [`Input::Fetched`].
    pub fn fetch(&self) -> &[Fetch] {
        &self.fetch
    }

    /// Hands the records to `write`, which returns once they are durable, and then gives the messages that
    /// rest on them. There is no other way to these messages. The step is empty then.
    ///
    /// # Errors
    /// Whatever `write` reports. The messages are then gone, as if the process had stopped before sending;
    /// the caller must stop the replica, because its memory is now ahead of its disk.
    pub fn persist<R, E>(
        &mut self,
        write: impl FnOnce(&[Record]) -> Result<R, E>,
    ) -> Result<(R, Durable<'_>), E> {
        let written = write(&self.records);
        self.clear_all_but_durable();
        match written {
            Ok(written) => Ok((written, Durable(self.durable.drain(..)))),
            Err(error) => {
                self.durable.clear();
                Err(error)
            }
        }
    }

    fn clear_all_but_durable(&mut self) {
        self.records.clear();
        self.immediate.clear();
        self.chosen.clear();
        self.events.clear();
        self.confirmed.clear();
        self.fetch.clear();
    }
}

/// Most of a step is often empty: then nothing has to be copied.
fn append<T>(to: &mut Vec<T>, mut later: Vec<T>) {
    if to.is_empty() {
        *to = later;
    } else {
        to.append(&mut later);
    }
}

/// Proof that a step's records are on disk, and the messages that waited for it.
#[must_use = "holds messages to send"]
pub struct Durable<'a>(Drain<'a, Outgoing>);

impl<'a> Durable<'a> {
    /// The messages, in order. Those to this replica itself come back as [`Input::Message`] from itself.
    pub fn into_messages(self) -> impl Iterator<Item = Outgoing> + 'a {
        self.0
    }
}

impl fmt::Debug for Durable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_can_go_to_the_thread_that_writes() {
        const fn send<T: Send>() {}
        send::<Step>();
        send::<Durable>();
    }

    #[test]
    fn acceptances_that_wait_for_one_write_leave_as_one() {
        let (leader, other) = (ReplicaId(2), ReplicaId(3));
        let ballot = Ballot { round: 1, replica: leader };
        let accepted = |ballot, slot| {
            let (slot, chosen) = (Slot(slot), Slot(slot - 1));
            Message::Accepted { ballot, from: slot, to: slot, chosen }
        };
        let (mut step, mut later) = (Step::default(), Step::default());
        step.send_durable(leader, accepted(ballot, 1));
        step.send_durable(leader, accepted(ballot, 2));
        later.send_durable(leader, accepted(ballot, 3));
        later.send_durable(leader, accepted(ballot, 5));
        later.send_durable(leader, accepted(ballot.succeeded_by(leader), 6));
        later.send_durable(leader, accepted(ballot, 7));
        later.send_durable(other, accepted(ballot, 8));
        step.absorb(later);
        let Ok(((), durable)) = step.persist(|_| Ok::<_, core::convert::Infallible>(()));
        let mut messages = durable.into_messages();
        let first = Message::Accepted { ballot, from: Slot(1), to: Slot(3), chosen: Slot(2) };
        assert_eq!(messages.next(), Some(Outgoing { to: leader, message: first }));
        assert_eq!(messages.count(), 4);
    }

    #[test]
    fn a_step_is_empty_after_its_write_also_if_nobody_took_the_messages() {
        let mut step = Step::default();
        step.records.push(Record::Chosen(Slot(3)));
        step.send(ReplicaId(2), Message::CatchUp { from: Slot(1) });
        step.send_durable(ReplicaId(2), Message::CatchUp { from: Slot(1) });
        drop(step.persist(|_| Ok::<_, ()>(())));
        assert!(step.is_empty());
    }

    #[test]
    fn a_failed_write_gives_no_messages() {
        let mut step = Step::default();
        step.send_durable(ReplicaId(2), Message::CatchUp { from: Slot(1) });
        assert_eq!(step.persist(|_| Err::<(), _>("full")).err(), Some("full"));
        assert!(step.is_empty());
    }

    #[test]
    fn a_commit_mark_alone_forces_no_write() {
        let mut step = Step::default();
        step.records.push(Record::Chosen(Slot(3)));
        assert!(!step.needs_write());
        step.records.push(Record::Promised(Ballot::ZERO));
        assert!(step.needs_write());
    }
}
