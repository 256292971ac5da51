//! A connection between a client and a broker, as TCP keeps it: what is on its way in each direction, in order.
//!
//! Nothing of a connection is lost, repeated or overtaken while it lives. It may be slow, it may stand still in one
//! direction, and it may end, with what was on its way.

use std::collections::VecDeque;

use broker_core::ConnId;
use broker_core::protocol::{Action, Connect, Packet, Publish, Reason};

use super::hub::BrokerId;
use super::process::Life;

/// Whose connection it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A link of a gateway, by its number.
    Link(Life, u64),
    /// A device or a person.
    Client(usize),
}

/// What a client sends.
#[derive(Debug)]
pub(crate) enum Up {
    Connect(Box<Connect>),
    Packet(Packet),
    /// The end of the stream.
    Gone,
}

/// What a broker sends.
#[derive(Debug)]
pub(crate) enum Down {
    /// A CONNACK that accepts, and whether there was a session.
    Welcome(bool),
    Refused(Reason),
    Action(Action),
    /// The end of the stream.
    Gone,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    items: VecDeque<(u64, T)>,
    /// When the last of them arrives.
    last: u64,
    /// An event is planned for it.
    pub(crate) due: bool,
    /// Nothing gets through until then.
    pub(crate) held: bool,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), last: 0, due: false, held: false }
    }
}

impl<T> Lane<T> {
    /// Not before what is before it.
    pub(crate) fn push(&mut self, arrives: u64, item: T) {
        self.last = self.last.max(arrives);
        self.items.push_back((self.last, item));
    }

    /// Nothing more arrives before this time.
    pub(crate) fn hold_up(&mut self, time: u64) {
        self.last = self.last.max(time);
    }

    /// What has arrived.
    pub(crate) fn take(&mut self, now: u64) -> Option<T> {
        self.items.pop_front_if(|(arrives, _)| *arrives <= now).map(|(_, item)| item)
    }

    /// When the next one arrives.
    pub(crate) fn next(&self) -> Option<u64> {
        self.items.front().map(|(arrives, _)| *arrives)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }

    /// All that was slow is here now.
    pub(crate) fn hurry(&mut self, now: u64) {
        self.last = self.last.min(now);
        self.items.iter_mut().for_each(|(arrives, _)| *arrives = (*arrives).min(now));
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) who: Who,
    pub(crate) broker: BrokerId,
    pub(crate) up: Lane<Up>,
    pub(crate) down: Lane<Down>,
    /// Which ends have not given it up.
    pub(crate) broker_has_it: bool,
    pub(crate) client_has_it: bool,
    /// The broker has accepted its CONNECT.
    pub(crate) accepted: bool,
    /// Which session of its client it is for: a CONNECT that comes late may have begun another one meanwhile.
    pub(crate) session: u64,
    /// What the broker has read and had no room for.
    pub(crate) unread: Option<Publish>,
    /// The broker may have more for the client than there was room for on the way.
    pub(crate) behind: bool,
    /// Since when it stands still, by which the end of that is known.
    pub(crate) cut: u64,
    /// Silence after which the broker gives it up, in microseconds.
    pub(crate) patience: u64,
}

impl Conn {
    pub(crate) fn new(who: Who, broker: BrokerId, patience: u64) -> Self {
        Self {
            who,
            broker,
            up: Lane::default(),
            down: Lane::default(),
            broker_has_it: true,
            client_has_it: true,
            accepted: false,
            session: 0,
            unread: None,
            behind: false,
            cut: 0,
            patience,
        }
    }
}

/// The number of a connection, as brokers know it.
pub(crate) const fn id(conn: u64) -> ConnId {
    ConnId(conn)
}
