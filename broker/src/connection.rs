//! One client's connection, from its CONNECT to its last words; what is said between them is in `converse.rs`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::access::Door;
use crate::bell::Bell;
use crate::converse::{Conversation, End};
use crate::hub::Hub;
use crate::pipe::Pipe;
use broker_core::ConnId;
use broker_core::Ended;
use broker_core::protocol::{
    Action, ConnackLimits, Connect, Decoder, Encoder, Packet, Reason, Version,
};

/// Time for the last words. 1 s: a client that does not read them does not need them.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Time for the client to close its side. 200 ms: a round trip and some thought.
const LINGER: Duration = Duration::from_millis(200);

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
    let visitor = Visitor { refusal: Some(reason), ..visitor };
    // Nobody else can be told while this one is silent.
    if timeout(LAST_WORDS, serve(hub, stream, visitor)).await.is_err() {
        tracing::debug!("was turned away before its CONNECT");
    }
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
    let peer = visitor.address;
    let connection =
        Connection { hub: &hub, id, bell, peer, visitor, pipe: Pipe::new(stream), decoder };
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
        self.hub.unregister(self.id);
    }
}

struct Connection<'h, S> {
    hub: &'h Hub,
    id: ConnId,
    bell: Arc<Bell>,
    peer: SocketAddr,
    visitor: Visitor,
    pipe: Pipe<S>,
    decoder: Decoder,
}

/// A client that was let in.
struct Guest {
    encoder: Encoder,
    client: Arc<str>,
    /// Seconds.
    keep_alive: u16,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    async fn run(mut self) {
        // Boxed, so that a connection is not as large for ever as its beginning.
        let Some(Guest { encoder, client, keep_alive }) = Box::pin(self.greet()).await else {
            return;
        };
        let (hub, id, bell) = (self.hub, self.id, &*self.bell);
        let (pipe, decoder) = (&mut self.pipe, &mut self.decoder);
        let conversation = Conversation::new((hub, id, bell), pipe, decoder, encoder, keep_alive);
        let end = conversation.held().await;
        self.finish(encoder, &end, &client).await;
    }

    /// Takes the CONNECT and answers it; none if the client is not let in.
    async fn greet(&mut self) -> Option<Guest> {
        let limit = self.hub.settings.limits.connect_timeout;
        let mut connect = match timeout(limit, self.read_connect()).await {
            Ok(Ok(connect)) => connect,
            Ok(Err(reason)) => {
                self.refuse(reason).await;
                return None;
            }
            Err(_) => {
                self.note_refused("sent no CONNECT in time");
                return None;
            }
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
                encoder.refuse(&mut self.pipe.output, reason);
                tracing::info!(client, peer = %self.peer, %reason, "refused");
                self.last_words().await;
                return None;
            }
        };
        let limits = &self.hub.settings.limits;
        let announced = ConnackLimits {
            receive_maximum: limits.receive_maximum,
            maximum_packet: limits.packet_bytes,
            assigned_id: anonymous.then_some(&*connected.client),
        };
        encoder.welcome(&mut self.pipe.output, connected.session_present, &announced);
        tracing::info!(client = %connected.client, peer = %self.peer, ?version, present = connected.session_present, "connected");
        Some(Guest { encoder, client: connected.client, keep_alive })
    }

    /// The line in the log for one that never got so far as to have a client id that counts.
    fn note_refused(&self, reason: impl fmt::Display) {
        tracing::info!(peer = %self.peer, %reason, "refused");
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
        let Some(reason) = reason else { return self.note_refused("went away before its CONNECT") };
        self.note_refused(reason);
        // The level is the byte after the name; which answer the client understands depends on it.
        let understood = match reason {
            Reason::Version | Reason::ClientId => Version::V311,
            Reason::AuthenticationMethod => Version::V5,
            _ => return,
        };
        Encoder(understood).refuse(&mut self.pipe.output, reason);
        self.last_words().await;
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
