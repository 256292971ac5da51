//! One blocking connection to a broker.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::packets::{self, Packet};
use crate::failure::{Failure, Outcome};

/// A broker that says nothing for this long has failed the measurement.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(in crate::bench) struct Session {
    stream: TcpStream,
    /// What was read and not taken yet.
    input: Vec<u8>,
}

impl Session {
    /// Connects and waits for the CONNACK.
    pub(in crate::bench) fn open(broker: SocketAddr, client: &str) -> Outcome<Self> {
        Self::open_with(broker, client, None)
    }

    /// The same with a will.
    pub(super) fn open_with(broker: SocketAddr, client: &str, will: Option<&str>) -> Outcome<Self> {
        let mut session = Self::begin(broker, client, will)?;
        session.accepted()?;
        Ok(session)
    }

    /// Sends the CONNECT; [`Session::accepted`] waits for the answer.
    pub(super) fn begin(broker: SocketAddr, client: &str, will: Option<&str>) -> Outcome<Self> {
        let stream = TcpStream::connect_timeout(&broker, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut session = Self { stream, input: Vec::new() };
        session.send(&packets::connect(client, will))?;
        Ok(session)
    }

    pub(super) fn accepted(&mut self) -> Outcome {
        self.expect("CONNACK", |packet| packet == Packet::Connack(0))
    }

    pub(super) fn subscribe(&mut self, filter: &str, qos: u8) -> Outcome {
        self.send(&packets::subscribe(filter, qos))?;
        self.expect("SUBACK", |packet| packet == Packet::Suback(qos))
    }

    pub(in crate::bench) fn send(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.stream.write_all(bytes)?)
    }

    fn expect(&mut self, what: &str, is: impl Fn(Packet<'_>) -> bool) -> Outcome {
        let found = self.receive(|packet| is(packet).then_some(()).ok_or(format!("{packet:?}")))?;
        found.map_err(|packet| Failure::failed(format!("instead of {what} came {packet}")))
    }

    /// Waits for the next packet.
    pub(in crate::bench) fn receive<T>(
        &mut self,
        take: impl FnOnce(Packet<'_>) -> T,
    ) -> Outcome<T> {
        loop {
            if let Some((packet, used)) = packets::next(&self.input) {
                let taken = take(packet);
                self.input.drain(..used);
                return Ok(taken);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(Failure::failed("the broker closed a connection")),
                Ok(read) => self.input.extend_from_slice(&bytes[..read]),
                // A child process has ended, which is a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// For use in a runtime.
    pub(super) fn into_stream(self) -> Outcome<tokio::net::TcpStream> {
        self.stream.set_nonblocking(true)?;
        Ok(tokio::net::TcpStream::from_std(self.stream)?)
    }
}
