//! What a device decides: a state machine without clock, network or log.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use wire::{Answer, Clock, Command, Kind, OrderNumber, PayloadError, Report, RequestId, State};

use super::outbox::{Entry, Outbox};

/// Answers to the user that are remembered, in case one is lost and the user asks again. One user
/// acts on a device at a time, so a few are plenty.
const REMEMBERED: usize = 16;

/// What happens to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The broker accepted the connection.
    Up,
    /// The connection is lost.
    Down,
    /// An order from the owner of the zone.
    Command(Bytes),
    /// The user acts on the device.
    World {
        /// The new state, as a report says it.
        payload: Bytes,
        /// Who wants to know when the report is agreed.
        asker: Option<Asker>,
    },
    /// The owner answered a report.
    Answer {
        /// Correlation Data of the report.
        correlation: Option<Bytes>,
        /// The answer.
        payload: Bytes,
    },
    /// The device measured something by itself.
    Reading(State),
    /// The deadline has passed.
    Wake,
}

/// What a device does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Publish a report.
    Report {
        /// Correlation Data.
        id: String,
        /// The report.
        payload: Bytes,
    },
    /// Answer the user.
    Reply {
        /// Who asked.
        to: Asker,
        /// The answer.
        payload: Bytes,
    },
    /// Tell people.
    Note(Note),
}

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Response Topic.
    pub topic: String,
    /// Correlation Data.
    pub correlation: Option<Bytes>,
}

/// Something that people may want to know; it shows itself as a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The first report was agreed.
    Registered {
        /// Number of the device.
        node: u64,
        /// The gateway that owns its zone.
        owner: u64,
    },
    /// An order was carried out.
    Obeyed {
        /// Its number.
        order: OrderNumber,
        /// What the device is now.
        state: State,
    },
    /// An order that had been carried out before came again; its report is repeated.
    Repeated(OrderNumber),
    /// The user changed the device.
    Acted(State),
    /// A report was refused for good.
    Refused(String),
    /// A report was given up because too many wait.
    GivenUp,
    /// A payload could not be understood.
    NotUnderstood(PayloadError),
}

impl Note {
    /// Whether someone should look after it.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::GivenUp | Self::NotUnderstood(_))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { node, owner } => {
                write!(f, "registered as node {node} with gateway {owner}")
            }
            Self::Obeyed { order, state } => write!(f, "obeyed order {order}: state {state}"),
            Self::Repeated(order) => write!(f, "order {order} came again; it is reported again"),
            Self::Acted(state) => write!(f, "the user acted: state {state}"),
            Self::Refused(why) => write!(f, "a report was refused: {why}"),
            Self::GivenUp => write!(f, "gave up the oldest waiting report: too many wait"),
            Self::NotUnderstood(why) => write!(f, "not understood: {why}"),
        }
    }
}

/// A device.
///
/// The caller's duties: pass everything that happens to [`Core::step`], carry out the effects in
/// order, and pass [`Input::Wake`] when [`Core::deadline`] has passed. Times count from the
/// device's start.
#[derive(Debug)]
pub struct Core {
    kind: Kind,
    state: State,
    clock: Clock,
    // Not kept over a restart: the first order seen then counts as new. That is safe because
    // orders are absolute: carrying one out twice leaves the same state, and an old one that comes
    // first is followed by the newer ones.
    last_order: Option<OrderNumber>,
    registered: bool,
    life: u64,
    reports: u64,
    outbox: Outbox,
    answers: VecDeque<(RequestId, Bytes)>,
}

impl Core {
    /// A device that has its first report, which registers it, ready. `life` differs from every
    /// other start of the device.
    #[must_use]
    pub fn new(kind: Kind, initial: State, life: u64) -> Self {
        let mut core = Self {
            kind,
            state: initial,
            clock: Clock(0),
            last_order: None,
            registered: false,
            life,
            reports: 0,
            outbox: Outbox::default(),
            answers: VecDeque::new(),
        };
        let mut report = Report::of(core.state.clone());
        report.kind = Some(kind);
        core.report(Duration::ZERO, report, None, None);
        core
    }

    /// What the device is now.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Deals with what happened at `now`.
    pub fn step(&mut self, now: Duration, input: Input) -> Vec<Effect> {
        let mut effects = match input {
            Input::Up => self.connected(now, true),
            Input::Down => self.connected(now, false),
            Input::Command(payload) => self.command(now, &payload),
            Input::World { payload, asker } => self.world(now, &payload, asker),
            Input::Answer { correlation, payload } => self.answer(now, correlation, payload),
            Input::Reading(state) => {
                self.state = state;
                self.report(now, Report::of(self.state.clone()), None, None)
            }
            Input::Wake => Vec::new(),
        };
        if let Some(entry) = self.outbox.send(now) {
            effects.push(Effect::Report { id: entry.id.clone(), payload: entry.payload.clone() });
        }
        effects
    }

    /// When to wake the device if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.outbox.deadline()
    }

    fn connected(&mut self, now: Duration, connected: bool) -> Vec<Effect> {
        self.outbox.connected(now, connected);
        Vec::new()
    }

    fn command(&mut self, now: Duration, payload: &[u8]) -> Vec<Effect> {
        let Command { order, state, clock } = match Command::parse(payload) {
            Ok(command) => command,
            Err(error) => return vec![Effect::Note(Note::NotUnderstood(error))],
        };
        self.clock.observe(clock);
        let newest = match self.last_order {
            Some(last) if order <= last => last,
            _ => order,
        };
        let note = if self.last_order == Some(newest) {
            // Its report may be lost, and an order without report is open for ever.
            Note::Repeated(order)
        } else {
            self.last_order = Some(order);
            self.state = self.kind.own(&state);
            Note::Obeyed { order, state: self.state.clone() }
        };
        let mut report = Report::of(self.state.clone());
        // The state stands for the newest order, and that closes the older ones too.
        report.order = Some(newest);
        let mut effects = vec![Effect::Note(note)];
        effects.extend(self.report(now, report, None, None));
        effects
    }

    fn world(&mut self, now: Duration, payload: &[u8], asker: Option<Asker>) -> Vec<Effect> {
        let said = match Report::parse(payload) {
            Ok(said) => said,
            Err(error) => {
                let refusal = Bytes::from(Answer::error(&error).to_json().to_string());
                let reply = asker.map(|to| Effect::Reply { to, payload: refusal });
                let note = Effect::Note(Note::NotUnderstood(error));
                return reply.into_iter().chain([note]).collect();
            }
        };
        if let Some(action) = &said.id {
            if let Some((_, answer)) = self.answers.iter().find(|(known, _)| known == action) {
                let payload = answer.clone();
                return asker.map(|to| Effect::Reply { to, payload }).into_iter().collect();
            }
            if let Some(entry) = self.outbox.of_action(action) {
                entry.asker = asker.or(entry.asker.take());
                return Vec::new();
            }
        }
        self.clock.observe(said.clock);
        self.state = self.kind.own(&said.state);
        let mut report = Report::of(self.state.clone());
        report.presence = said.presence;
        let mut effects = vec![Effect::Note(Note::Acted(self.state.clone()))];
        effects.extend(self.report(now, report, asker, said.id));
        effects
    }

    fn answer(&mut self, now: Duration, of: Option<Bytes>, payload: Bytes) -> Vec<Effect> {
        // Whatever else comes on this topic is no answer, and the report is sent again.
        let Ok(answer) = Answer::parse(&payload) else { return Vec::new() };
        let echoed = answer.get("id").as_str().unwrap_or_default();
        let id = of.as_deref().unwrap_or(echoed.as_bytes());
        let Some(entry) = self.outbox.answered(now, id) else { return Vec::new() };
        self.clock.observe(Clock(answer.get("clock").as_u64().unwrap_or(0).min(1 << 60)));
        let mut effects = Vec::new();
        if let Some(why) = answer.failure() {
            effects.push(Effect::Note(Note::Refused(why.to_owned())));
        } else if !self.registered {
            self.registered = true;
            let number = |name| answer.get(name).as_u64().unwrap_or(0);
            let (node, owner) = (number("node"), number("owner"));
            effects.push(Effect::Note(Note::Registered { node, owner }));
        }
        effects.extend(self.settle(entry, payload));
        effects
    }

    /// Tells the user what became of the report, now and if the same is asked again.
    fn settle(&mut self, entry: Entry, payload: Bytes) -> Option<Effect> {
        if let Some(action) = entry.action {
            if self.answers.len() == REMEMBERED {
                self.answers.pop_front();
            }
            self.answers.push_back((action, payload.clone()));
        }
        entry.asker.map(|to| Effect::Reply { to, payload })
    }

    fn report(
        &mut self,
        now: Duration,
        mut report: Report,
        asker: Option<Asker>,
        action: Option<RequestId>,
    ) -> Vec<Effect> {
        self.reports += 1;
        let id = format!("{:x}-{}", self.life, self.reports);
        report.id = RequestId::new(id.as_str()).ok();
        report.clock = self.clock.tick();
        let payload = Bytes::from(report.to_payload());
        let entry = Entry { id, payload, asker, action };
        let Some(dropped) = self.outbox.push(now, entry) else { return Vec::new() };
        let refusal = Answer::error("the device has too many reports waiting; try again later");
        let refusal = Bytes::from(refusal.to_json().to_string());
        let reply = dropped.asker.map(|to| Effect::Reply { to, payload: refusal });
        [Effect::Note(Note::GivenUp)].into_iter().chain(reply).collect()
    }
}

#[cfg(test)]
mod tests;
