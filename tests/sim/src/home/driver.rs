//! What a process does around its gateway: inputs, effects, writes, and what rested on them.

use gateway_core::Input;
use gateway_core::event::{Effect, Session, Stored};
use gateway_core::id::Generation;
use gateway_core::peer::PeerMessage;
use gateway_core::snapshots::Task;
use paxos::Moment;
use wire::GatewayId;

use super::broker::{Life, Request};
use super::claims;
use super::hearing::{self, Kind};
use super::plan::Late;
use super::shelf;
use super::world::{Event, MS, World};

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

impl World {
    /// Gives a gateway an input and carries out what it asks for.
    pub(crate) fn input(&mut self, life: Life, input: Input) {
        let now = self.now;
        if !self.nodes[&life.0].is(life) {
            return;
        }
        self.note_of(life.0, "input", || format!("{input:?}"));
        hearing::before(self, life, &input);
        let kind = Kind::of(&input);
        let up = matches!(input, Input::Links { up: true });
        let granted = self.granted(life, &input);
        let node = self.node(life.0);
        let Some(mut step) = node.step(now, input) else { return };
        let effects = step.take_effects();
        node.waiting.absorb(step);
        hearing::after(self, life, kind);
        if let Some((sent, before)) = granted {
            claims::a_lease_is_one_that_this_life_asked_for(self, life.0, sent, before);
        }
        self.summary.inputs += 1;
        for effect in effects {
            self.carry_out(life, effect);
        }
        self.submit(life);
        self.arm(life);
        if up {
            self.tell_what_was_kept(life);
        }
        claims::after_a_step(self, life.0);
        self.perhaps_a_loser_does_not_hear_of_it();
    }

    /// When the lease was asked for that an input grants, and the lease before it.
    fn granted(&self, life: Life, input: &Input) -> Option<(u64, Option<Moment>)> {
        let Input::Peer { message: PeerMessage::LeaseGrant { sent, .. }, .. } = input else {
            return None;
        };
        Some((*sent, self.nodes[&life.0].core.as_ref()?.lease()))
    }

    /// Whoever subscribes hears what the broker has kept of the others.
    fn tell_what_was_kept(&mut self, life: Life) {
        let kept: Vec<_> = self.broker.kept.values().copied().collect();
        for beat in kept.into_iter().filter(|beat| beat.gateway != life.0) {
            self.soon(Event::Input(life, Input::Kept(beat)));
        }
        self.soon(Event::Input(life, Input::Echo));
    }

    fn arm(&mut self, life: Life) {
        let now = self.now;
        let node = self.node(life.0);
        let deadline = node.deadline().unwrap_or(u64::MAX).max(now + 1);
        if deadline < node.wake {
            node.wake = deadline;
            self.at(deadline, Event::Wake(life));
        }
    }

    pub(crate) fn wake(&mut self, life: Life) {
        let now = self.now;
        let node = self.node(life.0);
        if node.life() == life && node.wake <= now {
            node.wake = u64::MAX;
            self.input(life, Input::Tick);
        }
    }

    /// Begins a write if none is under way: it takes all that waits.
    fn submit(&mut self, life: Life) {
        let node = &self.nodes[&life.0];
        if node.core.is_none() || node.writing.is_some() || !node.waiting.needs_store() {
            return;
        }
        let fate = self.fate(life.0);
        let takes = self.write_time();
        let node = self.node(life.0);
        let step = core::mem::take(&mut node.waiting);
        node.writes += 1;
        node.writing = Some((step, fate));
        let number = node.writes;
        self.after(takes, Event::Written(life, number));
    }

    fn fate(&mut self, id: GatewayId) -> Fate {
        if self.calm {
            return Fate::Done;
        }
        if self.nodes[&id].full_until > self.now || self.dice.chance(self.plan.storage.failing) {
            return Fate::Fails;
        }
        if self.dice.chance(self.plan.storage.deadly) {
            return self.dice.pick(&[Fate::DiesBefore, Fate::DiesAfter]);
        }
        Fate::Done
    }

    fn write_time(&mut self) -> u64 {
        if !self.calm && self.dice.chance(self.plan.storage.slow) {
            let takes = self.dice.tail(1000, 5_000_000);
            self.summary.slow_writes += u64::from(takes >= 1_000_000);
            return takes;
        }
        self.dice.between(1, self.plan.storage.write)
    }

    pub(crate) fn written(&mut self, life: Life, number: u64) {
        let node = self.node(life.0);
        if !node.is(life) || node.writes != number {
            return;
        }
        match node.writing.as_ref().map(|(_, fate)| *fate) {
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
        let node = self.nodes.get_mut(&id).expect("a gateway of this world");
        let Some((step, _)) = node.writing.take() else { return Vec::new() };
        node.disk.shelf.tidy(now);
        let (stored, news) = node.disk.persist(step, &self.watch.agreement.history);
        claims::after_a_write(self, id, news);
        stored
    }

    /// Whether the transaction under way was whole when the process died.
    pub(crate) fn write_what_survives(&mut self, id: GatewayId) {
        if self.nodes[&id].writing.is_none() {
            return;
        }
        let kept = self.dice.between(0, 100);
        let most = self.plan.storage.survives;
        if kept * 2 < most {
            self.write(id);
            return;
        }
        self.summary.lost_writes += 1;
        self.summary.torn_writes += u64::from(kept < most);
    }

    fn carry_out(&mut self, life: Life, effect: Effect) {
        let id = life.0;
        match effect {
            Effect::Send { to, message } => self.send(life, to, message),
            Effect::Beat(beat) => {
                if self.nodes[&id].cut.is_none() && !self.muted.contains(&id) {
                    self.broker.kept.insert(id, beat);
                    self.broadcast(Some(id), || Input::Heartbeat(beat));
                }
            }
            Effect::Open { session, generation, .. } => self.open(life, session, generation),
            Effect::Close { session } => {
                if let Some((generation, _)) = self.node(id).sessions.remove(&session) {
                    self.on(life, session, generation, Request::Close);
                }
            }
            Effect::Publish { session, topic, payload, .. } => {
                claims::an_answer_tells_what_is_in_the_tables(self, id, &topic, &payload);
                if topic.ends_with("/state") {
                    claims::a_state_is_published_after_it_is_stored(self, id, &payload);
                }
                if let Some((generation, true)) = self.nodes[&id].sessions.get(&session).copied() {
                    self.on(life, session, generation, Request::Publish { topic, payload });
                }
            }
            Effect::Acknowledge { session, generation, token, refusal } => {
                if matches!(session, Session::Zone(_)) && refusal.is_none() {
                    claims::an_owner_acknowledges_what_is_in_its_tables(self, id, token.0);
                }
                self.on(life, session, generation, Request::Acknowledge(token.0));
                self.perhaps_the_last_act(life);
            }
            // Whatever looks after the process starts it again.
            Effect::Outlived(_) => self.after(0, Event::Die(life)),
            // Nobody asks for that here.
            Effect::Survey(..) => {}
            Effect::Adopt(_) => unreachable!("no site is recovered here"),
            Effect::SetBack(_) => self.gives_its_number_up(life),
            Effect::Stop(why) => self.stops(life, why),
            Effect::Snapshot(task) => self.work_on_snapshots(life, task),
            Effect::Say(words) => {
                self.note_of(id, "says", || words.clone());
                self.reads_what_it_says(life, words);
            }
        }
    }

    /// The process dies just after something has left.
    pub(crate) fn perhaps_the_last_act(&mut self, life: Life) {
        if !self.calm && self.dice.chance(self.plan.last_act) {
            self.after(0, Event::Die(life));
        }
    }

    fn open(&mut self, life: Life, session: Session, generation: Generation) {
        self.note_of(life.0, "opens", || format!("{session:?}"));
        claims::nobody_opens_a_zone_that_its_house_does_not_give_it(self, life.0, &session);
        claims::nobody_reopens_a_zone_that_was_gone_before_it_asked(self, life.0, &session);
        let node = self.node(life.0);
        node.sessions.insert(session.clone(), (generation, false));
        if node.cut.is_some() {
            let down = Input::Down { session, generation };
            return self.after(200 * MS, Event::Input(life, down));
        }
        if matches!(session, Session::Query(_)) && self.is_late(Late::Query) {
            let time = self.now + self.lateness();
            self.hold_up((life, session.clone(), false), time);
        }
        self.on(life, session, generation, Request::Open);
    }

    fn on(&mut self, life: Life, session: Session, generation: Generation, request: Request) {
        let lane = (life, session.clone(), false);
        let broker = self.broker.incarnation;
        self.in_order(lane, Event::Request(broker, life, session, generation, request));
    }

    pub(crate) fn request(
        &mut self,
        broker: u64,
        life: Life,
        session: Session,
        generation: Generation,
        request: Request,
    ) {
        let node = &self.nodes[&life.0];
        if !node.is(life) || node.cut.is_some() {
            return;
        }
        if broker != self.broker.incarnation {
            // The connection broke before it was made.
            if matches!(request, Request::Open) {
                self.soon(Event::Input(life, Input::Down { session, generation }));
            }
            return;
        }
        // A connection that was given up meanwhile is no connection.
        let gone = node.sessions.get(&session).is_none_or(|open| open.0 != generation);
        if gone && !matches!(request, Request::Close) {
            return;
        }
        let acts = self.broker.take(life, session, generation, request);
        self.act(acts);
    }

    pub(crate) fn tell(&mut self, broker: u64, life: Life, session: Session, input: Input) {
        let now = self.broker.incarnation;
        let node = self.node(life.0);
        if !node.is(life) || node.cut.is_some() || broker != now {
            return;
        }
        match &input {
            Input::Up { generation, .. } => {
                if let Some(open) = node.sessions.get_mut(&session).filter(|o| o.0 == *generation) {
                    open.1 = true;
                }
            }
            Input::Down { generation, .. } => {
                node.sessions.retain(|of, open| *of != session || open.0 != *generation);
                claims::note_thrown_out(self, life.0, &session);
            }
            _ => {}
        }
        self.input(life, input);
    }

    /// What the process does beside its store, and when it is done.
    fn work_on_snapshots(&mut self, life: Life, task: Task) {
        let loss = self.plan.network.loss;
        let takes = matches!(task, Task::Take(_));
        let flip = takes && !self.calm && self.dice.chance(loss);
        let now = self.now;
        let node = self.nodes.get_mut(&life.0).expect("a gateway of this world");
        let report = shelf::work(&mut node.disk, (life.0, now), &mut self.library, task, flip);
        let Some(report) = report else { return };
        let done = self.now + 1 + self.dice.between(0, 2 * MS);
        self.at(done, Event::Input(life, Input::Stored(Stored::Snapshot(report))));
    }
}
