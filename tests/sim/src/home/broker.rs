//! A broker with Hearth's edge: persistent zone sessions that are taken over, redelivery under the same stamp, clean
//! query sessions, the site's session, presence and retained states. All of it is in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gateway_core::Input;
use gateway_core::event::{Delivery, Session};
use gateway_core::id::{Generation, Incarnation, Token};
use wire::{
    GatewayId, Heartbeat, Maker, STAMP_PROPERTY, Site, Stamp, Topic, Topics, Turned, Zone, ZoneVerb,
};

/// A gateway in one of its lives.
pub(crate) type Life = (GatewayId, Incarnation);

/// What a gateway sends on a session.
#[derive(Debug)]
pub(crate) enum Request {
    Open,
    Close,
    Publish { topic: String, payload: Vec<u8> },
    Acknowledge(u64),
}

/// What the broker does.
pub(crate) enum Act {
    /// On a session, to a gateway.
    Tell(Life, Session, Input),
    /// To whoever published it.
    Acknowledge(u64),
    /// To whoever subscribed.
    Publish { topic: String, payload: Vec<u8> },
    /// Whoever had this session has it still, for a while.
    Lingers(Session, Life, Generation),
}

#[derive(Clone)]
struct Held {
    stamp: u64,
    topic: String,
    payload: Vec<u8>,
    response: Option<String>,
}

pub(crate) struct Broker {
    pub(crate) topics: Topics,
    /// Which life of it.
    pub(crate) incarnation: u64,
    holders: BTreeMap<Session, (Life, Generation)>,
    held: BTreeMap<Zone, VecDeque<Held>>,
    /// Refused on the leader's word, which has not answered yet. The real broker acknowledges these at once.
    turned: BTreeMap<u64, Held>,
    presence: BTreeMap<String, Vec<u8>>,
    /// The last heartbeat or will of each gateway.
    pub(crate) kept: BTreeMap<GatewayId, Heartbeat>,
    /// Retained states by topic.
    pub(crate) states: BTreeMap<String, Vec<u8>>,
    stamps: u64,
    /// A foreign broker may take its time until it throws a holder out: what it holds and may
    /// answer until then.
    pub(crate) lingers: bool,
    lingering: Vec<(Session, Life, Generation)>,
    /// A foreign one stamps nothing, and knows a zone only once somebody has subscribed to it.
    pub(crate) foreign: bool,
    known: BTreeSet<Zone>,
    /// On whose account all zones are made.
    pub(crate) maker: Option<Maker>,
}

/// A stamp as one number.
pub(crate) const fn key(stamp: Stamp) -> u64 {
    stamp.incarnation << 40 | stamp.counter
}

const fn stamp(key: u64) -> Stamp {
    Stamp { broker: 1, incarnation: key >> 40, counter: key & ((1 << 40) - 1) }
}

impl Broker {
    pub(crate) fn new() -> Self {
        Self {
            topics: Topics::new(Site::new("home").expect("a name")),
            incarnation: 1,
            holders: BTreeMap::new(),
            held: BTreeMap::new(),
            turned: BTreeMap::new(),
            presence: BTreeMap::new(),
            kept: BTreeMap::new(),
            states: BTreeMap::new(),
            stamps: 0,
            lingers: false,
            lingering: Vec::new(),
            foreign: false,
            known: BTreeSet::new(),
            maker: None,
        }
    }

    /// It dies with all that it holds, and another life begins.
    pub(crate) fn restart(&mut self) {
        let incarnation = self.incarnation + 1;
        let (lingers, foreign) = (self.lingers, self.foreign);
        *self = Self { incarnation, lingers, foreign, ..Self::new() };
    }

    pub(crate) fn holder(&self, session: &Session) -> Option<GatewayId> {
        self.holders.get(session).map(|((id, _), _)| *id)
    }

    /// Whether a life of a gateway would be heard on a session: it holds it, or has not been thrown out yet.
    pub(crate) fn hears(&self, session: &Session, life: Life) -> bool {
        let holds = self.holders.get(session).is_some_and(|(holder, _)| *holder == life);
        holds || self.lingering.iter().any(|(of, holder, _)| of == session && *holder == life)
    }

    /// What is not acknowledged yet.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.held.values().map(VecDeque::len).sum::<usize>() + self.turned.len()
    }

    /// What is announced of zones that hold something and have no session.
    pub(crate) fn waiting(&self) -> Vec<Input> {
        if self.foreign {
            return Vec::new();
        }
        let held = self.held.iter().filter(|(_, queue)| !queue.is_empty());
        let held = held.filter(|(zone, _)| self.holder(&Session::Zone((*zone).clone())).is_none());
        let announced = |(zone, queue): (&Zone, &VecDeque<Held>)| {
            if queue.iter().any(|held| held.topic.ends_with("/report")) {
                let maker = self.maker.clone();
                Input::Waiting { zone: zone.clone(), maker: maker.map(|maker| (maker, self.now())) }
            } else {
                Input::Asking(zone.clone(), self.now())
            }
        };
        held.map(announced).collect()
    }

    /// How much it has taken in.
    const fn now(&self) -> Stamp {
        Stamp { broker: 1, incarnation: self.incarnation, counter: self.stamps }
    }

    /// The leader says that nobody knows a zone: what it has been given until then is refused.
    fn turn_away(&mut self, payload: &[u8]) -> Vec<Act> {
        let turned = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok());
        let Turned { verb, knock } = turned.expect("a refusal");
        let zone: Zone = knock.zone.parse().expect("a zone");
        let Some(queue) = self.held.get_mut(&zone) else { return Vec::new() };
        let suffix = format!("/{verb}");
        let (refused, left): (VecDeque<_>, VecDeque<_>) = std::mem::take(queue)
            .into_iter()
            .partition(|held| held.stamp <= key(knock.up_to) && held.topic.ends_with(&suffix));
        *queue = left;
        let acts = refused.iter().flat_map(|held| self.hand(Session::Site, held, false)).collect();
        self.turned.extend(refused.into_iter().map(|held| (held.stamp, held)));
        acts
    }

    /// The stamp of the next publish.
    pub(crate) fn next_stamp(&self) -> u64 {
        key(Stamp { broker: 1, incarnation: self.incarnation, counter: self.stamps + 1 })
    }

    /// Someone publishes.
    pub(crate) fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        response: Option<String>,
    ) -> Vec<Act> {
        let stamp = self.next_stamp();
        self.stamps += 1;
        let message = Held { stamp, topic, payload, response };
        let Some(Topic::Device(zone, _, verb)) = self.topics.parse(&message.topic) else {
            return self.hand(Session::Site, &message, false);
        };
        match verb {
            ZoneVerb::Get => {
                let mut acts = self.hand(Session::Query(zone), &message, false);
                acts.extend(self.hand(Session::Site, &message, false));
                acts
            }
            ZoneVerb::Status => {
                self.presence.insert(message.topic.clone(), message.payload.clone());
                self.hand(Session::Zone(zone), &message, false)
            }
            _ if self.foreign && !self.known.contains(&zone) => Vec::new(),
            _ => {
                let acts = self.hand(Session::Zone(zone.clone()), &message, false);
                self.held.entry(zone).or_default().push_back(message);
                acts
            }
        }
    }

    /// A gateway sends something on a session that it opened as `generation`.
    pub(crate) fn take(
        &mut self,
        from: Life,
        session: Session,
        generation: Generation,
        request: Request,
    ) -> Vec<Act> {
        let lingers = self.lingering.contains(&(session.clone(), from, generation));
        let holds = self.holders.get(&session) == Some(&(from, generation)) || lingers;
        match request {
            Request::Open => self.open(from, session, generation),
            _ if !holds => Vec::new(),
            Request::Close if lingers => {
                self.lingering.retain(|(of, life, _)| (of, *life) != (&session, from));
                Vec::new()
            }
            Request::Close => {
                self.holders.remove(&session);
                Vec::new()
            }
            Request::Publish { topic, payload } => {
                if topic == self.topics.refuse() {
                    return self.turn_away(&payload);
                }
                let parsed = self.topics.parse(&topic);
                if matches!(parsed, Some(Topic::Device(_, _, ZoneVerb::State))) {
                    self.states.insert(topic.clone(), payload.clone());
                }
                vec![Act::Publish { topic, payload }]
            }
            Request::Acknowledge(stamp) => self.acknowledge(&session, stamp),
        }
    }

    /// A gateway's connections broke.
    pub(crate) fn lose(&mut self, life: Life) {
        self.holders.retain(|_, (holder, _)| *holder != life);
        self.lingering.retain(|(_, holder, _)| *holder != life);
    }

    /// It notices at last that somebody else has the session.
    pub(crate) fn throw_out(
        &mut self,
        session: Session,
        life: Life,
        generation: Generation,
    ) -> Vec<Act> {
        let lingers = (session.clone(), life, generation);
        if !self.lingering.contains(&lingers) {
            return Vec::new();
        }
        self.lingering.retain(|one| *one != lingers);
        let down = Input::Down { session: session.clone(), generation };
        vec![Act::Tell(life, session, down)]
    }

    /// A session's connection broke, which may have been taken over.
    pub(crate) fn lose_session(&mut self, session: &Session, life: Life, generation: Generation) {
        if self.holders.get(session) == Some(&(life, generation)) {
            self.holders.remove(session);
        }
    }

    fn open(&mut self, from: Life, session: Session, generation: Generation) -> Vec<Act> {
        let mut acts = Vec::new();
        let before = self.holders.insert(session.clone(), (from, generation));
        if self.lingers {
            if let Some((old, number)) = before {
                self.lingering.push((session.clone(), old, number));
                acts.push(Act::Lingers(session.clone(), old, number));
            }
        } else if let Some((old, number)) = before {
            let down = Input::Down { session: session.clone(), generation: number };
            acts.push(Act::Tell(old, session.clone(), down));
        }
        let up = Input::Up { session: session.clone(), generation };
        acts.push(Act::Tell(from, session.clone(), up));
        if session == Session::Site {
            acts.extend(
                self.turned.values().flat_map(|held| self.hand(Session::Site, held, false)),
            );
        }
        let Session::Zone(zone) = &session else { return acts };
        self.known.insert(zone.clone());
        let present = self.presence.iter().filter(|(topic, _)| {
            matches!(self.topics.parse(topic), Some(Topic::Device(of, ..)) if of == *zone)
        });
        let mut messages = Vec::new();
        for (topic, payload) in present {
            let (topic, payload) = (topic.clone(), payload.clone());
            messages.push((Held { stamp: 0, topic, payload, response: None }, true));
        }
        let held = self.held.get(zone).into_iter().flatten();
        messages.extend(held.map(|message| (message.clone(), false)));
        for (message, retain) in messages {
            acts.extend(self.hand(session.clone(), &message, retain));
        }
        acts
    }

    fn acknowledge(&mut self, session: &Session, stamp: u64) -> Vec<Act> {
        let Session::Zone(zone) = session else {
            return self
                .turned
                .remove(&stamp)
                .map(|_| Act::Acknowledge(stamp))
                .into_iter()
                .collect();
        };
        let Some(queue) = self.held.get_mut(zone) else { return Vec::new() };
        let Some(at) = queue.iter().position(|held| held.stamp == stamp) else { return Vec::new() };
        queue.remove(at);
        vec![Act::Acknowledge(stamp)]
    }

    fn hand(&self, session: Session, message: &Held, retain: bool) -> Vec<Act> {
        let lingering = self.lingering.iter().filter(|(of, ..)| *of == session);
        let mut holders: Vec<_> = lingering.map(|(_, life, number)| (*life, *number)).collect();
        holders.extend(self.holders.get(&session).copied());
        let deliver = |(holder, generation)| {
            let delivery = Delivery {
                session: session.clone(),
                generation,
                token: Token(message.stamp),
                topic: message.topic.clone(),
                payload: message.payload.clone(),
                promised: true,
                retain,
                response_topic: message.response.clone(),
                correlation: None,
                properties: if self.foreign {
                    Vec::new()
                } else {
                    vec![(STAMP_PROPERTY.to_owned(), stamp(message.stamp).to_string())]
                },
            };
            Act::Tell(holder, session.clone(), Input::Delivery(delivery))
        };
        holders.into_iter().map(deliver).collect()
    }
}
