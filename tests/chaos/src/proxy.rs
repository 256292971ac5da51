//! The network between one client, or several, and the broker. It can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Where the broker listens now; 0 while there is none. A new broker has a new port, so that no port has to be free
/// again.
pub type BrokerPort = Arc<AtomicU16>;

/// A proxy, on a port that stays.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    network: watch::Sender<Network>,
}

/// A direction, as seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the client says.
    ToBroker,
    /// What the client hears.
    FromBroker,
}

/// What the network does. Cut in one direction it keeps what is sent there, ends of connections too, as TCP does when
/// packets are lost, and delivers it when it is whole again.
#[derive(Clone, Copy, Debug, Default)]
struct Network {
    cut_to_broker: bool,
    cut_from_broker: bool,
    /// New connections are refused.
    refuses: bool,
    /// Connections of an older number are broken.
    number: u64,
}

impl Network {
    fn flows(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToBroker => !self.cut_to_broker,
            Direction::FromBroker => !self.cut_from_broker,
        }
    }
}

impl Proxy {
    /// A whole network to the broker.
    pub async fn start(broker: BrokerPort) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (network, seen) = watch::channel(Network::default());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, broker.clone(), seen.clone()));
            }
        });
        Self { port, network }
    }

    /// From now on nothing gets through in this direction.
    pub fn cut(&self, direction: Direction) {
        self.network.send_modify(|network| match direction {
            Direction::ToBroker => network.cut_to_broker = true,
            Direction::FromBroker => network.cut_from_broker = true,
        });
    }

    /// Breaks every connection, and refuses new ones.
    pub fn refuse(&self) {
        self.network.send_modify(|network| {
            network.refuses = true;
            network.number += 1;
        });
    }

    /// The network is whole again; what it kept is delivered.
    pub fn heal(&self) {
        self.network.send_modify(|network| {
            *network = Network { number: network.number, ..Network::default() };
        });
    }
}

async fn carry(client: TcpStream, broker: BrokerPort, mut network: watch::Receiver<Network>) {
    let Network { number, refuses, .. } = *network.borrow();
    let port = broker.load(Ordering::Relaxed);
    if refuses || port == 0 {
        return;
    }
    let Ok(broker) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    // A connection that is broken meanwhile has both sockets closed by dropping them.
    let _ = (client.set_nodelay(true), broker.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let there = pump(from_client, to_broker, Direction::ToBroker, network.clone());
    let back = pump(from_broker, to_client, Direction::FromBroker, network.clone());
    tokio::select! {
        _ = async { tokio::try_join!(there, back) } => {}
        _ = network.wait_for(|network| network.number != number) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut network: watch::Receiver<Network>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        // The sender lives as long as the test.
        let _ = network.wait_for(|network| network.flows(direction)).await;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
