//! A broker for one test.

use broker::{Broker, Settings};
use link::Address;
use tokio::sync::oneshot;

/// Runs until it is dropped.
pub(crate) struct Running {
    address: Address,
    _stop: oneshot::Sender<()>,
}

pub(crate) async fn start() -> Running {
    let bind = "127.0.0.1:0".to_owned();
    // The stand-in for the owner has no zone sessions that an acknowledgement could wait for.
    let settings = Settings { bind, durable_ack: false, ..Settings::default() };
    let broker = Broker::bind(settings).await.unwrap();
    let address = broker.local_addr().to_string().parse().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(broker.run(async move { drop(stopped.await) }));
    Running { address, _stop: stop }
}

impl Running {
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}
