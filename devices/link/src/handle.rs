//! The two halves that a caller holds.

use core::fmt;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::connection::{Channels, Command};
use crate::message::{Ack, DownReason, Due, Event, Publish, Reason};
use crate::{Options, Qos, keep};

/// The sending half of a connection. When all its clones are gone, the connection says DISCONNECT
/// and ends.
#[derive(Clone, Debug)]
pub struct Link {
    commands: mpsc::Sender<Command>,
    // Unbounded, so that acknowledging never waits: there is at most one acknowledgement for each
    // delivery, and the broker keeps at most `receive_maximum` of those outstanding.
    acks: mpsc::UnboundedSender<Due>,
    task: AbortHandle,
}

/// The receiving half of a connection.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Event>,
    /// Whether the last event said that the connection is down.
    down: bool,
}

/// The connection has ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection to the broker has ended")
    }
}

impl std::error::Error for Closed {}

/// Why [`Link::try_publish`] did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryPublish {
    /// As many messages wait as may wait. This one is given back.
    Full(Box<Publish>),
    /// The connection has ended for good.
    Closed,
}

impl fmt::Display for TryPublish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => write!(f, "too many messages wait for the broker"),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl std::error::Error for TryPublish {}

impl Link {
    /// Opens one connection. Messages may be given at once; they leave when the broker has
    /// accepted the connection. After [`Event::Down`] nothing more happens.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn open(options: Options) -> (Self, Events) {
        Self::start(options, keep::once)
    }

    /// Opens a connection and opens it again whenever it ends, for ever, with growing pauses
    /// between 10 ms and 1 s.
    ///
    /// The filters are subscribed to on the first connection and again on each one for which the
    /// broker has no session. While there is no connection every message is dropped, so that
    /// nothing stale leaves later: publish after [`Event::Up`]. There is one [`Event::Down`] for
    /// an outage, however many attempts it takes.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn keep(options: Options, subscriptions: Vec<(String, Qos)>) -> (Self, Events) {
        Self::start(options, |options, channels| keep::for_ever(options, subscriptions, channels))
    }

    fn start<F>(options: Options, run: impl FnOnce(Options, Channels) -> F) -> (Self, Events)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (commands, commands_out) = mpsc::channel(options.queue.max(1));
        let (acks, acks_out) = mpsc::unbounded_channel();
        // Room for all that the broker may send before it must wait for acknowledgements.
        let (events, queue) = mpsc::channel(usize::from(options.receive_maximum.max(16)));
        let channels = Channels { commands: commands_out, acks: acks_out, events };
        let task = tokio::spawn(run(options, channels)).abort_handle();
        (Self { commands, acks, task }, Events { queue, down: false })
    }

    /// Gives a message to the connection; waits while its queue is full.
    ///
    /// A message that can never be sent (a wildcard in its topic, more than 1 MiB, more than the
    /// broker takes) is dropped with a warning in the log.
    ///
    /// # Errors
    /// When the connection has ended for good.
    pub async fn publish(&self, message: Publish) -> Result<(), Closed> {
        self.commands.send(Command::Publish(message)).await.map_err(|_| Closed)
    }

    /// As [`Link::publish`], without waiting.
    ///
    /// # Errors
    /// When the queue is full or the connection has ended for good.
    pub fn try_publish(&self, message: Publish) -> Result<(), TryPublish> {
        match self.commands.try_reserve() {
            Ok(place) => place.send(Command::Publish(message)),
            Err(mpsc::error::TrySendError::Full(())) => {
                return Err(TryPublish::Full(message.into()));
            }
            Err(mpsc::error::TrySendError::Closed(())) => return Err(TryPublish::Closed),
        }
        Ok(())
    }

    /// Subscribes; [`Event::Subscribed`] brings the answer.
    ///
    /// # Errors
    /// When the connection has ended for good.
    pub async fn subscribe(&self, filters: Vec<(String, Qos)>) -> Result<(), Closed> {
        self.commands.send(Command::Subscribe(filters)).await.map_err(|_| Closed)
    }

    /// Acknowledges a delivery. Never waits; acknowledgements overtake waiting publishes.
    ///
    /// # Errors
    /// When the connection has ended for good.
    pub fn ack(&self, ack: Ack) -> Result<(), Closed> {
        match ack.0 {
            Some(due) => self.acks.send(due).map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// Refuses a delivery for good, as [`Link::ack`] acknowledges one.
    ///
    /// # Errors
    /// When the connection has ended for good.
    pub fn refuse(&self, ack: Ack, reason: Reason) -> Result<(), Closed> {
        self.ack(Ack(ack.0.map(|due| Due { refusal: Some(reason), ..due })))
    }

    /// Sends what waits, says DISCONNECT, so that no will is published, and ends the connection.
    /// Returns when that has happened, or when the connection was over anyway.
    pub async fn close(self) {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Command::Close(done)).await.is_ok() {
            // An error means that the task is gone, which is what was asked for.
            let _ = ended.await;
        }
    }

    /// Drops the socket without a DISCONNECT, as a crash would: the broker publishes the will.
    /// Waiting messages are lost.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Whether the connection has ended for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }
}

impl Events {
    /// Waits for the next event. None after the connection has ended for good; the event before
    /// that is always [`Event::Down`].
    ///
    /// Dropping the future loses nothing, so it may stand in a `select!`.
    pub async fn next(&mut self) -> Option<Event> {
        match self.queue.recv().await {
            Some(event) => {
                self.down = matches!(event, Event::Down(_));
                Some(event)
            }
            None if self.down => None,
            None => {
                self.down = true;
                Some(Event::Down(DownReason::because("the connection was closed on this side")))
            }
        }
    }
}
