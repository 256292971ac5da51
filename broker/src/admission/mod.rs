//! How many connections there are: those that have not said who they are, and those that have.
//!
//! ```text
//!  accept --> pending (few, the greediest network gives up its oldest) --CONNECT, password--> connected
//! ```
//!
//! The last of the places for connected clients are for gateways: whoever fills all others does not stop the home.

mod network;
mod pending;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

pub(crate) use network::Network;
use pending::{Number, Waiting};

use broker_core::Limits;
use broker_core::protocol::Reason;

/// All places of one broker.
#[derive(Debug, Clone)]
pub(crate) struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    pending: Waiting<oneshot::Sender<()>>,
    connected: usize,
    of: HashMap<Network, usize>,
}

/// A connection without a CONNECT; its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Pending {
    admission: Admission,
    network: Network,
    number: Number,
    given_up: oneshot::Receiver<()>,
}

/// Why there is no place for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// Nowhere.
    Everywhere,
    /// Not for its network.
    Network,
}

/// A connected client; its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Connected {
    admission: Admission,
    network: Network,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Shared { limits: limits.clone(), places: Mutex::default() }))
    }

    /// A place for a connection that was accepted; another one may have to give up its own.
    pub(crate) fn arrive(&self, address: IpAddr) -> Pending {
        let network = Network::from(address);
        let (tell, given_up) = oneshot::channel();
        let most = self.0.limits.pending_connections.max(1);
        let (number, other) = self.places().pending.add(network, tell, most);
        if let Some(other) = other {
            // An error means that it has just gone by itself.
            let _ = other.send(());
        }
        Pending { admission: self.clone(), network, number, given_up }
    }

    /// A place for a client that has said who it is; `reserve` is for those who may have the last ones.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn enter(&self, network: Network, reserve: bool) -> Result<Connected, Full> {
        let limits = &self.0.limits;
        let mut places = self.places();
        let of_network = places.of.get(&network).copied().unwrap_or(0);
        let kept_free = if reserve { 0 } else { limits.gateway_connections };
        if places.connected >= limits.connections.saturating_sub(kept_free) {
            return Err(Full::Everywhere);
        }
        // A gateway may stand behind the same address as those who fill it.
        if !reserve && of_network >= limits.connections_per_address {
            return Err(Full::Network);
        }
        places.of.insert(network, of_network + 1);
        places.connected += 1;
        Ok(Connected { admission: self.clone(), network })
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Full {
    /// The reason for a CONNACK.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Everywhere => Reason::Busy,
            Self::Network => Reason::Quota,
        }
    }

    /// For the log.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Everywhere => "came while all places for connections were taken",
            Self::Network => "has as many connections as one address may have",
        }
    }
}

impl Pending {
    pub(crate) fn network(&self) -> Network {
        self.network
    }

    /// Is ready when the place has gone to a newer connection.
    pub(crate) async fn given_up(&mut self) {
        // An error cannot be: the other end stays where this one is known.
        let _ = (&mut self.given_up).await;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.admission.places().pending.remove(self.network, self.number);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut places = self.admission.places();
        places.connected -= 1;
        if let Some(count) = places.of.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                places.of.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, gateway_connections: usize) -> Admission {
        let limits = Limits {
            connections,
            gateway_connections,
            connections_per_address: 2,
            pending_connections: 2,
            ..Limits::default()
        };
        Admission::new(&limits)
    }

    fn network(last: u8) -> Network {
        IpAddr::from([10, 0, 0, last]).into()
    }

    #[test]
    fn a_place_is_free_again_after_its_connection() {
        let admission = admission(3, 0);
        let first = admission.enter(network(1), false).unwrap();
        let _second = admission.enter(network(1), false).unwrap();
        assert_eq!(admission.enter(network(1), false).unwrap_err(), Full::Network);
        let _third = admission.enter(network(2), false).unwrap();
        assert_eq!(admission.enter(network(2), false).unwrap_err(), Full::Everywhere);
        drop(first);
        drop(admission.enter(network(1), false).unwrap());
        assert_eq!(admission.places().of.len(), 2);
    }

    #[test]
    fn the_last_places_are_for_gateways_wherever_they_are() {
        let admission = admission(4, 2);
        let _one = admission.enter(network(1), false).unwrap();
        let _two = admission.enter(network(1), false).unwrap();
        assert_eq!(admission.enter(network(2), false).unwrap_err(), Full::Everywhere);
        let _gateway = admission.enter(network(1), true).unwrap();
        let _other = admission.enter(network(1), true).unwrap();
        assert_eq!(admission.enter(network(1), true).unwrap_err(), Full::Everywhere);
    }

    #[tokio::test]
    async fn whoever_is_given_up_is_told() {
        let admission = admission(1, 0);
        let mut first = admission.arrive([10, 0, 0, 1].into());
        let second = admission.arrive([10, 0, 0, 1].into());
        drop(second);
        let _third = admission.arrive([10, 0, 0, 2].into());
        let _fourth = admission.arrive([10, 0, 0, 3].into());
        first.given_up().await;
    }
}
