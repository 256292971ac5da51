//! One client's connection, from its CONNECT to its last words; what is said between them is in `converse.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use crate::access::Door;
use crate::admission::{Admission, Connected, Network, Pending};
use crate::bell::Bell;
use crate::converse::{Conversation, End, Who};
use crate::hub::Hub;
use crate::large::Account;
use crate::pace::Pace;
use crate::pipe::Pipe;
use crate::transport::hint;
use broker_core::ConnId;
use broker_core::Ended;
use broker_core::protocol::{
    Action, ConnackLimits, Connect, Decoder, Encoder, Packet, REFUSAL, Reason, Version,
    claimed_version,
};

/// Time for the last words. 1 s: a client that does not read them does not need them.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Time for the client to close its side. 200 ms: a round trip and some thought.
const LINGER: Duration = Duration::from_millis(200);

/// Bytes that are read of a client that does not wait for its CONNACK. 32 KiB: one read.
const AHEAD: usize = 32 * 1024;

/// Who knocks, as far as the transport knows.
pub(crate) struct Visitor {
    pub(crate) address: SocketAddr,
    /// The name in the client's certificate.
    pub(crate) certificate: Option<Box<str>>,
    pub(crate) door: Arc<Door>,
    pub(crate) admission: Admission,
    /// Its place until it has said who it is.
    pub(crate) pending: Pending,
    /// When its CONNECT must be complete.
    pub(crate) deadline: Instant,
}

/// Serves one client until it is gone.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    hub: Arc<Hub>,
    stream: S,
    visitor: Visitor,
) {
    let (id, bell) = hub.register();
    let guard = Registered { hub: &hub, id };
    let decoder = Decoder::new(hub.settings.limits.packet_bytes);
    let (peer, network) = (visitor.address, visitor.pending.network());
    let connection =
        Connection { hub: &hub, id, bell, peer, network, pipe: Pipe::new(stream), decoder };
    connection.run(visitor).await;
    drop(guard);
}

/// Whatever ends the task, also a panic or an abort, the core hears of it.
struct Registered<'h> {
    hub: &'h Hub,
    id: ConnId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.hub.unregister(self.id);
    }
}

struct Connection<'h, S> {
    hub: &'h Hub,
    id: ConnId,
    bell: Arc<Bell>,
    peer: SocketAddr,
    network: Network,
    pipe: Pipe<S>,
    decoder: Decoder,
}

/// A client that was let in.
struct Guest {
    encoder: Encoder,
    client: Arc<str>,
    who: Who,
    /// Seconds.
    keep_alive: u16,
    /// How fast it may publish, if it is a device.
    pace: Option<Arc<Pace>>,
    /// Its place among all connections.
    _place: Connected,
}

/// What of a CONNECT its answer depends on.
struct Asked {
    client: String,
    encoder: Encoder,
    /// The largest packet that the client takes, in bytes.
    takes: u32,
    /// Seconds.
    keep_alive: u16,
}

impl Asked {
    fn of(connect: &Connect) -> Self {
        Self {
            client: connect.client_id.clone(),
            encoder: Encoder(connect.version),
            takes: connect.maximum_packet,
            keep_alive: connect.keep_alive,
        }
    }
}

/// A client that the core has let in.
struct Entered {
    connected: broker_core::Connected,
    /// It may use what is kept for gateways.
    reserve: bool,
    pace: Option<Arc<Pace>>,
    place: Connected,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    async fn run(mut self, visitor: Visitor) {
        // Boxed, so that a connection is not as large for ever as its beginning.
        let Some(guest) = Box::pin(self.greet(visitor)).await else { return };
        let Guest { encoder, client, who, keep_alive, pace, _place } = guest;
        let (hub, id, bell) = (self.hub, self.id, &self.bell);
        let (pipe, decoder) = (&mut self.pipe, &mut self.decoder);
        let conversation =
            Conversation::new((hub, id, bell, &who), pipe, decoder, encoder, keep_alive, pace);
        let end = conversation.held().await;
        self.finish(encoder, &end, (&client, &who)).await;
    }

    /// Takes the CONNECT and answers it; none if the client is not let in.
    async fn greet(&mut self, visitor: Visitor) -> Option<Guest> {
        let Visitor { certificate, door, admission, pending, deadline, .. } = visitor;
        let mut connect = self.first_packet(pending, deadline).await?;
        let asked = Asked::of(&connect);
        let login = std::mem::take(&mut connect.login);
        let user = login.user.clone().or(certificate.clone());
        let admitted = tokio::select! {
            admitted = door.admit(self.network, certificate.as_deref(), login) => admitted,
            () = gone(&mut self.pipe) => {
                tracing::info!(client = asked.client, peer = %self.peer, "went away before its CONNACK");
                return None;
            }
        };
        let why = |reason: Reason| match reason {
            Reason::Quota => (reason, "has as much in sessions and wills as there is room for"),
            Reason::ClientId => (reason, "has a client id that is another user's"),
            other => (other, other.text()),
        };
        let entered = admitted.map_err(why).and_then(|guest| {
            let reserve = guest.has_reserve(&asked.client, &self.hub.settings.site);
            let place = admission.enter(self.network, reserve);
            let place = place.map_err(|full| (full.reason(), full.text()))?;
            let pace = guest.device().map(|device| self.hub.paces.of(device));
            // What was true when the password was looked at may have changed meanwhile.
            let connected =
                self.hub.step(|core, now| core.connect(now, self.id, connect, door.again(guest)?));
            Ok(Entered { connected: connected.map_err(why)?, reserve, pace, place })
        });
        let entered = match entered {
            Ok(entered) => entered,
            Err((reason, why)) => {
                self.turn_away(&asked, user.as_deref(), reason, why).await;
                return None;
            }
        };
        Some(self.welcome(asked, entered, user))
    }

    /// The CONNECT, if it comes in time and makes sense.
    async fn first_packet(&mut self, mut pending: Pending, deadline: Instant) -> Option<Connect> {
        let read = tokio::select! {
            biased;
            read = self.read_connect() => read,
            () = sleep_until(deadline) => {
                self.note("", "sent no CONNECT in time", self.peer);
                return None;
            }
            () = pending.given_up() => {
                self.note("", "was silent while too many others came", self.peer);
                return None;
            }
        };
        match read {
            Ok(connect) => Some(connect),
            Err(reason) => {
                self.refuse(reason).await;
                None
            }
        }
    }

    /// Answers a CONNECT that is understood and refused.
    async fn turn_away(
        &mut self,
        asked: &Asked,
        user: Option<&str>,
        reason: Reason,
        why: &'static str,
    ) {
        if asked.takes >= REFUSAL {
            asked.encoder.refuse(&mut self.pipe.output, reason);
        }
        let (client, user) = (&asked.client, user.unwrap_or("without a name"));
        self.note(client, why, format_args!("client {client}, user {user}, {}", self.peer));
        self.last_words().await;
    }

    fn welcome(&mut self, asked: Asked, entered: Entered, user: Option<Box<str>>) -> Guest {
        let Entered { connected, reserve, pace, place } = entered;
        let Asked { client: claimed, encoder, keep_alive, .. } = asked;
        let limits = &self.hub.settings.limits;
        let announced = ConnackLimits {
            receive_maximum: limits.receive_maximum,
            maximum_packet: limits.packet_bytes,
            assigned_id: claimed.is_empty().then_some(&*connected.client),
            session_expiry: connected.session_expiry,
        };
        encoder.welcome(&mut self.pipe.output, connected.session_present, &announced);
        let (client, version) = (connected.client, encoder.0);
        tracing::info!(%client, peer = %self.peer, ?version, present = connected.session_present, "connected");
        let about = format!("client {client}, {}", self.peer);
        let culprit = user.map_or_else(|| self.network.to_string(), Into::into);
        let account = match (reserve, &pace) {
            (true, _) => Account::House,
            (false, Some(_)) => Account::Device(culprit.as_str().into()),
            (false, None) => Account::User(culprit.as_str().into()),
        };
        let who = Who { culprit, about, account };
        Guest { encoder, client, who, keep_alive, pace, _place: place }
    }

    /// Logs why this client is not let in; its network is the culprit, since everything else is only claimed. The line
    /// for people is rate-limited; who asks for every connection's end finds it at the level of information.
    fn note(&self, client: &str, why: &'static str, about: impl std::fmt::Display) {
        tracing::info!(client, peer = %self.peer, reason = %why, "refused");
        self.hub.refused(why, &self.network.to_string(), about);
    }

    async fn read_connect(&mut self) -> Result<Connect, Option<Reason>> {
        loop {
            match self.decoder.next(&mut self.pipe.input).map_err(Some)? {
                Some(Packet::Connect(connect)) => return Ok(*connect),
                Some(_) => return Err(Some(Reason::Protocol)),
                None => {}
            }
            match self.pipe.read().await {
                Ok(0) | Err(_) => return Err(None),
                Ok(count) => self.hub.traffic.received(count),
            }
        }
    }

    /// Answers a CONNECT that cannot be accepted, where the standard allows an answer.
    async fn refuse(&mut self, reason: Option<Reason>) {
        let Some(reason) = reason else {
            let why = "went away before its CONNECT";
            return tracing::info!(peer = %self.peer, reason = %why, "disconnected");
        };
        // The decoder leaves what it cannot take.
        match hint(&self.pipe.input, (false, false)) {
            Some(hint) => self.note("", hint, self.peer),
            None => self.note("", reason.text(), self.peer),
        }
        // Which answer the client understands depends on the version that it speaks.
        let understood = match (reason, claimed_version(&self.pipe.input)) {
            (Reason::Version | Reason::ClientId, _) => Version::V311,
            (_, Some(Version::V5)) => Version::V5,
            _ => return,
        };
        Encoder(understood).refuse(&mut self.pipe.output, reason);
        self.last_words().await;
    }

    async fn finish(&mut self, encoder: Encoder, end: &End, (client, who): (&str, &Who)) {
        let how = match end {
            End::Goodbye(how) => *how,
            End::Gone | End::Fault(_) | End::Told(_) => Ended::Lost,
        };
        // First the others hear of it, then this client.
        self.hub.step(|core, now| core.closed(now, self.id, how));
        tracing::info!(client, peer = %self.peer, reason = %end, "disconnected");
        if let End::Fault(reason) | End::Told(reason) = end
            && is_refusal(*reason)
        {
            self.hub.refused(reason.text(), &who.culprit, &who.about);
        }
        match end {
            End::Gone | End::Goodbye(_) => {}
            End::Told(_) => self.last_words().await,
            End::Fault(reason) => {
                encoder.put(&mut self.pipe.output, &Action::Close(*reason));
                self.last_words().await;
            }
        }
    }

    async fn last_words(&mut self) {
        let said = timeout(LAST_WORDS, async {
            let written = self.pipe.write_all().await?;
            self.hub.traffic.sent(written);
            self.pipe.shutdown().await
        });
        if !matches!(said.await, Ok(Ok(()))) {
            tracing::debug!(peer = %self.peer, "did not read its last words");
            return;
        }
        // Closing with unread input would reset the connection and destroy the words on their way.
        let drained = timeout(LINGER, async {
            while self.pipe.read().await.is_ok_and(|read| read > 0) {
                self.pipe.input.clear();
            }
        });
        if drained.await.is_err() {
            tracing::debug!(peer = %self.peer, "did not close its side");
        }
    }
}

/// Whether a connection ended for something that its owner would look for in the log. Silence, a newer connection and
/// the broker's own end are everyday.
fn is_refusal(reason: Reason) -> bool {
    !matches!(reason, Reason::Normal | Reason::KeepAlive | Reason::TakenOver | Reason::ShuttingDown)
}

/// Is ready when the client goes away while it waits for its CONNACK; what it says ahead is kept.
async fn gone<S: AsyncRead + AsyncWrite + Unpin>(pipe: &mut Pipe<S>) {
    while pipe.input.len() < AHEAD {
        if !pipe.read().await.is_ok_and(|read| read > 0) {
            return;
        }
    }
    std::future::pending().await
}
