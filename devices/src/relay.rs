//! A TCP relay: the cable between a client and a broker, which can be cut in one direction or both,
//! without either end hearing of it, and put back in.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A relay, on a port that stays. Dropping it closes its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    network: watch::Sender<Network>,
    _tasks: JoinSet<()>,
}

/// Which way something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client to where it connects.
    ToTarget,
    /// Back.
    ToClient,
}

/// What the network does.
#[derive(Clone, Debug, Default)]
struct Network {
    /// Where connections go, host and port; nowhere if there is nothing.
    target: Option<String>,
    cut_to_target: bool,
    cut_to_client: bool,
    /// New connections are closed at once.
    refuses: bool,
    /// Connections of an older number are broken.
    number: u64,
}

impl Relay {
    /// Relays connections to a host and port, if there is one yet.
    ///
    /// # Errors
    /// When the system gives no port.
    pub async fn start(target: Option<String>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (network, seen) = watch::channel(Network { target, ..Network::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, seen));
        Ok(Self { address, network, _tasks: tasks })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Relays new connections there; without a target they are closed at once.
    pub fn point_at(&self, target: Option<String>) {
        self.network.send_modify(|network| network.target = target);
    }

    /// Lets nothing through in this direction. What is sent there is kept, ends of connections too, as
    /// TCP does when packets are lost.
    pub fn cut(&self, direction: Direction) {
        self.network.send_modify(|network| match direction {
            Direction::ToTarget => network.cut_to_target = true,
            Direction::ToClient => network.cut_to_client = true,
        });
    }

    /// Cuts both directions.
    pub fn cut_both(&self) {
        self.cut(Direction::ToTarget);
        self.cut(Direction::ToClient);
    }

    /// Breaks every connection, and refuses new ones.
    pub fn refuse(&self) {
        self.network.send_modify(|network| {
            network.refuses = true;
            network.number += 1;
        });
    }

    /// Lets everything through again, first what was kept.
    pub fn heal(&self) {
        self.network.send_modify(|network| {
            network.cut_to_target = false;
            network.cut_to_client = false;
            network.refuses = false;
        });
    }
}

impl Network {
    fn flows(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToTarget => !self.cut_to_target,
            Direction::ToClient => !self.cut_to_client,
        }
    }
}

async fn accept(listener: TcpListener, network: watch::Receiver<Network>) {
    // Aborted with this task, when the relay is dropped.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(carry(client, network.clone()));
    }
}

async fn carry(client: TcpStream, mut network: watch::Receiver<Network>) {
    let Network { target, number, refuses, .. } = network.borrow().clone();
    let Some(target) = target.filter(|_| !refuses) else { return };
    let Ok(target) = TcpStream::connect(target).await else { return };
    // An error only means that small messages wait a little.
    let _ = (client.set_nodelay(true), target.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_target, to_target) = target.into_split();
    let there = pump(from_client, to_target, Direction::ToTarget, network.clone());
    let back = pump(from_target, to_client, Direction::ToClient, network.clone());
    tokio::select! {
        _ = async { tokio::try_join!(there, back) } => {}
        // Dropping both sockets closes them.
        _ = network.wait_for(|network| network.number != number) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut network: watch::Receiver<Network>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        if network.wait_for(|network| network.flows(direction)).await.is_err() {
            // The relay was dropped, and this task ends with it.
            return Ok(());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A relay, a connection through it, and the other end of that.
    async fn connected() -> (Relay, TcpListener, TcpStream, TcpStream) {
        let target = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = target.local_addr().expect("its address").to_string();
        let relay = Relay::start(Some(place)).await.expect("a relay");
        let mut near = TcpStream::connect(relay.address()).await.expect("connected");
        near.write_all(b"a").await.expect("written");
        let (mut far, _) = target.accept().await.expect("accepted");
        assert_eq!(byte(&mut far).await, Some(b'a'));
        (relay, target, near, far)
    }

    /// How long anything may take before a test gives up on it. Never a measure.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// The next byte; none at the end.
    async fn byte(from: &mut TcpStream) -> Option<u8> {
        let mut byte = [0];
        let read = timeout(PATIENCE, from.read(&mut byte)).await.expect("a byte or the end");
        (read.ok()? == 1).then_some(byte[0])
    }

    async fn is_silent(from: &mut TcpStream) -> bool {
        timeout(Duration::from_millis(100), from.read_u8()).await.is_err()
    }

    #[tokio::test]
    async fn a_cut_relay_holds_everything_back_and_loses_nothing() {
        let (relay, _target, mut near, mut far) = connected().await;
        relay.cut_both();
        near.write_all(b"b").await.expect("written");
        near.shutdown().await.expect("ended");
        assert!(is_silent(&mut far).await);
        relay.heal();
        assert_eq!(byte(&mut far).await, Some(b'b'));
        assert_eq!(byte(&mut far).await, None);
    }

    #[tokio::test]
    async fn a_relay_that_is_cut_in_one_direction_lets_the_other_through() {
        let (relay, _target, mut near, mut far) = connected().await;
        relay.cut(Direction::ToTarget);
        near.write_all(b"b").await.expect("written");
        far.write_all(b"c").await.expect("written");
        assert_eq!(byte(&mut near).await, Some(b'c'));
        assert!(is_silent(&mut far).await);
    }

    #[tokio::test]
    async fn a_relay_that_refuses_breaks_what_there_is_and_closes_what_comes() {
        let (relay, target, mut near, mut far) = connected().await;
        relay.refuse();
        assert_eq!((byte(&mut near).await, byte(&mut far).await), (None, None));
        let mut late = TcpStream::connect(relay.address()).await.expect("connected");
        assert_eq!(byte(&mut late).await, None);
        relay.heal();
        relay.point_at(None);
        let mut lost = TcpStream::connect(relay.address()).await.expect("connected");
        assert_eq!(byte(&mut lost).await, None);
        relay.point_at(Some(target.local_addr().expect("its address").to_string()));
        let mut well = TcpStream::connect(relay.address()).await.expect("connected");
        well.write_all(b"d").await.expect("written");
        let (mut far, _) = target.accept().await.expect("accepted");
        assert_eq!(byte(&mut far).await, Some(b'd'));
    }
}
