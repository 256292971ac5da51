//! The driver: the only file that sees both the core and the outside. It waits, steps, carries
//! out effects, hands steps to the store, and feeds back what the store gives.

use std::future::Future;
use std::time::Duration;

use gateway_core::event::{Effect, Input, Session, Stored};
use gateway_core::id::{Generation, Token};
use gateway_core::peer::{PeerMessage, unsealed};
use gateway_core::{Gateway, Step};
use link::{Publish, Qos};
use paxos::Moment;
use tokio::sync::mpsc;
use wire::{
    GatewayId, Heartbeat, Knock, Liveness, MAKER_PROPERTY, SiteGeneration, Topic, Topics,
    UP_TO_PROPERTY,
};

use crate::clock::Clock;
use crate::contention::{Act, Contention, Group};
use crate::error::Error;
use crate::fit::fitting;
use crate::inbox::{AT_ONCE, Arrival, From};
use crate::peers::Peers;
use crate::sessions::{Change, Sessions, delivery};
use crate::store::{Outcome, Refused, SnapshotThread, StoreThread, SurveyThread};
use crate::twin::{Claim, Rival};
use crate::voice::Voice;

/// Results of the store that wait for the driver: it takes them before anything else, so there
/// are seldom two.
pub(crate) const RESULTS: usize = 4;

/// How long a leader that stops waits for another to lead; it takes some milliseconds, unless there
/// is none.
const HANDOVER: Duration = Duration::from_millis(500);

pub(crate) type Results = mpsc::Receiver<Outcome>;

pub(crate) struct Driver {
    pub(crate) id: GatewayId,
    pub(crate) generation: SiteGeneration,
    pub(crate) incarnation: u64,
    pub(crate) rival: Rival,
    pub(crate) topics: Topics,
    pub(crate) clock: Clock,
    pub(crate) core: Gateway,
    /// Only if the settings allow it.
    pub(crate) contention: Option<Contention>,
    pub(crate) peers: Peers,
    pub(crate) sessions: Sessions,
    pub(crate) store: StoreThread,
    pub(crate) snapshots: SnapshotThread,
    pub(crate) survey: SurveyThread,
    pub(crate) voice: Voice,
    /// What the store has no room for yet; later steps are absorbed into it.
    pub(crate) waiting: Step,
}

impl Driver {
    /// Runs until `shutdown` completes or something is beyond repair.
    pub(crate) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Arrival>,
        mut results: Results,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let ended = self.serve(&mut inbox, &mut results, shutdown).await;
        self.sessions.close_all();
        if matches!(ended, Ok(()) | Err(Error::Invariant(_))) {
            // Whoever asked for what ends it here hears why.
            self.peers.close().await;
        }
        // Dropping the store waits until what was submitted is written.
        ended
    }

    async fn serve(
        &mut self,
        inbox: &mut mpsc::Receiver<Arrival>,
        results: &mut Results,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        tokio::pin!(shutdown);
        loop {
            let deadline = self.clock.instant(self.core.deadline());
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(result) = results.recv() => self.stored(result?)?,
                Some(arrival) = inbox.recv() => self.arrived(arrival)?,
                () = tokio::time::sleep_until(deadline) => self.step(Input::Tick)?,
            }
            // One write serves everything that has come in the meantime.
            for _ in 0..AT_ONCE {
                if let Ok(result) = results.try_recv() {
                    self.stored(result?)?;
                } else if let Ok(arrival) = inbox.try_recv() {
                    self.arrived(arrival)?;
                } else {
                    break;
                }
            }
            self.submit();
        }
        tracing::info!("gateway {} stops", self.id);
        self.hand_over(inbox, results).await
    }

    /// A leader that stops on purpose leaves no gap: another leads before it is gone.
    async fn hand_over(
        &mut self,
        inbox: &mut mpsc::Receiver<Arrival>,
        results: &mut Results,
    ) -> Result<(), Error> {
        let patience = tokio::time::sleep(HANDOVER);
        tokio::pin!(patience);
        if self.core.is_leading() {
            self.step(Input::Stopping)?;
        }
        while self.core.is_leading() {
            self.submit();
            let deadline = self.clock.instant(self.core.deadline());
            tokio::select! {
                biased;
                () = &mut patience => break,
                Some(result) = results.recv() => self.stored(result?)?,
                Some(arrival) = inbox.recv() => self.arrived(arrival)?,
                () = tokio::time::sleep_until(deadline) => self.step(Input::Tick)?,
            }
        }
        Ok(())
    }

    fn stored(&mut self, all: Vec<Stored>) -> Result<(), Error> {
        all.into_iter().try_for_each(|stored| self.step(Input::Stored(stored)))
    }

    fn step(&mut self, input: Input) -> Result<(), Error> {
        let ticks = matches!(input, Input::Tick);
        let mut step = self.core.step(self.clock.now(), input);
        for effect in step.take_effects() {
            self.carry_out(effect)?;
        }
        self.waiting.absorb(step);
        if ticks { self.contend(Contention::look) } else { Ok(()) }
    }

    /// Does what a contention wants done, if there is one.
    fn contend(
        &mut self,
        wants: impl FnOnce(&mut Contention, Group<'_>, Moment) -> Vec<Act>,
    ) -> Result<(), Error> {
        let Some(contention) = &mut self.contention else { return Ok(()) };
        let (leader, voters, round) = (self.core.leader(), self.core.voters(), self.core.round());
        let group = Group { leader, voters, round };
        for act in wants(contention, group, self.clock.now().moment) {
            match act {
                Act::Campaign => self.step(Input::Campaign)?,
                Act::Hear(from, message) => self.step(Input::Peer { from, message })?,
                Act::Answer(effect) => self.carry_out(effect)?,
            }
        }
        Ok(())
    }

    fn submit(&mut self) {
        if !self.waiting.needs_store() {
            return;
        }
        match self.store.submit(core::mem::take(&mut self.waiting)) {
            Ok(()) => {}
            // A result is on its way, and after it this is tried again.
            Err(Refused::Full(step)) => self.waiting = *step,
            // Its last result says why, and ends the driver.
            Err(Refused::Stopped) => {}
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Error> {
        match effect {
            Effect::Send { to, message } => {
                if self.contention.as_mut().is_none_or(|contention| contention.lets(to, &message)) {
                    self.peers.send(to, &message);
                }
            }
            Effect::Beat(beat) => self.peers.beat(&beat),
            Effect::Open { session, generation, epoch } => {
                self.sessions.open(session, generation, epoch)
            }
            Effect::Close { session } => self.sessions.close(&session),
            Effect::Publish {
                session,
                topic,
                payload,
                at_least_once,
                retain,
                correlation,
                expires,
            } => {
                let qos = if at_least_once { Qos::AtLeastOnce } else { Qos::AtMostOnce };
                let mut publish = Publish::new(topic, fitting(payload)).qos(qos).retain(retain);
                publish.correlation = correlation.map(Into::into);
                publish.expires = expires;
                match session {
                    Session::Own => self.peers.publish(publish),
                    session => self.sessions.publish(&session, publish),
                }
            }
            Effect::Acknowledge { session, generation, token, refusal } => {
                self.sessions.acknowledge(&session, generation, token, refusal);
            }
            Effect::Snapshot(task) => self.snapshots.submit(task),
            Effect::Survey(survey, ticket) => {
                if !self.survey.ask(survey, ticket) {
                    self.step(Input::Stored(Stored::NotSurveyed(ticket)))?;
                }
            }
            Effect::Say(words) => self.voice.say(&words),
            Effect::Outlived(by) => {
                return Err(Error::Outlived { gateway: self.id, incarnation: by.0 });
            }
            Effect::Adopt(generation) => return Err(Error::Adopt(generation)),
            Effect::SetBack(why) => return Err(Error::SetBack(why)),
            Effect::Stop(why) => return Err(Error::Invariant(why)),
        }
        Ok(())
    }

    fn arrived(&mut self, Arrival { from, event }: Arrival) -> Result<(), Error> {
        if let From::Session(named) = &from {
            let (session, generation) = (named.0.clone(), named.1);
            return match self.sessions.arrived(&session, generation, event) {
                Some(Change::Up) => self.step(Input::Up { session, generation }),
                Some(Change::Down) => self.step(Input::Down { session, generation }),
                Some(Change::Delivered(delivery)) => self.step(Input::Delivery(delivery)),
                None => Ok(()),
            };
        }
        if matches!(event, link::Event::Down(_)) {
            self.rival.lost(self.clock.now().moment);
        }
        if let Some(up) = self.peers.changed(&from, &event) {
            return self.step(Input::Links { up });
        }
        match (from, event) {
            (From::Paxos, link::Event::Message(message)) => self.heard(&message),
            (From::Own, link::Event::Message(message)) => self.asked(message),
            _ => Ok(()),
        }
    }

    fn heard(&mut self, message: &link::Delivery) -> Result<(), Error> {
        // Paxos messages are never retained: such a one is an old one, or a forgery.
        if message.retain {
            return Ok(());
        }
        let unsealed = unsealed(&message.payload);
        let decoded = unsealed.and_then(|(of, bytes)| Ok((of, PeerMessage::decode(bytes)?)));
        match decoded {
            Ok((generation, (from, _))) if generation != self.generation => {
                let from = GatewayId(from.number());
                self.step(Input::OtherGeneration { from, generation })
            }
            Ok((_, (from, message))) => {
                let heard = match &mut self.contention {
                    Some(contention) => contention.hears(from, message),
                    None => Some(message),
                };
                heard.map_or(Ok(()), |message| self.step(Input::Peer { from, message }))
            }
            Err(error) => {
                tracing::warn!("a message on {} is dropped: {error}", message.topic);
                Ok(())
            }
        }
    }

    /// Something came in on the gateway's own connection.
    fn asked(&mut self, message: link::Delivery) -> Result<(), Error> {
        match self.topics.parse(&message.topic) {
            Some(Topic::Gateway(_, wire::GatewayVerb::Status)) => self.beat(&message),
            Some(Topic::Waiting) => match waiting(&message) {
                Some(input) => self.step(input),
                None => Ok(()),
            },
            Some(Topic::Asking) => match asking(&message.payload) {
                Some(input) => self.step(input),
                None => Ok(()),
            },
            topic => {
                let delivery = delivery(Session::Own, Generation(0), Token(0), message);
                let leads = matches!(topic, Some(Topic::Gateway(_, wire::GatewayVerb::Lead)));
                if leads && self.contention.is_some() && Contention::is_asked(&delivery) {
                    return self
                        .contend(|contention, group, now| contention.begin(delivery, group, now));
                }
                self.step(Input::Delivery(delivery))
            }
        }
    }

    fn beat(&mut self, message: &link::Delivery) -> Result<(), Error> {
        let beat = match Heartbeat::parse(&message.payload) {
            // A retained "alive" is never evidence; a retained will is old news.
            Ok(beat) if message.retain => return self.step(Input::Kept(beat)),
            Ok(beat) => beat,
            Err(_) => return Ok(()),
        };
        if beat.gateway != self.id {
            return self.step(Input::Heartbeat(beat));
        }
        let (gateway, incarnation) = (self.id, beat.incarnation);
        let is_echo = beat.status == Liveness::Alive && incarnation == self.incarnation;
        match self.rival.judge(&beat, self.clock.now()) {
            Claim::Twin => Err(Error::Twin { gateway, incarnation }),
            Claim::Forged(true) => {
                tracing::warn!(
                    "somebody publishes heartbeats in the name of gateway {gateway} (incarnation \
                     {incarnation}) and is no gateway: it has not taken this one's connections; \
                     they are ignored, but see who may publish on {}",
                    message.topic
                );
                Ok(())
            }
            Claim::Own if is_echo => self.step(Input::Echo),
            Claim::Forged(false) | Claim::Own => Ok(()),
        }
    }
}

/// For which zone without a session the broker holds a report, and on whose account it would be made.
fn waiting(message: &link::Delivery) -> Option<Input> {
    let zone = std::str::from_utf8(&message.payload).ok()?.parse().ok()?;
    let property = |name: &str| {
        let found = message.properties.iter().find(|(named, _)| named == name);
        found.map(|(_, text)| text.as_str())
    };
    let maker = property(MAKER_PROPERTY).and_then(|text| text.parse().ok());
    let up_to = property(UP_TO_PROPERTY).and_then(|text| text.parse().ok());
    Some(Input::Waiting { zone, maker: maker.zip(up_to) })
}

/// What the broker holds for a zone without a session, as the core takes it.
fn asking(payload: &[u8]) -> Option<Input> {
    let Knock { up_to, zone } = std::str::from_utf8(payload).ok()?.parse().ok()?;
    Some(Input::Asking(zone.parse().ok()?, up_to))
}
