//! One client's connection: bytes in, packets to the core, packets from the core, bytes out.
//!
//! One task does both directions. It reads nothing more from a client that does not read what it is sent, and
//! it notices a silent client and a stuck write by deadlines that traffic in the other direction does not move.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::access::Door;
use crate::core::{Core, Ended, Received};
use crate::hub::Hub;
use crate::message::{ConnId, Moment};
use crate::protocol::{Action, ConnackLimits, Connect, Decoder, Encoder, Packet, Reason, Version};

/// Bytes encoded ahead of the socket. 64 KiB: one large write; the rest stays in the session's bounded queue.
const WRITE_AHEAD: usize = 64 * 1024;
/// Bytes waiting to be written above which nothing is read. 256 KiB: answers to what is read come on top of the
/// messages, and a client that takes neither must not fill memory.
const READ_BELOW: usize = 4 * WRITE_AHEAD;
/// Packets taken in one step. 64: a hundred microseconds at most under the lock.
const PACKETS_PER_STEP: usize = 64;
/// Space offered to one read. 4 KiB: some forty everyday packets.
const READ_SPACE: usize = 4096;
/// Time for the last words. 1 s: a client that does not read them does not need them.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Time for the client to close its side. 200 ms: a round trip and some thought.
const LINGER: Duration = Duration::from_millis(200);
/// A deadline that never comes; a year.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Who knocks, as far as the transport knows.
pub(crate) struct Visitor {
    address: SocketAddr,
    /// The name in the client's certificate.
    certificate: Option<Box<str>>,
    door: Arc<Door>,
    /// Why it is turned away, whoever it is.
    refusal: Option<Reason>,
}

impl Visitor {
    pub(crate) fn new(address: SocketAddr, certificate: Option<Box<str>>, door: Arc<Door>) -> Self {
        Self { address, certificate, door, refusal: None }
    }
}

/// Waits for a client's CONNECT, and refuses it.
pub(crate) async fn turn_away(hub: Arc<Hub>, stream: TcpStream, visitor: Visitor, reason: Reason) {
    let (reader, writer) = stream.into_split();
    let visitor = Visitor { refusal: Some(reason), ..visitor };
    // Nobody else can be told while this one is silent.
    if timeout(LAST_WORDS, serve(hub, reader, writer, visitor)).await.is_err() {
        tracing::debug!("was turned away before its CONNECT");
    }
}

/// Serves one client until it is gone.
pub(crate) async fn serve<R, W>(hub: Arc<Hub>, reader: R, writer: W, visitor: Visitor)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (id, waker) = hub.register();
    let guard = Registered { hub: &hub, id };
    let connection = Connection {
        hub: &hub,
        id,
        waker,
        crowd: hub.watch_crowd(),
        reader,
        writer,
        peer: visitor.address,
        visitor,
        input: BytesMut::with_capacity(4096),
        output: BytesMut::new(),
        actions: Vec::new(),
        decoder: Decoder::new(hub.settings.limits.packet_bytes),
        pending: VecDeque::new(),
    };
    connection.run().await;
    drop(guard);
}

/// Whatever ends the task, also a panic or an abort, the core hears of it.
struct Registered<'h> {
    hub: &'h Hub,
    id: ConnId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.hub.step(|core, now| core.closed(now, self.id, Ended::Lost));
        self.hub.unregister(self.id);
    }
}

struct Connection<'h, R, W> {
    hub: &'h Hub,
    id: ConnId,
    waker: Arc<Notify>,
    crowd: watch::Receiver<bool>,
    reader: R,
    writer: W,
    peer: SocketAddr,
    visitor: Visitor,
    input: BytesMut,
    output: BytesMut,
    actions: Vec<Action>,
    decoder: Decoder,
    /// A publish that there was no room for, and what came after it.
    pending: VecDeque<Packet>,
}

/// Why a connection is over.
#[derive(Debug)]
enum End {
    /// The client closed or reset it.
    Gone,
    /// The client said DISCONNECT.
    Goodbye(Ended),
    /// The client did something wrong, or nothing for too long.
    Fault(Reason),
    /// The core asked for it; the last words are already in the output.
    Told(Reason),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("went away without a word"),
            Self::Goodbye(Ended::Goodbye) => f.write_str("said goodbye"),
            Self::Goodbye(Ended::Lost) => f.write_str("said goodbye and wants its will published"),
            Self::Told(reason) | Self::Fault(reason) => reason.fmt(f),
        }
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Connection<'_, R, W> {
    async fn run(mut self) {
        let limit = self.hub.settings.limits.connect_timeout;
        let mut connect = match timeout(limit, self.read_connect()).await {
            Ok(Ok(connect)) => connect,
            Ok(Err(reason)) => return self.refuse(reason).await,
            Err(_) => return self.note_refused("sent no CONNECT in time"),
        };
        let (version, keep_alive) = (connect.version, connect.keep_alive);
        let (anonymous, client) = (connect.client_id.is_empty(), connect.client_id.clone());
        let encoder = Encoder(version);
        let login = std::mem::take(&mut connect.login);
        let Visitor { address, certificate, door, refusal } = &self.visitor;
        let admitted = match refusal {
            Some(reason) => Err(*reason),
            None => door.admit(address.ip(), certificate.as_deref(), login).await,
        };
        let entered = admitted.and_then(|guest| {
            // What was true when the password was looked at may have changed meanwhile.
            self.hub.step(|core, now| core.connect(now, self.id, connect, door.again(guest)?))
        });
        let connected = match entered {
            Ok(connected) => connected,
            Err(reason) => {
                encoder.refuse(&mut self.output, reason);
                tracing::info!(client, peer = %self.peer, %reason, "refused");
                return self.last_words().await;
            }
        };
        let limits = &self.hub.settings.limits;
        let announced = ConnackLimits {
            receive_maximum: limits.receive_maximum,
            maximum_packet: limits.packet_bytes,
            assigned_id: anonymous.then_some(&*connected.client),
        };
        encoder.welcome(&mut self.output, connected.session_present, &announced);
        tracing::info!(client = %connected.client, peer = %self.peer, ?version, present = connected.session_present, "connected");
        let end = self.converse(encoder, keep_alive).await;
        self.finish(encoder, &end, &connected.client).await;
    }

    /// The line in the log for one that never got so far as to have a client id that counts.
    fn note_refused(&self, reason: impl fmt::Display) {
        tracing::info!(peer = %self.peer, %reason, "refused");
    }

    async fn read_connect(&mut self) -> Result<Connect, Option<Reason>> {
        loop {
            match self.decoder.next(&mut self.input).map_err(Some)? {
                Some(Packet::Connect(connect)) => return Ok(*connect),
                Some(_) => return Err(Some(Reason::Protocol)),
                None => {}
            }
            match self.reader.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return Err(None),
                Ok(count) => self.hub.traffic.received(count),
            }
        }
    }

    /// Answers a CONNECT that cannot be accepted, where the standard allows an answer.
    async fn refuse(mut self, reason: Option<Reason>) {
        let Some(reason) = reason else { return self.note_refused("went away before its CONNECT") };
        self.note_refused(reason);
        // The level is the byte after the name; which answer the client understands depends on it.
        match reason {
            Reason::Version => Encoder(Version::V311).refuse(&mut self.output, reason),
            Reason::ClientId => Encoder(Version::V311).refuse(&mut self.output, reason),
            Reason::AuthenticationMethod => Encoder(Version::V5).refuse(&mut self.output, reason),
            _ => return,
        }
        self.last_words().await;
    }

    async fn converse(&mut self, encoder: Encoder, keep_alive: u16) -> End {
        // One and a half times, whatever the broker itself sends meanwhile [MQTT-3.1.2-22].
        let patience = match keep_alive {
            0 => NEVER,
            seconds => Duration::from_millis(1500 * u64::from(seconds)),
        };
        let write_timeout = self.hub.settings.limits.write_timeout;
        let (mut heard, mut wrote) = (Instant::now(), Instant::now());
        let sleep = sleep_until(heard + patience);
        tokio::pin!(sleep);
        loop {
            let more = match self.work(encoder) {
                Ok(Worked { packets, more }) => {
                    if packets > 0 {
                        heard = Instant::now();
                    }
                    more
                }
                Err(end) => return end,
            };
            if self.output.is_empty() {
                wrote = Instant::now();
            }
            let crowded = self.hub.crowded();
            let clogged = self.output.len() >= READ_BELOW;
            let may_read = !crowded && !clogged && self.pending.is_empty();
            if !may_read && !clogged {
                // A client that is not read cannot be heard.
                heard = Instant::now();
            }
            let more = more && may_read;
            if self.input.capacity() - self.input.len() < READ_SPACE {
                self.input.reserve(READ_SPACE);
            }
            let due = (heard + patience).min(
                wrote + write_timeout.max(Duration::from_millis(1)) + idle(self.output.is_empty()),
            );
            if sleep.deadline() > due || sleep.is_elapsed() {
                sleep.as_mut().reset(due);
            }
            tokio::select! {
                written = self.writer.write(&self.output), if !self.output.is_empty() => match written {
                    Ok(0) | Err(_) => return End::Gone,
                    Ok(count) => {
                        self.output.advance(count);
                        self.hub.traffic.sent(count);
                        wrote = Instant::now();
                        if clogged {
                            heard = wrote;
                        }
                    }
                },
                () = std::future::ready(()), if more => tokio::task::yield_now().await,
                read = self.reader.read_buf(&mut self.input), if may_read && !more => match read {
                    Ok(0) | Err(_) => return End::Gone,
                    Ok(count) => self.hub.traffic.received(count),
                },
                () = self.waker.notified() => {}
                () = calm(&mut self.crowd), if crowded => {}
                () = sleep.as_mut() => {
                    let now = Instant::now();
                    if heard + patience <= now || (!self.output.is_empty() && wrote + write_timeout <= now) {
                        return End::Fault(Reason::KeepAlive);
                    }
                }
            }
        }
    }

    /// Moves packets from the input to the core and from the core to the output, as far as there is room.
    fn work(&mut self, encoder: Encoder) -> Result<Worked, End> {
        let mut packets = std::mem::take(&mut self.pending);
        let mut fault = None;
        let waited = packets.len();
        let room = waited == 0 && self.output.len() < READ_BELOW && !self.hub.crowded();
        while room && packets.len() < PACKETS_PER_STEP {
            match self.decoder.next(&mut self.input) {
                Ok(Some(packet)) => packets.push_back(packet),
                Ok(None) => break,
                Err(reason) => {
                    fault = Some(reason);
                    break;
                }
            }
        }
        let worked = Worked {
            packets: packets.len(),
            more: packets.len() >= PACKETS_PER_STEP || waited > 0,
        };
        let room = WRITE_AHEAD.saturating_sub(self.output.len());
        let mut actions = std::mem::take(&mut self.actions);
        let taken = self.hub.step_for(self.id, |core, now| {
            let taken = take(core, now, self.id, packets);
            core.pull(now, self.id, room, &mut actions);
            taken
        });
        let told = self.encode(encoder, &mut actions);
        self.actions = actions;
        match (taken, fault, told) {
            (Err(end), ..) => Err(end),
            (_, _, Some(reason)) => Err(End::Told(reason)),
            (_, Some(reason), _) => Err(End::Fault(reason)),
            (Ok(pending), None, None) => {
                self.pending = pending;
                Ok(worked)
            }
        }
    }

    fn encode(&mut self, encoder: Encoder, actions: &mut Vec<Action>) -> Option<Reason> {
        let mut told = None;
        for action in actions.drain(..) {
            encoder.put(&mut self.output, &action);
            if let Action::Close(reason) = action {
                told = Some(reason);
            }
        }
        told
    }

    async fn finish(&mut self, encoder: Encoder, end: &End, client: &str) {
        let how = match end {
            End::Goodbye(how) => *how,
            End::Gone | End::Fault(_) | End::Told(_) => Ended::Lost,
        };
        // First the others hear of it, then this client.
        self.hub.step(|core, now| core.closed(now, self.id, how));
        tracing::info!(client, peer = %self.peer, reason = %end, "disconnected");
        match end {
            End::Gone | End::Goodbye(_) => {}
            End::Told(_) => self.last_words().await,
            End::Fault(reason) => {
                encoder.put(&mut self.output, &Action::Close(*reason));
                self.last_words().await;
            }
        }
    }

    async fn last_words(&mut self) {
        let said = timeout(LAST_WORDS, async {
            self.writer.write_all(&self.output).await?;
            self.hub.traffic.sent(self.output.len());
            self.writer.shutdown().await
        });
        if !matches!(said.await, Ok(Ok(()))) {
            tracing::debug!(peer = %self.peer, "did not read its last words");
            return;
        }
        // Closing with unread input would reset the connection and destroy the words on their way.
        let drained = timeout(LINGER, async {
            while self.reader.read_buf(&mut self.input).await.is_ok_and(|read| read > 0) {
                self.input.clear();
            }
        });
        if drained.await.is_err() {
            tracing::debug!(peer = %self.peer, "did not close its side");
        }
    }
}

/// What one call of `work` achieved.
struct Worked {
    packets: usize,
    /// There may be complete packets left in the input.
    more: bool,
}

/// Gives packets to the core until one ends the connection; returns those that found no room.
fn take(
    core: &mut Core,
    now: Moment,
    id: ConnId,
    mut packets: VecDeque<Packet>,
) -> Result<VecDeque<Packet>, End> {
    while let Some(packet) = packets.pop_front() {
        match core.receive(now, id, packet) {
            Ok(Received::Done) => {}
            Ok(Received::Busy(publish)) => {
                packets.push_front(Packet::Publish(publish));
                break;
            }
            Ok(Received::Goodbye(how)) => return Err(End::Goodbye(how)),
            Err(reason) => return Err(End::Fault(reason)),
        }
    }
    Ok(packets)
}

async fn calm(crowd: &mut watch::Receiver<bool>) {
    // An error means that the broker is going; the next step will tell.
    let _ = crowd.wait_for(|crowded| !crowded).await;
}

fn idle(nothing_to_write: bool) -> Duration {
    if nothing_to_write { NEVER } else { Duration::ZERO }
}
