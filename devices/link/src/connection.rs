//! One TCP connection: bytes between a socket and a [`Session`].

use core::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Options;
use crate::Qos;
use crate::codec::{self, Accepted, Incoming, LARGEST, Outgoing};
use crate::message::{DownReason, Due, Event, Publish};
use crate::session::{Session, Subscriptions};

/// Room made in the input for one read, in bytes.
const READ: usize = 16 * 1024;

/// What the sending half asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Publish(Publish),
    Subscribe(Vec<(String, Qos)>),
    /// Dropped or answered when the connection is gone.
    Close(oneshot::Sender<()>),
}

/// The task's ends of the queues.
pub(crate) struct Channels {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) acks: mpsc::UnboundedReceiver<Due>,
    pub(crate) events: mpsc::Sender<Event>,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Not by our wish.
    Lost(DownReason),
    /// The caller closed it or dropped its last [`crate::Link`]; who waits for that is told when
    /// this is dropped.
    ByUs(Option<oneshot::Sender<()>>),
}

impl From<DownReason> for Ended {
    fn from(reason: DownReason) -> Self {
        Self::Lost(reason)
    }
}

/// A connection that the broker has accepted.
pub(crate) struct Connected {
    stream: TcpStream,
    /// Bytes that came after the CONNACK.
    input: BytesMut,
    accepted: Accepted,
}

/// Connects, logs in, and waits for the CONNACK.
///
/// # Errors
/// When any of it fails or all of it takes too long.
pub(crate) async fn connect(options: &Options) -> Result<Connected, DownReason> {
    let address = &options.address;
    match timeout(options.connect_timeout, hand_shake(options)).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(why)) => Err(DownReason::because(format!("cannot connect to {address}: {why}"))),
        Err(_) => {
            let seconds = options.connect_timeout.as_secs_f32();
            Err(DownReason::because(format!("no answer from {address} within {seconds} s")))
        }
    }
}

async fn hand_shake(options: &Options) -> Result<Connected, String> {
    let place = (options.address.host.as_str(), options.address.port);
    let mut stream = TcpStream::connect(place).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut buffer = BytesMut::with_capacity(READ);
    codec::write(options.version, Outgoing::Connect(options), LARGEST, &mut buffer)?;
    stream.write_all_buf(&mut buffer).await.map_err(|error| error.to_string())?;
    loop {
        match codec::read(options.version, &mut buffer)? {
            Some(Incoming::Accepted(accepted)) => {
                return Ok(Connected { stream, input: buffer, accepted });
            }
            Some(Incoming::Refused(why)) => return Err(why),
            Some(other) => return Err(format!("expected a CONNACK, not {other:?}")),
            None => {}
        }
        buffer.reserve(READ);
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return Err("the broker closed the connection before its CONNACK".into()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl Connected {
    /// Carries packets until the connection ends. Everything that belongs to the connection is
    /// dropped with it.
    pub(crate) async fn carry(
        self,
        options: &Options,
        number: u64,
        subscriptions: &mut Subscriptions,
        channels: &mut Channels,
    ) -> Ended {
        let Self { mut stream, input, accepted } = self;
        let mut session = Session::new(options, number, &accepted, subscriptions);
        let seconds = accepted.keep_alive.unwrap_or_else(|| options.keep_alive_seconds());
        let pulse = Pulse::new(seconds);
        let ended = carry(&mut stream, &mut session, input, pulse, channels).await;
        if matches!(ended, Ended::ByUs(_)) {
            while let Ok(due) = channels.acks.try_recv() {
                session.acknowledge(due);
            }
            session.disconnect();
            // A broker that takes nothing more cannot be told; then closing must be enough.
            let flush = stream.write_all_buf(&mut session.output);
            let _ = timeout(options.connect_timeout, flush).await;
            let _ = stream.shutdown().await;
        }
        ended
    }
}

async fn carry(
    stream: &mut TcpStream,
    session: &mut Session<'_>,
    mut input: BytesMut,
    mut pulse: Pulse,
    channels: &mut Channels,
) -> Ended {
    let (mut reader, mut writer) = stream.split();
    let Channels { commands, acks, events } = channels;
    loop {
        let over = session.read(&mut input).err();
        hand_over(session, events);
        if let Some(reason) = over {
            return deliver_the_rest(session, events, reason).await;
        }
        input.reserve(READ);
        tokio::select! {
            place = events.reserve(), if session.has_event() => {
                if let (Ok(place), Some(event)) = (place, session.event()) {
                    place.send(event);
                }
            }
            read = reader.read_buf(&mut input), if !session.has_event() => match read {
                Ok(0) => return DownReason::because("the broker closed the connection").into(),
                Ok(_) => pulse.heard(),
                Err(error) => return DownReason::because(format!("connection lost: {error}")).into(),
            },
            written = writer.write_buf(&mut session.output), if !session.output.is_empty() => {
                match written {
                    Ok(_) => pulse.spoke(),
                    Err(error) => {
                        let lost = DownReason::because(format!("connection lost: {error}"));
                        let reason = last_words(&reader, session, &mut input).unwrap_or(lost);
                        return deliver_the_rest(session, events, reason).await;
                    }
                }
            },
            Some(due) = acks.recv() => {
                session.acknowledge(due);
                while let Ok(due) = acks.try_recv() {
                    session.acknowledge(due);
                }
            }
            command = commands.recv(), if session.takes_more() => {
                if let Some(ended) = obey(session, command, commands) {
                    return ended;
                }
            }
            () = sleep_until(pulse.deadline()) => {
                if pulse.is_lost() && !session.has_event() {
                    let silence = pulse.period.as_secs() * 2;
                    return DownReason::because(format!("nothing heard for {silence} s")).into();
                }
                session.ping();
                pulse.asked(!session.has_event());
            }
        }
    }
}

/// Does what the caller asks for, and what else waits: it goes into the same write, which saves a
/// system call for each. Gives the end, if that is what was asked for.
fn obey(
    session: &mut Session<'_>,
    first: Option<Command>,
    commands: &mut mpsc::Receiver<Command>,
) -> Option<Ended> {
    let mut next = first;
    loop {
        match next {
            Some(Command::Publish(message)) => session.publish(message),
            Some(Command::Subscribe(filters)) => session.subscribe(filters),
            Some(Command::Close(done)) => return Some(Ended::ByUs(Some(done))),
            None => return Some(Ended::ByUs(None)),
        }
        if !session.takes_more() {
            return None;
        }
        match commands.try_recv() {
            Ok(command) => next = Some(command),
            // If nobody can send any more, the next wait says so.
            Err(_) => return None,
        }
    }
}

/// When writing fails, the broker may have said why before it closed; that it took over the client
/// id must not be lost.
fn last_words(
    reader: &ReadHalf<'_>,
    session: &mut Session<'_>,
    input: &mut BytesMut,
) -> Option<DownReason> {
    input.reserve(READ);
    // No broker has more to say than a packet or two; one that never stops is not listened to.
    while input.len() < LARGEST && reader.try_read_buf(input).is_ok_and(|bytes| bytes > 0) {
        input.reserve(READ);
    }
    session.read(input).err()
}

/// Gives the caller all the events that fit.
fn hand_over(session: &mut Session<'_>, events: &mpsc::Sender<Event>) {
    while let Some(event) = session.event() {
        match events.try_send(event) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(event)) => {
                session.unread(event);
                return;
            }
            // Nobody listens: there is only sending left.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }
}

/// What came before the end is still the caller's.
async fn deliver_the_rest(
    session: &mut Session<'_>,
    events: &mpsc::Sender<Event>,
    reason: DownReason,
) -> Ended {
    while let Some(event) = session.event() {
        if events.send(event).await.is_err() {
            break;
        }
    }
    reason.into()
}

/// When to ask the broker whether it lives, and when to give it up.
struct Pulse {
    period: Duration,
    heard: Instant,
    spoke: Instant,
    asked: Option<Instant>,
}

impl Pulse {
    fn new(seconds: u16) -> Self {
        let now = Instant::now();
        let period = Duration::from_secs(u64::from(seconds.max(1)));
        Self { period, heard: now, spoke: now, asked: None }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = None;
    }

    fn spoke(&mut self) {
        self.spoke = Instant::now();
    }

    /// A ping was sent. While the caller does not read, its answer cannot be heard either, so
    /// then silence is nobody's fault.
    fn asked(&mut self, can_hear: bool) {
        let now = Instant::now();
        self.spoke = now;
        if can_hear {
            self.asked = Some(now);
        } else {
            self.heard();
        }
    }

    fn is_lost(&self) -> bool {
        self.asked.is_some_and(|asked| asked.elapsed() >= self.period)
    }

    /// The broker expects to hear from us within the period, and we expect the same of it.
    fn deadline(&self) -> Instant {
        self.asked.unwrap_or_else(|| self.heard.min(self.spoke)) + self.period
    }
}
