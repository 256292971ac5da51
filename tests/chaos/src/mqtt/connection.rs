//! One TCP connection and its MQTT session.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::packet::{self, Packet, Publish, Version};

/// How long a connection and its CONNACK may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so much silence the broker is asked whether it lives; after twice as much the connection is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How a client introduces itself.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Version of the protocol.
    pub version: Version,
    /// Client id.
    pub client: String,
    /// Whether to begin without a session.
    pub clean: bool,
}

/// A connection that the broker has taken.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    version: Version,
    buffer: Vec<u8>,
    heard: Instant,
    asked: bool,
    /// Whether the broker had a session for the client.
    pub session: bool,
}

impl Connection {
    /// Connects and says CONNECT.
    ///
    /// # Errors
    /// When the broker cannot be reached in time, or refuses.
    pub async fn open(port: u16, hello: &Hello) -> io::Result<Self> {
        timeout(PATIENCE, Self::begin(port, hello)).await?
    }

    async fn begin(port: u16, hello: &Hello) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let heard = Instant::now();
        let version = hello.version;
        let mut it =
            Self { stream, version, buffer: Vec::new(), heard, asked: false, session: false };
        let seconds = KEEP_ALIVE.as_secs() as u16 * 2;
        let connect = packet::connect(version, &hello.client, hello.clean, seconds);
        it.stream.write_all(&connect).await?;
        match it.next().await? {
            Packet::Connack { session, code: 0 } => it.session = session,
            other => return Err(io::Error::other(format!("instead of a CONNACK: {other:?}"))),
        }
        Ok(it)
    }

    /// Subscribes to a filter at QoS 1; what comes before the answer is lost.
    ///
    /// # Errors
    /// When the connection ends.
    pub async fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        self.stream.write_all(&packet::subscribe(self.version, filter)).await?;
        while self.next().await? != Packet::Suback {}
        Ok(())
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the connection ends, or takes nothing for too long.
    pub async fn publish(&mut self, message: &Publish<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        message.encode(self.version, &mut bytes);
        self.send(&bytes).await
    }

    /// Sends bytes that are packets already.
    ///
    /// # Errors
    /// When the connection ends, or takes nothing for too long.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(KEEP_ALIVE * 2, self.stream.write_all(bytes)).await?
    }

    /// PUBACK.
    ///
    /// # Errors
    /// When the connection ends.
    pub async fn puback(&mut self, id: u16) -> io::Result<()> {
        self.send(&packet::acknowledge(0x40, id)).await
    }

    /// PUBREL.
    ///
    /// # Errors
    /// When the connection ends.
    pub async fn pubrel(&mut self, id: u16) -> io::Result<()> {
        self.send(&packet::acknowledge(0x62, id)).await
    }

    /// The next packet. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection ends, is silent for too long, or makes no sense.
    pub async fn next(&mut self) -> io::Result<Packet> {
        loop {
            match packet::decode(self.version, &mut self.buffer) {
                Ok(Some(Packet::Pingresp)) => {}
                Ok(Some(Packet::Disconnect { code })) => {
                    return Err(io::Error::other(format!("DISCONNECT {code:#04x}")));
                }
                Ok(Some(packet)) => return Ok(packet),
                Ok(None) => self.read().await?,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        let wait = if self.asked { KEEP_ALIVE * 2 } else { KEEP_ALIVE };
        let silent = self.heard + wait;
        let Ok(read) =
            tokio::time::timeout_at(silent, self.stream.read_buf(&mut self.buffer)).await
        else {
            if self.asked {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.asked = true;
            return self.send(&[0xc0, 0]).await;
        };
        (self.heard, self.asked) = (Instant::now(), false);
        if read? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
