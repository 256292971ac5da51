//! The sessions that the core opens and closes: two for each zone that it owns, and the site's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::event::{Delivery, Session};
use gateway_core::house::Refusal;
use gateway_core::id::{Generation, Token};
use link::{Ack, Link, Options, Publish, Qos, Version};
use tokio::sync::mpsc;
use wire::{EPOCH_PROPERTY, Epoch, Topics, Zone, ZoneVerb};

use crate::inbox::{Arrival, From, filters, forward};
use crate::line::Line;
use crate::peers;
use crate::settings::Settings;

/// The open sessions.
pub(crate) struct Sessions {
    settings: Settings,
    topics: Topics,
    inbox: mpsc::Sender<Arrival>,
    open: BTreeMap<Session, Open>,
    last_token: Token,
}

struct Open {
    generation: Generation,
    line: Line,
    /// Deliveries that are not acknowledged yet; the receive maximum bounds it.
    acks: BTreeMap<Token, Ack>,
}

/// What became of a session.
pub(crate) enum Change {
    /// It is subscribed.
    Up,
    /// It is over.
    Down,
    /// It delivered something.
    Delivered(Delivery),
}

/// Deliveries of a zone that wait for their commit. Enough to fill a batch of Paxos; few enough
/// that a new owner is given them again within milliseconds. `gateway_core` remembers many more.
const RECEIVE_MAXIMUM: u16 = 64;

/// How long another broker keeps the session of a zone that nobody owns, and what waits in it. One of ours holds what
/// is for a zone without a session, and keeps none that nobody will open again.
const EXPIRY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Sessions {
    pub(crate) fn new(settings: &Settings, inbox: mpsc::Sender<Arrival>) -> Self {
        let topics = Topics::new(settings.site.clone());
        let settings = settings.clone();
        Self { settings, topics, inbox, open: BTreeMap::new(), last_token: Token(0) }
    }

    pub(crate) fn open(&mut self, session: Session, generation: Generation, epoch: Epoch) {
        let (link, events) = Link::open(self.options(&session, epoch));
        let named = Arc::new((session.clone(), generation));
        forward(From::Session(named), events, self.inbox.clone());
        let subscribe = link.clone();
        let wanted = self.filters(&session);
        tokio::spawn(async move {
            // Only a link that has ended refuses, and that one reports it as Down.
            let _ = subscribe.subscribe(wanted).await;
        });
        if let Some(old) = self
            .open
            .insert(session, Open { generation, line: Line::new(link), acks: BTreeMap::new() })
        {
            old.line.abort();
        }
    }

    /// Ends a session at once; what it has not sent is dropped.
    pub(crate) fn close(&mut self, session: &Session) {
        if let Some(open) = self.open.remove(session) {
            open.line.abort();
        }
    }

    pub(crate) fn close_all(&mut self) {
        for (_, open) in core::mem::take(&mut self.open) {
            open.line.abort();
        }
    }

    /// Publishes on a session; waits in line while its connection takes no more. A session that is closed drops it:
    /// when it is opened again everything is told anew.
    pub(crate) fn publish(&mut self, session: &Session, publish: Publish) {
        if let Some(open) = self.open.get_mut(session) {
            open.line.publish(&self.topics, publish);
        }
    }

    /// Acknowledges a delivery; with a reason if it is refused for good.
    pub(crate) fn acknowledge(
        &mut self,
        session: &Session,
        generation: Generation,
        token: Token,
        refusal: Option<Refusal>,
    ) {
        let open = self.open.get_mut(session).filter(|open| open.generation == generation);
        let Some(open) = open else { return };
        if let Some(ack) = open.acks.remove(&token) {
            open.line.acknowledge(ack, refusal);
        }
    }

    /// What an event of a session's link means; none when it is of a session closed since.
    pub(crate) fn arrived(
        &mut self,
        session: &Session,
        generation: Generation,
        event: link::Event,
    ) -> Option<Change> {
        let open = self.open.get_mut(session).filter(|open| open.generation == generation)?;
        match event {
            link::Event::Up { .. } => None,
            link::Event::Subscribed(granted) => {
                let refused = granted.into_iter().find_map(|g| Some((g.filter, g.outcome.err()?)));
                let Some((filter, why)) = refused else { return Some(Change::Up) };
                tracing::error!("the broker refuses {session:?} its filter {filter}: {why}");
                open.line.abort();
                None
            }
            link::Event::Down(reason) => {
                tracing::debug!("session {session:?} is down: {reason}");
                self.open.remove(session);
                Some(Change::Down)
            }
            link::Event::Message(mut message) => {
                self.last_token = self.last_token.next();
                let token = self.last_token;
                if message.qos != Qos::AtMostOnce {
                    open.acks.insert(token, std::mem::replace(&mut message.ack, Ack::none()));
                }
                Some(Change::Delivered(delivery(session.clone(), generation, token, message)))
            }
        }
    }

    fn options(&self, session: &Session, epoch: Epoch) -> Options {
        // Properties, and with them stamps and Response Topics, need MQTT 5; another broker may
        // speak 3.1.1 only.
        let version = if self.settings.own_broker { Version::V5 } else { Version::V3 };
        let client_id = match session {
            Session::Zone(zone) => self.topics.zone_session(zone),
            Session::Query(zone) => self.topics.query_session(zone),
            Session::Site | Session::Own => self.topics.site_session(),
        };
        let mut options = peers::options(&self.settings, client_id, version);
        options.properties.push((EPOCH_PROPERTY.to_owned(), epoch.0.to_string()));
        if matches!(session, Session::Zone(_)) {
            options.clean = false;
            options.session_expiry = if self.settings.own_broker { Duration::ZERO } else { EXPIRY };
            options.manual_acks = true;
            options.receive_maximum = RECEIVE_MAXIMUM;
        }
        options
    }

    fn filters(&self, session: &Session) -> Vec<(String, Qos)> {
        let zone_filters = |zone: &Zone, verbs: &[ZoneVerb]| {
            verbs.iter().map(|verb| self.topics.zone(zone, *verb)).collect::<Vec<_>>()
        };
        match session {
            Session::Zone(zone) => {
                let verbs = [ZoneVerb::Report, ZoneVerb::Set, ZoneVerb::Status];
                filters(zone_filters(zone, &verbs), Qos::AtLeastOnce)
            }
            Session::Query(zone) => filters(zone_filters(zone, &[ZoneVerb::Get]), Qos::AtMostOnce),
            Session::Site | Session::Own => {
                let mut site = filters([self.topics.api_filter()], Qos::AtLeastOnce);
                site.push((self.topics.everywhere(ZoneVerb::Get), Qos::AtMostOnce));
                site
            }
        }
    }
}

/// A message of a link, as the core takes it.
pub(crate) fn delivery(
    session: Session,
    generation: Generation,
    token: Token,
    message: link::Delivery,
) -> Delivery {
    Delivery {
        session,
        generation,
        token,
        topic: message.topic,
        payload: message.payload.to_vec(),
        promised: message.qos != Qos::AtMostOnce,
        retain: message.retain,
        response_topic: message.response_topic,
        correlation: message.correlation.map(|data| data.to_vec()),
        properties: message.properties,
    }
}
