//! Accepts connections and ends them all when the broker stops.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use broker_settings::WebSocket;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::access::Door;
use crate::admission::{Admission, Pending};
use crate::connection::{self, Visitor};
use crate::descriptors;
use crate::error::{BindError, BrokerError};
use crate::hub::Hub;
use crate::reload::Reloader;
use crate::router::{self, Feed, RouterDied};
use crate::settings::Settings;
use crate::store::{self, Desk, Store};
use crate::sys::{self, Metrics};
use crate::transport::{Arrived, Certificates, Failed, Origins, Port, Reception};

/// Time for all clients to read their DISCONNECT. 500 ms: a restart should not wait for a sleeping phone.
const FAREWELL: Duration = Duration::from_millis(500);
/// Pause after a failed accept, so that a process out of file descriptors does not spin. 50 ms.
pub(crate) const BREATHER: Duration = Duration::from_millis(50);

/// A broker that listens and does not serve yet: [`Broker::run`] does.
pub struct Broker {
    ports: Vec<Port>,
    lobby: Arc<Lobby>,
    feed: Feed,
    store: Option<Store>,
    metrics: Option<Metrics>,
}

/// What every connection needs on its way in.
struct Lobby {
    hub: Arc<Hub>,
    door: Arc<Door>,
    reception: Reception,
    admission: Admission,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Broker {
    /// Opens the port, takes up what an earlier life kept, and starts the router thread.
    ///
    /// # Errors
    ///
    /// [`BindError`] says which address failed, why, and what to do.
    pub async fn bind(mut settings: Settings) -> Result<Self, BindError> {
        descriptors::fit(&mut settings.limits);
        let patience = settings.limits.connect_timeout;
        let door = Door::new(settings.access.clone(), &settings.site, patience);
        let door = Arc::new(door.map_err(BindError::Access)?);
        let certificates = settings.tls.clone().map(Certificates::new).transpose();
        let certificates = certificates.map_err(BindError::Access)?;
        let ports = open(&settings).await?;
        if !door.is_guarded() {
            guard(&ports, &door)?;
        }
        let metrics = match &settings.metrics {
            Some(bind) => Some(
                Metrics::bind(bind)
                    .await
                    .map_err(|cause| BindError::Metrics { bind: bind.clone(), cause })?,
            ),
            None => None,
        };
        let reception = Reception::new(certificates);
        let reception = reception.map_err(|error| BindError::Router(error.to_string()))?;
        let (store, hub, feed) = start(settings, &door)?;
        for port in &ports {
            let (address, Settings { site, broker_id, .. }) = (port.address, &hub.settings);
            tracing::info!(%address, %site, broker = broker_id, speaks = port.speaks(), "the broker listens");
        }
        if let Some(metrics) = &metrics {
            tracing::info!(address = %metrics.address, "metrics are told to whoever asks there");
        }
        let admission = Admission::new(&hub.settings.limits);
        let lobby = Arc::new(Lobby { hub, door, reception, admission });
        Ok(Self { ports, lobby, feed, store, metrics })
    }

    /// What loads users, roles and certificates anew while the broker runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        let Lobby { hub, door, reception, .. } = &*self.lobby;
        let certificates = reception.certificates.clone();
        Reloader { hub: hub.clone(), door: door.clone(), certificates }
    }

    /// The address in use; tells the port when port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        // The first port is always there, see `open`.
        self.ports[0].address
    }

    /// All addresses in use, with what is spoken there: `tcp`, `tls`, `ws` or `wss`.
    pub fn addresses(&self) -> impl Iterator<Item = (SocketAddr, &'static str)> {
        self.ports.iter().map(|port| (port.address, port.speaks()))
    }

    /// The address on which metrics are told, if they are.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.address)
    }

    /// Serves until `shutdown` is ready, then ends every connection (MQTT 5: DISCONNECT 0x8B) and returns
    /// within half a second.
    ///
    /// # Errors
    ///
    /// [`BrokerError::RouterDied`] if the router thread ends.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), BrokerError> {
        let Self { ports, lobby, feed, store, metrics } = self;
        let hub = lobby.hub.clone();
        let mut clients = JoinSet::new();
        let mut inside = JoinSet::new();
        let (pumping, timing, telling) = (hub.clone(), hub.clone(), hub.clone());
        inside.spawn(async move {
            let RouterDied = pumping.pump(feed).await;
        });
        inside.spawn(async move { timing.keep_time().await });
        inside.spawn(async move { telling.tell_refusals().await });
        inside.spawn(sys::publish(hub.clone(), hub.settings.sys_interval));
        if let Some(metrics) = metrics {
            inside.spawn(metrics.serve(hub.clone()));
        }
        let result = tokio::select! {
            () = shutdown => Ok(()),
            () = accept(&ports, &lobby, &mut clients) => Ok(()),
            // None of the others ever ends; a panic in any of them counts as the same.
            _ = inside.join_next() => Err(BrokerError::RouterDied),
        };
        drop(ports);
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

/// Opens every port of the settings, the plain one first.
async fn open(settings: &Settings) -> Result<Vec<Port>, BindError> {
    let mut ports = Vec::new();
    if !settings.bind.is_empty() {
        ports.push(listen(&settings.bind, false, false).await?);
    }
    if let Some(bind) = settings.tls.as_ref().and_then(|tls| tls.bind.as_ref()) {
        ports.push(listen(bind, true, false).await?);
    }
    if let Some(WebSocket { bind, tls }) = &settings.websocket {
        ports.push(listen(bind, *tls, true).await?);
    }
    if ports.is_empty() { Err(BindError::Nowhere) } else { Ok(ports) }
}

async fn listen(bind: &str, tls: bool, websocket: bool) -> Result<Port, BindError> {
    let text = || bind.to_owned();
    let mut addresses = tokio::net::lookup_host(bind)
        .await
        .map_err(|cause| BindError::Address { bind: text(), cause })?
        .peekable();
    if addresses.peek().is_none() {
        let cause = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        return Err(BindError::Address { bind: text(), cause });
    }
    let wrong = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { bind: text() },
        _ => BindError::Listen { bind: text(), cause },
    };
    let listener = TcpListener::bind(&*addresses.collect::<Vec<_>>()).await.map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    Ok(Port { listener, address, tls, websocket })
}

/// Without users only this machine may come in.
fn guard(ports: &[Port], door: &Door) -> Result<(), BindError> {
    let users = door.users().cloned();
    match ports.iter().find(|port| !port.address.ip().is_loopback()) {
        Some(open) => Err(BindError::Unguarded { bind: open.address.to_string(), users }),
        None => {
            tracing::info!(?users, "there are no users: everyone on this machine is trusted");
            Ok(())
        }
    }
}

/// Accepts for ever; each client has a task of its own.
async fn accept(ports: &[Port], lobby: &Arc<Lobby>, clients: &mut JoinSet<()>) {
    loop {
        let (port, accepted) = tokio::select! {
            accepted = next(ports) => accepted,
            Some(_) = clients.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (kind, lobby) = ((port.tls, port.websocket), lobby.clone());
                let pending = lobby.admission.arrive(peer.ip());
                clients.spawn(serve(lobby, stream, (peer, pending), kind));
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

/// The next connection on any port.
async fn next(ports: &[Port]) -> (&Port, io::Result<(TcpStream, SocketAddr)>) {
    poll_fn(|cx| {
        let ready = ports.iter().find_map(|port| match port.listener.poll_accept(cx) {
            Poll::Ready(accepted) => Some((port, accepted)),
            Poll::Pending => None,
        });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

async fn serve(
    lobby: Arc<Lobby>,
    stream: TcpStream,
    (peer, mut pending): (SocketAddr, Pending),
    kind: (bool, bool),
) {
    let Lobby { hub, door, reception, admission } = &*lobby;
    let (hub, door, admission) = (hub.clone(), door.clone(), admission.clone());
    let deadline = Instant::now() + hub.settings.limits.connect_timeout;
    // Without this every small packet may wait 40 ms for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "could not set TCP_NODELAY");
    }
    if kind == (false, false) {
        let visitor =
            Visitor { address: peer, certificate: None, door, admission, pending, deadline };
        return connection::serve(hub, stream, visitor).await;
    }
    let origins = if door.is_guarded() { Origins::Any } else { Origins::Local };
    let arrived = tokio::select! {
        biased;
        arrived = timeout_at(deadline, reception.receive(stream, kind, origins)) => arrived,
        () = pending.given_up() => Ok(Err(Failed::handshake("it was slow while too many others came"))),
    };
    match arrived.unwrap_or_else(|_| Err(Failed::handshake("it was not done in time"))) {
        Ok(Arrived { bytes, certificate }) => {
            let visitor =
                Visitor { address: peer, certificate, door, admission, pending, deadline };
            connection::serve(hub, bytes, visitor).await;
        }
        Err(Failed { why, about }) => {
            hub.refused(why, &pending.network().to_string(), format_args!("{peer} {about}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_router_ends_the_broker_with_an_error() {
        let settings = Settings { bind: "127.0.0.1:0".to_owned(), ..Settings::default() };
        let broker = Broker::bind(settings).await.unwrap();
        broker.lobby.hub.break_router();
        assert_eq!(broker.run(std::future::pending()).await, Err(BrokerError::RouterDied));
    }
}
