//! The broker's state machine: sessions, subscriptions, retained messages, wills, zones. No clock and no I/O.
//!
//! The caller's contract, in order:
//!
//! 1. [`Core::connect`] once per connection, after its CONNECT.
//! 2. [`Core::receive`] for every packet; a [`Received::Busy`] packet is kept and given again after a wake.
//! 3. [`Core::routed`] for everything that comes out of the router.
//! 4. [`Core::tick`] no later than [`Core::next_deadline`].
//! 5. After any of these: carry out [`Core::effects`], in order, before the next call. A woken connection then calls
//!    [`Core::pull`] until it gets nothing, and stops after [`Action::Close`].
//! 6. [`Core::renew`] whenever users or roles were loaded anew.
//! 7. [`Core::closed`] once per connection, whatever ended it.

mod aliases;
mod connect;
mod counts;
mod deliver;
mod durable_ack;
mod filters;
mod keep;
mod kept_wills;
mod outbox;
mod publish;
mod retained;
mod room;
mod session;
mod shared;
mod subscribe;
mod tree;
mod window;

#[cfg(feature = "testing")]
pub mod testing;

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;

pub use connect::{Connected, Ended};
pub use counts::{Counts, Reading};
pub use durable_ack::Waits;
pub use keep::{Keep, Lasting, Memory, Sent, StoredMessage, StoredSession, StoredWaiting, Waiting};
pub use kept_wills::{LastWill, StoredWill};
pub use publish::Received;

use crate::map::Map;
use crate::message::{ConnId, GroupId, SessionKey};
use crate::moment::Moment;
use crate::protocol::{Action, Reason};
use crate::router::{FilterId, RouterOp};
use crate::settings::Settings;
use durable_ack::Zones;
use filters::Filters;
use keep::Keeping;
use retained::Retained;
use room::Room;
use session::Session;
use shared::Group;
use window::Window;

/// The state of one broker.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    sessions: Map<SessionKey, Session>,
    clients: Map<Arc<str>, SessionKey>,
    links: Map<ConnId, Link>,
    /// Subscribers of topics without wildcards.
    exact: Map<Box<str>, Audience>,
    /// Wildcard filters.
    filters: Filters,
    /// Who is subscribed to a wildcard filter now.
    watchers: Map<FilterId, Audience>,
    /// Groups by their `$share/<name>/<filter>`.
    group_ids: Map<Box<str>, GroupId>,
    groups: Map<GroupId, Group>,
    last_group: NonZeroU64,
    window: Window,
    retained: Retained,
    room: Room,
    zones: Zones,
    keeping: Keeping,
    counts: Counts,
    /// Sessions with a connection.
    connected: usize,
    timers: BTreeSet<(Moment, Timer)>,
    order: u64,
    /// Number of the last publish whose sender waits for an acknowledgement.
    holds: u64,
    last_key: u64,
    /// Connections whose last packet waits for room.
    paused: BTreeSet<ConnId>,
    effects: Effects,
    /// Where the receivers of one message are noted; empty in between.
    receivers: Vec<SessionKey>,
    stopping: bool,
}

/// One connection as the core sees it.
#[derive(Debug, Default)]
struct Link {
    /// `None` once another connection has taken the session over.
    session: Option<SessionKey>,
    /// Answers, which go out before messages.
    answers: VecDeque<Action>,
    close: Option<Reason>,
}

/// Who gets the messages of a topic or of a filter.
#[derive(Debug, Default)]
struct Audience {
    sessions: Vec<SessionKey>,
    groups: Vec<GroupId>,
}

impl Audience {
    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.groups.is_empty()
    }
}

/// Why the core wants to be called at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    SessionEnds(SessionKey),
    WillDue(SessionKey),
    Announce,
}

/// What the caller has to do after a call.
#[derive(Debug, Default)]
pub struct Effects {
    /// Connections that have something to pull.
    pub wake: Vec<ConnId>,
    /// For the router, in order.
    pub router: Vec<RouterOp>,
    /// For the store, in order.
    pub keep: Vec<Keep>,
}

impl Effects {
    /// A connection has something to pull.
    fn wake(&mut self, conn: ConnId) {
        self.wake.push(conn);
    }
}

impl Core {
    /// The core of a broker that has just started, at [`Moment`] zero.
    pub fn new(settings: Settings) -> Self {
        let zones = Zones::new(&settings);
        let filters = Filters::new(&settings);
        let keeping = Keeping::new(settings.store, &settings.site);
        Self {
            settings,
            sessions: Map::default(),
            clients: Map::default(),
            links: Map::default(),
            exact: Map::default(),
            filters,
            watchers: Map::default(),
            group_ids: Map::default(),
            groups: Map::default(),
            last_group: NonZeroU64::MIN,
            window: Window::default(),
            retained: Retained::default(),
            room: Room::default(),
            zones,
            keeping,
            counts: Counts::default(),
            connected: 0,
            timers: BTreeSet::new(),
            order: 0,
            holds: 0,
            last_key: 0,
            paused: BTreeSet::new(),
            effects: Effects::default(),
            receivers: Vec::new(),
            stopping: false,
        }
    }

    /// What there is to do after the last call. The caller carries it out and empties it before the next one.
    pub fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    /// Whether publishers should not be read further, because the router is behind.
    pub fn crowded(&self) -> bool {
        self.window.crowded()
    }

    /// When [`Core::tick`] is due.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Moment) {
        while let Some(&(at, timer)) = self.timers.first() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::SessionEnds(key) => {
                    if self.sessions.get(&key).is_some_and(|s| s.ends_at == Some(at)) {
                        self.counts.expired += 1;
                        self.end_session(now, key);
                    }
                }
                Timer::WillDue(key) => {
                    if self.sessions.get(&key).is_some_and(|s| s.will_at == Some(at)) {
                        self.publish_will(now, key);
                    }
                }
                Timer::Announce => self.announce(now),
            }
        }
    }

    /// Whether [`Core::flush_window`] has something to do soon.
    pub fn window_in_use(&self) -> bool {
        !self.window.is_empty()
    }

    /// Lets go of messages that the router has long passed on; call it when traffic pauses.
    pub fn flush_window(&mut self) {
        if self.window.needs_fence() {
            let number = self.next_order();
            let number = self.window.fenced(number);
            self.effects.router.push(RouterOp::Fence(number));
        }
    }

    /// Ends every connection. Wills are left to the next life: the clients did not die, the broker goes.
    pub fn stop(&mut self) {
        self.stopping = true;
        for (&conn, link) in &mut self.links {
            link.close.get_or_insert(Reason::ShuttingDown);
            self.effects.wake(conn);
        }
    }

    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn answer(&mut self, conn: ConnId, action: Action) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.answers.push_back(action);
            self.effects.wake(conn);
        }
    }

    fn end_connection(&mut self, conn: ConnId, reason: Reason) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.close.get_or_insert(reason);
            self.effects.wake(conn);
        }
    }
}
