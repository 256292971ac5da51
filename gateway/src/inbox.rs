//! What the links report, in one bounded queue for the driver.

use std::sync::Arc;

use gateway_core::event::Session;
use gateway_core::id::Generation;
use link::{Events, Qos};
use tokio::sync::mpsc;
use wire::GatewayId;

/// Something that a link reported.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The link.
    pub(crate) from: From,
    /// What it reported.
    pub(crate) event: link::Event,
}

/// Which link reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The connection for Paxos.
    Paxos,
    /// The gateway's own connection.
    Own,
    /// A session, with the number under which it was opened.
    Session(Arc<(Session, Generation)>),
}

/// Arrivals that may wait for the driver: some milliseconds of work. When it is full the links
/// stop reading, and the broker holds the rest.
const WAITING: usize = 1024;

/// Arrivals that the driver takes before it carries out what they ask for.
pub(crate) const AT_ONCE: usize = 256;

/// The queue's two ends.
pub(crate) fn inbox() -> (mpsc::Sender<Arrival>, mpsc::Receiver<Arrival>) {
    mpsc::channel(WAITING)
}

/// Forwards everything that a link reports.
pub(crate) fn forward(from: From, mut events: Events, inbox: mpsc::Sender<Arrival>) {
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if inbox.send(Arrival { from: from.clone(), event }).await.is_err() {
                return;
            }
        }
    });
}

/// The filters with the quality of service that is asked for.
pub(crate) fn filters(filters: impl IntoIterator<Item = String>, qos: Qos) -> Vec<(String, Qos)> {
    filters.into_iter().map(|filter| (filter, qos)).collect()
}

/// Client id of one of a gateway's own connections.
pub(crate) fn client_id(topics: &wire::Topics, id: GatewayId, purpose: &str) -> String {
    topics.gateway_session(id, purpose)
}
