//! From a TCP connection to a stream of MQTT bytes: plain, TLS, WebSocket, or WebSocket over TLS.
//!
//! Whoever is silent during a handshake waits alone: handshakes have a time limit, run beside each other and beside
//! the accepting, and on a thread of their own, so that their arithmetic keeps nobody waiting who is inside.

mod flushed;
mod porch;
mod tls;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use flushed::Flushed;
use porch::Porch;
pub(crate) use tls::Certificates;
pub(crate) use websocket::Origins;

/// A port for TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Address and port to listen on; none if only WebSocket uses TLS.
    pub bind: Option<String>,
    /// File with the certificate chain, the server's own first (PEM).
    pub certificate: PathBuf,
    /// File with its private key (PEM).
    pub key: PathBuf,
    /// File with the certificates that sign clients' ones (PEM). The name in a client's certificate is its user name.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away.
    pub client_required: bool,
}

/// A port for WebSocket.
#[derive(Debug, Clone)]
pub struct WebSocket {
    /// Address and port to listen on.
    pub bind: String,
    /// Whether it is for `wss://`, with the certificate of [`Tls`].
    pub tls: bool,
}

/// One port, and what is spoken there.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) websocket: bool,
}

impl Port {
    /// Whether a client that is turned away can be told why without any handshake.
    pub(crate) fn is_plain(&self) -> bool {
        !self.tls && !self.websocket
    }

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

/// Does the handshakes of all ports.
#[derive(Debug)]
pub(crate) struct Reception {
    pub(crate) certificates: Option<Arc<Certificates>>,
    porch: Porch,
    patience: Duration,
    largest: usize,
}

impl Reception {
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn new(
        certificates: Option<Certificates>,
        patience: Duration,
        packet_bytes: u32,
    ) -> io::Result<Self> {
        let certificates = certificates.map(Arc::new);
        Ok(Self { certificates, porch: Porch::open()?, patience, largest: packet_bytes as usize })
    }

    /// Does what has to be done before the first byte of MQTT.
    ///
    /// # Errors
    /// What went wrong, in words; the connection is then closed.
    pub(crate) async fn receive(
        &self,
        stream: TcpStream,
        (tls, websocket): (bool, bool),
        origins: Origins,
    ) -> Result<Arrived, String> {
        let (certificates, largest) = (self.certificates.clone().filter(|_| tls), self.largest);
        let hand_shake = async move {
            let (bytes, certificate): (Box<dyn Bytes>, _) = match certificates {
                Some(certificates) => {
                    let (stream, name) = certificates.accept(stream).await?;
                    (Box::new(stream), name)
                }
                None if tls => return Err("there is no certificate".to_owned()),
                None => (Box::new(stream), None),
            };
            let bytes = match websocket {
                true => Box::new(Flushed::new(websocket::accept(bytes, largest, origins).await?)),
                false => Box::new(Flushed::new(bytes)) as Box<dyn Bytes>,
            };
            Ok(Arrived { bytes, certificate })
        };
        let patience = self.patience;
        let done = self.porch.spawn(async move { timeout(patience, hand_shake).await }).await;
        match done {
            Ok(Ok(arrived)) => arrived,
            Ok(Err(_)) => Err("did not finish its handshake in time".to_owned()),
            Err(_) => Err("the handshake was given up".to_owned()),
        }
    }
}
