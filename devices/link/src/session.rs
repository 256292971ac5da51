//! The protocol on one connection, without the connection: packets in, bytes and events out.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::BytesMut;
use tracing::{debug, warn};

use crate::codec::{self, Accepted, Arrived, Incoming, LARGEST, Outgoing};
use crate::message::{Ack, Delivery, DownReason, Due, Event, Granted, Publish};
use crate::{Options, Qos, Version};

/// Bytes that may wait for the socket before no more messages are taken: some round trips' worth.
const ENOUGH: usize = 256 * 1024;

/// Bytes that may wait for the socket before a broker counts as one that talks and does not listen. 4 MiB: what we
/// send of ourselves stays below [`ENOUGH`] and one packet more, and a broker that heeds its own limits is owed some
/// thousand answers of four bytes.
const TOO_MUCH: usize = 4 * LARGEST;

/// What a packet id waits for.
#[derive(Debug)]
enum Wait {
    PubAck,
    PubRec,
    PubComp,
    SubAck(Vec<(String, Qos)>),
}

/// Filters that the caller wants, and whether the broker has granted them to our session.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<(String, Qos, bool)>);

impl Subscriptions {
    pub(crate) fn add(&mut self, filters: &[(String, Qos)]) {
        for (filter, qos) in filters {
            self.0.retain(|(known, ..)| known != filter);
            self.0.push((filter.clone(), *qos, false));
        }
    }

    /// What a new connection must ask for.
    fn missing(&mut self, session_present: bool) -> Vec<(String, Qos)> {
        if !session_present {
            self.0.iter_mut().for_each(|(.., granted)| *granted = false);
        }
        let missing = self.0.iter().filter(|(.., granted)| !granted);
        missing.map(|(filter, qos, _)| (filter.clone(), *qos)).collect()
    }

    fn granted(&mut self, filter: &str) {
        for (known, _, granted) in &mut self.0 {
            *granted |= known == filter;
        }
    }
}

/// One connection, from CONNACK on.
pub(crate) struct Session<'a> {
    version: Version,
    connection: u64,
    manual_acks: bool,
    largest: usize,
    /// Bytes for the socket.
    pub(crate) output: BytesMut,
    events: VecDeque<Event>,
    subscriptions: &'a mut Subscriptions,
    waits: HashMap<u16, Wait>,
    last_id: u16,
    /// Publishes among the waits, and how many there may be.
    in_flight: usize,
    in_flight_limit: usize,
    /// QoS 2 deliveries that the broker has not released yet.
    unreleased: HashSet<u16>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        options: &Options,
        connection: u64,
        accepted: &Accepted,
        subscriptions: &'a mut Subscriptions,
    ) -> Self {
        let in_flight_limit = options.in_flight.min(accepted.receive_maximum.unwrap_or(u16::MAX));
        let largest = accepted.largest.map_or(LARGEST, |theirs| LARGEST.min(theirs as usize));
        let mut session = Self {
            version: options.version,
            connection,
            manual_acks: options.manual_acks,
            largest,
            output: BytesMut::new(),
            events: VecDeque::new(),
            subscriptions,
            waits: HashMap::new(),
            last_id: 0,
            in_flight: 0,
            in_flight_limit: usize::from(in_flight_limit.max(1)),
            unreleased: HashSet::new(),
        };
        session.events.push_back(Event::Up { session_present: accepted.session_present });
        let missing = session.subscriptions.missing(accepted.session_present);
        session.ask_for(missing);
        session
    }

    /// The next event for the caller.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts an event back that nobody could take yet.
    pub(crate) fn unread(&mut self, event: Event) {
        self.events.push_front(event);
    }

    /// Whether an event waits for the caller; until it is taken nothing more is read.
    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether a further message may be taken from the queue. Messages are never taken out of
    /// turn, so one limit holds for all qualities of service.
    pub(crate) fn takes_more(&self) -> bool {
        self.in_flight < self.in_flight_limit && self.output.len() < ENOUGH
    }

    pub(crate) fn publish(&mut self, message: Publish) {
        if !publishable(&message.topic) {
            warn!(topic = message.topic, "dropped a message: nobody may publish on this topic");
            return;
        }
        let (topic, qos) = (message.topic.clone(), message.qos);
        let id = if qos == Qos::AtMostOnce { 0 } else { self.free_id() };
        let packet = Outgoing::Publish(id, message);
        if let Err(error) = codec::write(self.version, packet, self.largest, &mut self.output) {
            warn!(topic, "dropped a message: {error}");
            return;
        }
        let wait = match qos {
            Qos::AtMostOnce => return,
            Qos::AtLeastOnce => Wait::PubAck,
            Qos::ExactlyOnce => Wait::PubRec,
        };
        self.waits.insert(id, wait);
        self.in_flight += 1;
    }

    pub(crate) fn subscribe(&mut self, filters: Vec<(String, Qos)>) {
        self.subscriptions.add(&filters);
        self.ask_for(filters);
    }

    fn ask_for(&mut self, filters: Vec<(String, Qos)>) {
        if filters.is_empty() {
            return;
        }
        let id = self.free_id();
        self.write(Outgoing::Subscribe(id, &filters));
        self.waits.insert(id, Wait::SubAck(filters));
    }

    pub(crate) fn acknowledge(&mut self, due: Due) {
        // The broker of a later connection never heard of this delivery's number.
        if due.connection != self.connection {
            return;
        }
        match due.qos {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => self.write(Outgoing::PubAck(due.packet, due.refusal)),
            Qos::ExactlyOnce => self.write(Outgoing::PubRec(due.packet, due.refusal)),
        }
    }

    pub(crate) fn ping(&mut self) {
        self.write(Outgoing::Ping);
    }

    pub(crate) fn disconnect(&mut self) {
        self.write(Outgoing::Disconnect);
    }

    /// Publishes that are counted as under way.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether an answer to this packet is still to come.
    #[cfg(test)]
    pub(crate) fn waits_for(&self, id: u16) -> bool {
        self.waits.contains_key(&id)
    }

    /// Deals with every complete packet in `input`.
    ///
    /// # Errors
    /// When the connection is over.
    pub(crate) fn read(&mut self, input: &mut BytesMut) -> Result<(), DownReason> {
        while let Some(packet) = codec::read(self.version, input).map_err(DownReason::because)? {
            self.handle(packet)?;
            if self.output.len() > TOO_MUCH {
                return Err(DownReason::because("the broker sends on and takes no answers"));
            }
        }
        Ok(())
    }

    fn handle(&mut self, packet: Incoming) -> Result<(), DownReason> {
        match packet {
            Incoming::Publish(arrived) => self.arrived(arrived),
            Incoming::PubAck(id, outcome) => {
                self.finished(id, "PUBACK", outcome, |wait| matches!(wait, Wait::PubAck))?;
            }
            Incoming::PubRec(id, Ok(())) => {
                match self.waits.get_mut(&id) {
                    Some(wait @ (Wait::PubRec | Wait::PubComp)) => *wait = Wait::PubComp,
                    Some(_) => return Err(crossed("PUBREC", id)),
                    None => {}
                }
                self.write(Outgoing::PubRel(id));
            }
            Incoming::PubRec(id, refusal) => {
                self.finished(id, "PUBREC", refusal, |wait| matches!(wait, Wait::PubRec))?;
            }
            Incoming::PubRel(id) => {
                self.unreleased.remove(&id);
                // Also for an unknown id: it may be left over from an earlier connection.
                self.write(Outgoing::PubComp(id));
            }
            Incoming::PubComp(id) => {
                self.finished(id, "PUBCOMP", Ok(()), |wait| matches!(wait, Wait::PubComp))?;
            }
            Incoming::SubAck(id, outcomes) => self.subscribed(id, outcomes)?,
            Incoming::Pong => {}
            Incoming::Disconnect { text, taken_over } => {
                return Err(DownReason { text, taken_over });
            }
            Incoming::Accepted(_) | Incoming::Refused(_) => {
                return Err(DownReason::because("the broker sent a second CONNACK"));
            }
        }
        Ok(())
    }

    fn arrived(&mut self, arrived: Arrived) {
        let Arrived { packet, dup, message } = arrived;
        if message.qos == Qos::ExactlyOnce && !self.unreleased.insert(packet) {
            return;
        }
        let qos = message.qos;
        let due = Due { connection: self.connection, packet, qos, refusal: None };
        let mut ack = Ack(None);
        if self.manual_acks && message.qos != Qos::AtMostOnce {
            ack = Ack(Some(due));
        } else {
            self.acknowledge(due);
        }
        self.events.push_back(Event::Message(Delivery {
            topic: message.topic,
            payload: message.payload,
            qos: message.qos,
            retain: message.retain,
            dup,
            response_topic: message.response_topic,
            correlation: message.correlation,
            properties: message.properties,
            ack,
        }));
    }

    /// The last answer to a publish, if it is one that its packet waits for.
    fn finished(
        &mut self,
        id: u16,
        answer: &str,
        outcome: Result<(), String>,
        fits: impl FnOnce(&Wait) -> bool,
    ) -> Result<(), DownReason> {
        match self.waits.get(&id) {
            Some(wait) if fits(wait) => {
                self.waits.remove(&id);
                self.in_flight -= 1;
            }
            Some(_) => return Err(crossed(answer, id)),
            None => debug!(id, "an acknowledgement that nobody waits for"),
        }
        if let Err(reason) = outcome {
            warn!(id, reason, "the broker refused a message");
        }
        Ok(())
    }

    fn subscribed(
        &mut self,
        id: u16,
        outcomes: Vec<Result<Qos, String>>,
    ) -> Result<(), DownReason> {
        let filters = match self.waits.remove(&id) {
            Some(Wait::SubAck(filters)) if filters.len() == outcomes.len() => filters,
            Some(_) => return Err(crossed("SUBACK", id)),
            None => return Ok(()),
        };
        let mut answer = Vec::with_capacity(filters.len());
        for ((filter, _), outcome) in filters.into_iter().zip(outcomes) {
            if outcome.is_ok() {
                self.subscriptions.granted(&filter);
            }
            answer.push(Granted { filter, outcome });
        }
        self.events.push_back(Event::Subscribed(answer));
        Ok(())
    }

    fn write(&mut self, packet: Outgoing<'_>) {
        if let Err(error) = codec::write(self.version, packet, self.largest, &mut self.output) {
            warn!("dropped a packet: {error}");
        }
    }

    /// An id that nothing waits for. There always is one: fewer than 65535 publishes are in
    /// flight, and a subscription is rare.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.wrapping_add(1).max(1);
            if !self.waits.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

/// To go on would leave something unanswered for ever.
fn crossed(answer: &str, id: u16) -> DownReason {
    DownReason::because(format!("the broker's {answer} does not answer what was sent as {id}"))
}

/// A broker throws out a client that publishes on any other topic.
fn publishable(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= 65_535 && !topic.contains(['+', '#', '\0'])
}
