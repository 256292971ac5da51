//! A TCP relay that can stand still: the cable between a gateway and the broker, pulled out and put
//! back in, without either end hearing of it.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A relay. Dropping it closes its connections.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    frozen: watch::Sender<bool>,
    _pumps: JoinSet<()>,
}

impl Relay {
    /// Relays connections to `target`, a host and port.
    pub(super) async fn start(target: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (frozen, freeze) = watch::channel(false);
        let mut pumps = JoinSet::new();
        pumps.spawn(accept(listener, target, freeze));
        Ok(Self { address, frozen, _pumps: pumps })
    }

    /// Lets nothing through any more; both ends stay connected.
    pub(super) fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    /// Lets everything through again, first what was held back.
    pub(super) fn thaw(&self) {
        self.frozen.send_replace(false);
    }
}

async fn accept(listener: TcpListener, target: String, frozen: watch::Receiver<bool>) {
    // Aborted with this task, when the relay is dropped.
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        connections.spawn(connect(near, target.clone(), frozen.clone()));
    }
}

async fn connect(near: TcpStream, target: String, mut frozen: watch::Receiver<bool>) {
    if frozen.wait_for(|frozen| !frozen).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    // An error only means that small messages wait a little.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::select! {
        _ = pump(near_in, far_out, frozen.clone()) => {}
        _ = pump(far_in, near_out, frozen) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut frozen: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        let ended = read == 0 || frozen.wait_for(|frozen| !frozen).await.is_err();
        if ended {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_frozen_relay_holds_everything_back_and_loses_nothing() {
        let target = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = target.local_addr().expect("its address").to_string();
        let relay = Relay::start(place).await.expect("a relay");
        let mut near = TcpStream::connect(relay.address).await.expect("connected");
        near.write_all(b"a").await.expect("written");
        let (mut far, _) = target.accept().await.expect("accepted");
        let mut byte = [0];
        far.read_exact(&mut byte).await.expect("read");
        relay.freeze();
        near.write_all(b"b").await.expect("written");
        let silent = timeout(Duration::from_millis(100), far.read_exact(&mut byte)).await;
        assert!(silent.is_err(), "it let {byte:?} through");
        relay.thaw();
        far.read_exact(&mut byte).await.expect("read");
        assert_eq!(&byte, b"b");
    }
}
