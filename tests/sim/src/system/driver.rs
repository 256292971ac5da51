//! What a process does around its gateway: inputs, effects, writes, and what rested on them.

use broker_core::protocol::{Outgoing, Properties, Publish, Qos, Reason};
use gateway_core::Input;
use gateway_core::event::{Delivery, Effect, Session, Stored};
use gateway_core::house::Refusal;
use gateway_core::id::{Generation, Token};
use gateway_core::peer::PeerMessage;
use gateway_core::snapshots::Task;
use wire::{
    Epoch, GatewayId, GatewayVerb, Heartbeat, Knock, MAKER_PROPERTY, Topic, UP_TO_PROPERTY,
};

use super::claims;
use super::links::{Answer, Arrival, Name, Open, publish};
use super::process::Life;
use super::properties;
use super::world::{Event, MS, World};
use crate::home::shelf;

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// The process dies between two storage calls, or before the sync.
    DiesBefore,
    /// The process dies between the sync and the first message.
    DiesAfter,
    /// A call or the sync fails: the process must stop, whatever the file holds.
    Fails,
}

/// Arrivals that a driver takes before it carries out what they ask for.
const AT_ONCE: usize = 256;

impl World {
    /// Gives a gateway an input and carries out what it asks for.
    pub(crate) fn input(&mut self, life: Life, input: Input) {
        let now = self.now;
        if !self.processes[&life.0].is(life) {
            return;
        }
        self.note_of(life.0, "input", || format!("{input:?}"));
        let process = self.process(life.0);
        let Some(mut step) = process.step(now, input) else { return };
        let effects = step.take_effects();
        process.waiting.absorb(step);
        self.summary.inputs += 1;
        for effect in effects {
            self.carry_out(life, effect);
        }
        self.submit(life);
        self.arm(life);
        claims::after_a_step(self, life.0);
    }

    pub(crate) fn arm(&mut self, life: Life) {
        let now = self.now;
        let process = self.process(life.0);
        let deadline = process.deadline().unwrap_or(u64::MAX).max(now + 1);
        if deadline < process.wake {
            process.wake = deadline;
            self.at(deadline, Event::Wake(life));
        }
    }

    pub(crate) fn wake(&mut self, life: Life) {
        let now = self.now;
        let process = self.process(life.0);
        if !process.is(life) || process.wake > now {
            return;
        }
        process.wake = u64::MAX;
        if !process.paused {
            self.input(life, Input::Tick);
        }
    }

    /// The driver has something to look at.
    pub(crate) fn drain_soon(&mut self, life: Life) {
        let process = self.process(life.0);
        if !process.is(life) || process.paused || std::mem::replace(&mut process.draining, true) {
            return;
        }
        let soon = self.dice.between(1, 60);
        self.after(soon, Event::Drain(life));
    }

    /// The driver takes what its links have for it: of each in order, between them in whatever order.
    pub(crate) fn drain(&mut self, life: Life) {
        let process = self.process(life.0);
        if !process.is(life) || process.paused {
            return;
        }
        process.draining = false;
        for _ in 0..AT_ONCE {
            let process = &self.processes[&life.0];
            let ready = process.links.iter().filter(|(_, link)| !link.arrivals.is_empty());
            let ready: Vec<u64> = ready.map(|(number, _)| *number).collect();
            if ready.is_empty() {
                return;
            }
            let number = self.dice.pick(&ready);
            let link = self.process(life.0).links.get_mut(&number).expect("a link that is ready");
            let (name, conn) = (link.name.clone(), link.conn);
            let Some(arrival) = link.arrivals.pop_front() else { continue };
            if let Some(conn) = conn {
                self.plan_down(conn);
            }
            self.arrived(life, number, &name, arrival);
            if !self.processes[&life.0].is(life) {
                return;
            }
        }
        self.drain_soon(life);
    }

    fn arrived(&mut self, life: Life, number: u64, name: &Name, arrival: Arrival) {
        match (name, arrival) {
            (Name::Session(session, generation, _), arrival) => {
                self.session_arrived(life, number, (session, *generation), arrival);
            }
            (_, Arrival::Subscribed) => self.links_changed(life, name, true),
            (_, Arrival::Down) => self.links_changed(life, name, false),
            (Name::Paxos, Arrival::Message(outgoing, _)) => {
                if !outgoing.retain
                    && let Ok((from, message)) = PeerMessage::decode(&outgoing.message.payload)
                {
                    self.input(life, Input::Peer { from, message });
                }
            }
            (Name::Own, Arrival::Message(outgoing, _)) => self.asked(life, &outgoing),
        }
    }

    fn links_changed(&mut self, life: Life, name: &Name, up: bool) {
        let process = self.process(life.0);
        let before = process.paxos_up && process.own_up;
        match name {
            Name::Paxos => process.paxos_up = up,
            _ => process.own_up = up,
        }
        let after = process.paxos_up && process.own_up;
        if before != after {
            self.input(life, Input::Links { up: after });
        }
    }

    /// Something came in on the gateway's own connection.
    fn asked(&mut self, life: Life, outgoing: &Outgoing) {
        match self.topics.parse(&outgoing.message.topic) {
            Some(Topic::Gateway(_, GatewayVerb::Status)) => {
                match Heartbeat::parse(&outgoing.message.payload) {
                    Ok(beat) if beat.gateway == life.0 && !outgoing.retain => {
                        self.input(life, Input::Echo);
                    }
                    Ok(beat) if outgoing.retain => self.input(life, Input::Kept(beat)),
                    Ok(beat) => self.input(life, Input::Heartbeat(beat)),
                    Err(_) => {}
                }
            }
            Some(Topic::Waiting) => {
                let zone = std::str::from_utf8(&outgoing.message.payload).map(str::parse);
                let Ok(Ok(zone)) = zone else { return };
                let said = properties::read(outgoing).user;
                let property = |name| said.iter().find(|(named, _)| named == name);
                let maker = property(MAKER_PROPERTY).and_then(|(_, text)| text.parse().ok());
                let up_to = property(UP_TO_PROPERTY).and_then(|(_, text)| text.parse().ok());
                self.input(life, Input::Waiting { zone, maker: maker.zip(up_to) });
            }
            Some(Topic::Asking) => {
                let knock = std::str::from_utf8(&outgoing.message.payload).map(str::parse);
                let Ok(Ok(Knock { up_to, zone })) = knock else { return };
                self.input(life, Input::Asking(zone.parse().expect("a zone"), up_to));
            }
            _ => {
                let delivery = delivery(Session::Own, Generation(0), Token(0), outgoing);
                self.input(life, Input::Delivery(delivery));
            }
        }
    }

    fn session_arrived(
        &mut self,
        life: Life,
        number: u64,
        (session, generation): (&Session, Generation),
        arrival: Arrival,
    ) {
        let process = self.process(life.0);
        let Some(open) = process.open.get_mut(session).filter(|open| open.link == number) else {
            return;
        };
        let session = session.clone();
        match arrival {
            Arrival::Subscribed => {
                open.up = true;
                self.input(life, Input::Up { session, generation });
            }
            Arrival::Down => {
                process.open.remove(&session);
                process.links.remove(&number);
                self.input(life, Input::Down { session, generation });
            }
            Arrival::Message(outgoing, due) => {
                process.next_token += 1;
                let token = Token(process.next_token);
                if let Some(due) = due {
                    open.acks.insert(token, due);
                    let full = open.acks.len() >= usize::from(self.plan.bounds.receive_maximum);
                    self.reach.receive_maximum |= full;
                }
                let delivery = delivery(session, generation, token, &outgoing);
                self.input(life, Input::Delivery(delivery));
            }
        }
    }

    /// Begins a write if none is under way: it takes all that waits.
    pub(crate) fn submit(&mut self, life: Life) {
        let process = &self.processes[&life.0];
        if process.core.is_none() || process.writing.is_some() || !process.waiting.needs_store() {
            return;
        }
        let fate = self.fate(life.0);
        let takes = self.write_time(life.0);
        let process = self.process(life.0);
        let step = std::mem::take(&mut process.waiting);
        process.writes += 1;
        process.writing = Some((step, fate));
        let number = process.writes;
        self.after(takes, Event::Written(life, number));
    }

    fn fate(&mut self, id: GatewayId) -> Fate {
        if self.calm {
            return Fate::Done;
        }
        let full = self.processes[&id].full_until > self.now;
        if full || self.dice.chance(self.plan.storage.failing) {
            return Fate::Fails;
        }
        if self.dice.chance(self.plan.storage.deadly) {
            return self.dice.pick(&[Fate::DiesBefore, Fate::DiesAfter]);
        }
        Fate::Done
    }

    fn write_time(&mut self, id: GatewayId) -> u64 {
        if !self.calm && self.processes[&id].slow_until > self.now {
            return self.dice.between(20, 400) * MS;
        }
        if !self.calm && self.dice.chance(self.plan.storage.slow) {
            self.summary.slow_writes += 1;
            return self.dice.between(100, 3000) * MS;
        }
        self.dice.between(1, self.plan.storage.write)
    }

    pub(crate) fn written(&mut self, life: Life, number: u64) {
        let process = &self.processes[&life.0];
        if !process.is(life) || process.writes != number {
            return;
        }
        if process.paused {
            // The disk is done; the process hears of it when it goes on.
            return self.after(5 * MS, Event::Written(life, number));
        }
        match process.writing.as_ref().map(|(_, fate)| *fate) {
            None => {}
            Some(Fate::Done) => {
                for part in self.write(life.0) {
                    self.input(life, Input::Stored(part));
                }
                self.submit(life);
            }
            Some(Fate::DiesBefore) => self.crash(life.0),
            Some(Fate::DiesAfter) => {
                self.write(life.0);
                self.crash(life.0);
            }
            Some(Fate::Fails) => {
                self.summary.failed_writes += 1;
                self.note_of(life.0, "write fails", String::new);
                self.crash(life.0);
            }
        }
    }

    /// The transaction under way is on the disk.
    pub(crate) fn write(&mut self, id: GatewayId) -> Vec<Stored> {
        let now = self.now;
        let process = self.processes.get_mut(&id).expect("a gateway of this world");
        let Some((step, _)) = process.writing.take() else { return Vec::new() };
        process.disk.shelf.tidy(now);
        let (stored, news) = process.disk.persist(step, &self.watch.agreement.history);
        claims::after_a_write(self, id, news);
        stored
    }

    fn carry_out(&mut self, life: Life, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.send(life, to, &message),
            Effect::Beat(beat) => {
                let topic = self.topics.gateway(life.0, GatewayVerb::Status);
                let mut publish = publish(topic, beat.to_payload(), Qos::AtMostOnce);
                publish.retain = true;
                self.publish_as_own(life, publish);
            }
            Effect::Open { session, generation, epoch } => {
                self.open(life, (session, generation, epoch))
            }
            Effect::Close { session } => {
                if let Some(open) = self.process(life.0).open.remove(&session) {
                    self.abort(life, open.link);
                }
            }
            Effect::Publish {
                session,
                topic,
                payload,
                at_least_once,
                retain,
                correlation,
                expires,
            } => {
                claims::before_a_publish(self, life.0, &topic, &payload);
                let qos = if at_least_once { Qos::AtLeastOnce } else { Qos::AtMostOnce };
                let mut publish = publish(topic, payload, qos);
                publish.retain = retain;
                let forwarded = correlation.map(|data| properties::correlation(&data));
                publish.properties =
                    Properties { forwarded: forwarded.unwrap_or_default(), expiry: expires };
                self.publish(life, &session, publish);
            }
            Effect::Acknowledge { session, generation, token, refusal } => {
                let reason = refusal.map(reason_for);
                self.acknowledge(life, &session, generation, token, reason);
            }
            // Whatever looks after the process starts it again.
            Effect::Outlived(_) => self.after(0, Event::Die(life)),
            // Nobody asks for that here.
            Effect::Survey(..) => {}
            Effect::Adopt(_) => unreachable!("no site is recovered here"),
            Effect::SetBack(_) => self.gives_its_number_up(life),
            Effect::Stop(why) => crate::verdict::broken("no gateway stops by itself", why),
            Effect::Snapshot(task) => self.work_on_snapshots(life, task),
            Effect::Say(words) => {
                claims::gateway_says(self, &words);
                self.note_of(life.0, "says", || words);
            }
        }
    }

    fn send(&mut self, life: Life, to: GatewayId, message: &PeerMessage) {
        claims::before_a_message(self, life.0, message);
        let process = &self.processes[&life.0];
        let (link, replica) = (process.paxos, process.replica());
        let topic = self.topics.paxos(to, message.leg());
        let publish = publish(topic, message.encode(replica), Qos::AtMostOnce);
        if !self.try_publish(life, link, publish) {
            self.summary.drops += 1;
        }
        let last = self.plan.last_act;
        if !self.calm && claims::rests_on_a_write(message) && self.dice.chance(last) {
            self.after(0, Event::Die(life));
        }
    }

    fn publish_as_own(&mut self, life: Life, publish: Publish) {
        let own = self.processes[&life.0].own;
        if !self.try_publish(life, own, publish) {
            self.summary.drops += 1;
        }
    }

    fn publish(&mut self, life: Life, session: &Session, publish: Publish) {
        if *session == Session::Own {
            return self.publish_as_own(life, publish);
        }
        let Some(link) = self.processes[&life.0].open.get(session).map(|open| open.link) else {
            return;
        };
        self.publish_in_turn(life, link, publish);
    }

    fn acknowledge(
        &mut self,
        life: Life,
        session: &Session,
        generation: Generation,
        token: Token,
        refusal: Option<Reason>,
    ) {
        let process = self.process(life.0);
        let open = process.open.get_mut(session).filter(|open| open.generation == generation);
        let Some(open) = open else { return };
        let Some(due) = open.acks.remove(&token) else { return };
        let link = open.link;
        self.acknowledge_in_turn(life, link, Answer(due, refusal));
        let last = self.plan.last_act;
        if !self.calm && self.dice.chance(last) {
            self.after(0, Event::Die(life));
        }
    }

    fn open(&mut self, life: Life, (session, generation, epoch): (Session, Generation, Epoch)) {
        self.note_of(life.0, "opens", || format!("{session:?}"));
        if let Some(old) = self.process(life.0).open.remove(&session) {
            self.abort(life, old.link);
        }
        let link = self.new_link(life, Name::Session(session.clone(), generation, epoch));
        let open = Open { generation, link, up: false, acks: Default::default() };
        self.process(life.0).open.insert(session, open);
    }

    /// What the process does beside its store, and when it is done.
    fn work_on_snapshots(&mut self, life: Life, task: Task) {
        let now = self.now;
        let process = self.processes.get_mut(&life.0).expect("a gateway of this world");
        let disk = &mut process.disk;
        let report = shelf::work(disk, (life.0, now), &mut self.library, task, false);
        let Some(report) = report else { return };
        let done = self.now + 1 + self.dice.between(0, 2 * MS);
        self.at(done, Event::Filed(life, Stored::Snapshot(report)));
    }
}

/// What the shell makes of a refusal.
const fn reason_for(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Payload => Reason::PayloadFormat,
        Refusal::Unknown => Reason::Topic,
        Refusal::Denied => Reason::NotAuthorized,
        Refusal::Quota => Reason::Quota,
    }
}

/// A message of a link, as the core takes it.
fn delivery(
    session: Session,
    generation: Generation,
    token: Token,
    outgoing: &Outgoing,
) -> Delivery {
    let found = properties::read(outgoing);
    Delivery {
        session,
        generation,
        token,
        topic: outgoing.message.topic.to_string(),
        payload: outgoing.message.payload.to_vec(),
        promised: outgoing.qos != Qos::AtMostOnce,
        retain: outgoing.retain,
        response_topic: found.response_topic,
        correlation: found.correlation,
        properties: found.user,
    }
}
