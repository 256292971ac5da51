//! From a TCP connection to a stream of MQTT bytes: plain, TLS, WebSocket, or WebSocket over TLS.
//!
//! Whoever is silent during a handshake waits alone: handshakes have a time limit, run beside each other and beside
//! the accepting, and on a thread of their own, so that their arithmetic keeps nobody waiting who is inside.

mod flushed;
mod frames;
mod porch;
mod spoken;
mod tls;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use flushed::Flushed;
use porch::Porch;
pub(crate) use spoken::hint;
pub(crate) use tls::Certificates;
pub(crate) use websocket::Origins;

/// One port, and what is spoken there.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) websocket: bool,
}

impl Port {
    /// How it is called in a log.
    pub(crate) fn speaks(&self) -> &'static str {
        match (self.tls, self.websocket) {
            (false, false) => "tcp",
            (true, false) => "tls",
            (false, true) => "ws",
            (true, true) => "wss",
        }
    }
}

/// Bytes to and from a client.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// A client whose handshakes are done.
pub(crate) struct Arrived {
    pub(crate) bytes: Box<dyn Bytes>,
    /// The name in the client's certificate, if it showed one.
    pub(crate) certificate: Option<Box<str>>,
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Of a few kinds.
    pub(crate) why: &'static str,
    /// What the case was.
    pub(crate) about: String,
}

impl Failed {
    pub(crate) fn handshake(about: impl Into<String>) -> Self {
        Self { why: "its handshake of TLS or WebSocket failed", about: about.into() }
    }
}

/// Does the handshakes of all ports.
#[derive(Debug)]
pub(crate) struct Reception {
    pub(crate) certificates: Option<Arc<Certificates>>,
    porch: Porch,
}

impl Reception {
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn new(certificates: Option<Certificates>) -> io::Result<Self> {
        Ok(Self { certificates: certificates.map(Arc::new), porch: Porch::open()? })
    }

    /// Does what has to be done before the first byte of MQTT. When it is dropped, the handshake ends.
    ///
    /// # Errors
    /// What went wrong; the connection is then closed.
    pub(crate) async fn receive(
        &self,
        stream: TcpStream,
        (tls, websocket): (bool, bool),
        origins: Origins,
    ) -> Result<Arrived, Failed> {
        let certificates = self.certificates.clone().filter(|_| tls);
        let hand_shake = async move {
            let mut first = [0];
            let seen = stream.peek(&mut first).await;
            let seen = seen.map_err(|error| Failed::handshake(error.to_string()))?;
            if let Some(why) = spoken::hint(&first[..seen], (tls, websocket)) {
                return Err(Failed { why, about: String::new() });
            }
            let (bytes, certificate): (Box<dyn Bytes>, _) = match certificates {
                Some(certificates) => {
                    let accepted = certificates.accept(stream).await;
                    let (stream, name) = accepted.map_err(Failed::handshake)?;
                    (Box::new(stream), name)
                }
                None if tls => return Err(Failed::handshake("there is no certificate")),
                None => (Box::new(stream), None),
            };
            let bytes = match websocket {
                true => {
                    let accepted = websocket::accept(bytes, origins).await;
                    Box::new(Flushed::new(accepted.map_err(Failed::handshake)?))
                }
                false => Box::new(Flushed::new(bytes)) as Box<dyn Bytes>,
            };
            Ok(Arrived { bytes, certificate })
        };
        self.porch.work(hand_shake).await.unwrap_or_else(|| Err(Failed::handshake("was given up")))
    }
}
