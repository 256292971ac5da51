//! Accepts connections and ends them all when the broker stops.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::access::{AccessError, Door};
use crate::connection::{self, Visitor};
use crate::error::{BindError, BrokerError};
use crate::hub::Hub;
use crate::router::{self, Feed, RouterDied};
use crate::settings::Settings;
use crate::store::{self, Desk, Store};
use crate::sys::{self, Metrics};

/// Time for all clients to read their DISCONNECT. 500 ms: a restart should not wait for a sleeping phone.
const FAREWELL: Duration = Duration::from_millis(500);
/// Pause after a failed accept, so that a process out of file descriptors does not spin. 50 ms.
const BREATHER: Duration = Duration::from_millis(50);

/// A broker that listens and does not serve yet: [`Broker::run`] does.
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
    hub: Arc<Hub>,
    door: Arc<Door>,
    feed: Feed,
    store: Option<Store>,
    metrics: Option<Metrics>,
}

/// Loads users and roles anew while the broker runs.
#[derive(Clone)]
pub struct Reloader {
    hub: Arc<Hub>,
    door: Arc<Door>,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

impl Reloader {
    /// Reads the files again. Connections whose user is gone or has another password or role end (MQTT 5: 0x87), and
    /// so do sessions with a subscription that is no longer allowed; for all others the new rules hold at once.
    ///
    /// # Errors
    ///
    /// What is wrong with which file; then everything stays as it was.
    pub fn reload(&self) -> Result<(), AccessError> {
        let users = self.door.reload()?;
        self.hub.step(|core, now| core.renew(now, |user| self.door.find(user)));
        tracing::info!(users, "users and roles are loaded anew");
        Ok(())
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Broker {
    /// Opens the port, takes up what an earlier life kept, and starts the router thread.
    ///
    /// # Errors
    ///
    /// [`BindError`] says which address failed, why, and what to do.
    pub async fn bind(settings: Settings) -> Result<Self, BindError> {
        let bind = || settings.bind.clone();
        let mut addresses = tokio::net::lookup_host(&settings.bind)
            .await
            .map_err(|cause| BindError::Address { bind: bind(), cause })?
            .peekable();
        if addresses.peek().is_none() {
            let cause = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(BindError::Address { bind: bind(), cause });
        }
        let patience = settings.limits.connect_timeout;
        let door = Door::new(settings.access.clone(), &settings.site, patience);
        let door = Arc::new(door.map_err(BindError::Access)?);
        let listen = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken { bind: bind() },
            _ => BindError::Listen { bind: bind(), cause },
        };
        let listener = TcpListener::bind(&*addresses.collect::<Vec<_>>()).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        if !door.is_guarded() {
            let users = door.users().cloned();
            if !address.ip().is_loopback() {
                return Err(BindError::Unguarded { bind: bind(), users });
            }
            tracing::info!(?users, "there are no users: everyone on this machine is trusted");
        }
        let metrics = match &settings.metrics {
            Some(bind) => Some(
                Metrics::bind(bind)
                    .await
                    .map_err(|cause| BindError::Metrics { bind: bind.clone(), cause })?,
            ),
            None => None,
        };
        let (store, hub, feed) = start(settings, &door)?;
        let settings = &hub.settings;
        if let Some(metrics) = &metrics {
            tracing::info!(address = %metrics.address, "metrics are told to whoever asks there");
        }
        tracing::info!(%address, site = %settings.site, broker = settings.broker_id, "the broker listens");
        Ok(Self { listener, address, hub, door, feed, store, metrics })
    }

    /// What loads users and roles anew while the broker runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        Reloader { hub: self.hub.clone(), door: self.door.clone() }
    }

    /// The address in use; tells the port when port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address on which metrics are told, if they are.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.address)
    }

    /// Serves until `shutdown` is ready, then ends every connection (MQTT 5: DISCONNECT 0x8B, no wills) and returns
    /// within half a second.
    ///
    /// # Errors
    ///
    /// [`BrokerError::RouterDied`] if the router thread ends.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), BrokerError> {
        let Self { listener, hub, door, feed, store, metrics, .. } = self;
        let mut clients = JoinSet::new();
        let mut inside = JoinSet::new();
        let (pumping, timing) = (hub.clone(), hub.clone());
        inside.spawn(async move {
            let RouterDied = pumping.pump(feed).await;
        });
        inside.spawn(async move { timing.keep_time().await });
        inside.spawn(sys::publish(hub.clone(), hub.settings.sys_interval));
        if let Some(metrics) = metrics {
            inside.spawn(metrics.serve(hub.clone()));
        }
        let result = tokio::select! {
            () = shutdown => Ok(()),
            () = accept(&listener, &hub, &door, &mut clients) => Ok(()),
            // None of the others ever ends; a panic in any of them counts as the same.
            _ = inside.join_next() => Err(BrokerError::RouterDied),
        };
        drop(listener);
        hub.step(|core, _| core.stop());
        let everyone = async { while clients.join_next().await.is_some() {} };
        if timeout(FAREWELL, everyone).await.is_err() {
            tracing::debug!("some clients did not read their goodbye");
        }
        // Every connection is gone before the file is closed, so that its session sleeps in it.
        clients.shutdown().await;
        drop(store);
        result
    }
}

/// Everything of a broker but its port.
fn start(
    mut settings: Settings,
    door: &Door,
) -> Result<(Option<Store>, Arc<Hub>, Feed), BindError> {
    let Some(folder) = settings.data_dir.clone() else {
        let (router, feed) = router::start(settings.incarnation).map_err(BindError::Router)?;
        return Ok((None, Arc::new(Hub::new(settings, router, None)), feed));
    };
    let opened = store::open(&folder, settings.broker_id, &settings.site, settings.incarnation);
    let store::Opened { file, memory, incarnation } = opened.map_err(BindError::Store)?;
    settings.incarnation = incarnation;
    let (router, feed) = router::start(incarnation).map_err(BindError::Router)?;
    let desk = Arc::<Desk>::default();
    let hub = Arc::new(Hub::new(settings, router, Some(desk.clone())));
    hub.step(|core, now| core.restore(now, memory, |user| door.find(user)));
    let all = hub.clone();
    let store = Store::start(file, desk, Box::new(move || all.everything()));
    Ok((Some(store.map_err(BindError::Store)?), hub, feed))
}

/// Accepts for ever; each client has a task of its own.
async fn accept(
    listener: &TcpListener,
    hub: &Arc<Hub>,
    door: &Arc<Door>,
    clients: &mut JoinSet<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = clients.join_next() => continue,
        };
        match accepted {
            Ok((_, peer)) if clients.len() >= hub.settings.limits.connections => {
                tracing::warn!(%peer, "turned away: there are as many connections as allowed");
            }
            Ok((stream, peer)) => {
                let visitor = Visitor { address: peer, certificate: None, door: door.clone() };
                clients.spawn(serve(hub.clone(), stream, visitor));
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

async fn serve(hub: Arc<Hub>, stream: TcpStream, visitor: Visitor) {
    let peer = visitor.address;
    // Without this every small packet may wait 40 ms for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "could not set TCP_NODELAY");
    }
    let (reader, writer) = stream.into_split();
    connection::serve(hub, reader, writer, visitor).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_router_ends_the_broker_with_an_error() {
        let settings = Settings { bind: "127.0.0.1:0".to_owned(), ..Settings::default() };
        let broker = Broker::bind(settings).await.unwrap();
        broker.hub.break_router();
        assert_eq!(broker.run(std::future::pending()).await, Err(BrokerError::RouterDied));
    }
}
