//! What one replica makes of one input: this is where the code under test runs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use std::sync::Arc;
use std::time::Duration;

use paxos::{
    Ballot, Chosen, Config, Event, Input, Message, Moment, Outgoing, Record, Replica, ReplicaId,
    Request, SessionId, Slot,
};

use crate::bounds::Bounds;

/// All that ever happens, happens now: every pause that timers could bring about is an order of events too.
const NOW: Moment = Moment(0);

/// What followed from an input.
pub(crate) struct Reaction {
    pub(crate) replica: Replica,
    pub(crate) immediate: Vec<Outgoing>,
    pub(crate) records: Vec<Record>,
    pub(crate) durable: Vec<Outgoing>,
    pub(crate) needs_write: bool,
    pub(crate) chosen: Vec<Chosen>,
    /// What happened, in words.
    pub(crate) events: Vec<String>,
}

/// A replica with an input more; `Err` says which invariant it found broken.
pub(crate) fn step(before: &Replica, input: Input) -> Result<Reaction, String> {
    let mut replica = before.clone();
    let stepped = catch_unwind(AssertUnwindSafe(|| replica.step(NOW, input)));
    let mut step = stepped.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
    })?;
    assert!(step.fetch().is_empty(), "everything is in memory");
    let contradiction = step.events().iter().find(|e| matches!(e, Event::Contradicted { .. }));
    if let Some(contradiction) = contradiction {
        return Err(contradiction.to_string());
    }
    let events = step.events().iter().map(ToString::to_string).collect();
    let (immediate, chosen) = (step.take_immediate().collect(), step.take_chosen());
    let needs_write = step.needs_write();
    // The write begins here. It ends when the model says so, and only then the messages are used.
    let written = step.persist(|records| Ok::<_, String>(records.to_vec()));
    let (records, rest) = written?;
    let durable = rest.into_messages().collect();
    Ok(Reaction { replica, immediate, records, durable, needs_write, chosen, events })
}

pub(crate) fn start(id: ReplicaId, bounds: &Bounds, recovered: paxos::Recovered) -> Replica {
    let mut config = Config::new(id, bounds.founders().iter().map(ReplicaId::number));
    config.window = bounds.window;
    config.batch_requests = 1;
    // Then a timeout has no random part, and equal states look equal.
    config.election_max = config.election_min + Duration::from_nanos(1);
    Replica::new(config, recovered, NOW)
}

/// The one request of a replica's client.
pub(crate) fn request(of: ReplicaId) -> Request {
    Request { session: SessionId(of.0), number: 1, payload: Arc::from([]) }
}

/// The highest ballot that these messages promise to keep.
pub(crate) fn answered(messages: &[Outgoing]) -> Option<Ballot> {
    let ballots = messages.iter().filter_map(|out| match &out.message {
        Message::Promise { ballot, .. } | Message::Accepted { ballot, .. } => Some(*ballot),
        _ => None,
    });
    ballots.max()
}

/// What a driver writes: the commit mark forces no write, so a step's own may be lost, but it goes along with the
/// next write.
pub(crate) fn with_mark(mark: Slot, records: Vec<Record>) -> Vec<Record> {
    let mark = (mark > Slot::ZERO).then_some(Record::Chosen(mark));
    mark.into_iter().chain(records).collect()
}
