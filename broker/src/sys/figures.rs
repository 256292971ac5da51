//! One table of all numbers: as mosquitto calls them below `$SYS/broker`, and as Prometheus would have them called.

use super::Snapshot;

/// One number.
#[derive(Debug)]
pub(super) struct Figure {
    /// Below `$SYS/broker/`; some have two names.
    pub(super) topics: &'static [&'static str],
    /// Behind `hearth_broker_`. What ends in `_total` is a counter, everything else a gauge.
    pub(super) metric: &'static str,
    pub(super) help: &'static str,
    pub(super) value: u64,
}

/// Every number of a snapshot.
pub(super) fn figures(snapshot: &Snapshot) -> Vec<Figure> {
    let mut all = traffic(snapshot);
    all.extend(holdings(snapshot));
    all.extend(hearth(snapshot));
    all
}

fn figure(
    topics: &'static [&'static str],
    metric: &'static str,
    help: &'static str,
    value: u64,
) -> Figure {
    Figure { topics, metric, help, value }
}

#[rustfmt::skip]
fn traffic(snapshot: &Snapshot) -> Vec<Figure> {
    let counts = &snapshot.core.counts;
    vec![
        figure(&["bytes/received"], "received_bytes_total", "Bytes read from clients.", snapshot.bytes_received),
        figure(&["bytes/sent"], "sent_bytes_total", "Bytes written to clients.", snapshot.bytes_sent),
        figure(&["messages/received"], "packets_received_total", "MQTT packets of any kind from clients.", counts.received),
        figure(&["messages/sent"], "packets_sent_total", "MQTT packets of any kind to clients.", counts.sent),
        figure(&["publish/messages/received"], "publishes_received_total", "Publishes from clients.", counts.publishes_received),
        figure(&["publish/messages/sent"], "publishes_sent_total", "Publishes to clients.", counts.publishes_sent),
        figure(&["publish/messages/dropped"], "publishes_dropped_total", "Messages that a client's full queue did not take.", counts.dropped),
        figure(&["publish/bytes/received"], "payload_received_bytes_total", "Bytes of payload from clients.", counts.payload_received),
        figure(&["publish/bytes/sent"], "payload_sent_bytes_total", "Bytes of payload to clients.", counts.payload_sent),
        figure(&[], "connections_total", "Connections that sent a CONNECT which was accepted.", counts.connections),
        figure(&[], "sockets_total", "Connections, whatever became of them.", snapshot.sockets),
    ]
}

#[rustfmt::skip]
fn holdings(snapshot: &Snapshot) -> Vec<Figure> {
    let core = &snapshot.core;
    let asleep = core.sessions - core.connected;
    let (stored, stored_bytes) = (core.retained + core.queued, core.retained_bytes + core.queued_bytes);
    vec![
        figure(&["clients/connected", "clients/active"], "clients_connected", "Clients connected.", core.connected as u64),
        figure(&["clients/disconnected", "clients/inactive"], "clients_asleep", "Sessions whose client is not connected.", asleep as u64),
        figure(&["clients/total"], "sessions", "Sessions, connected or asleep.", core.sessions as u64),
        figure(&["clients/maximum"], "clients_connected_most", "Most clients connected at a time.", core.counts.most_connected as u64),
        figure(&["clients/expired"], "sessions_expired_total", "Sessions that ended because their client did not come back in time.", core.counts.expired),
        figure(&["subscriptions/count"], "subscriptions", "Subscriptions of all sessions.", core.subscriptions as u64),
        figure(&["shared_subscriptions/count"], "subscriptions_shared", "Subscriptions that are shared.", core.shared as u64),
        figure(&["retained messages/count"], "retained", "Retained messages.", core.retained as u64),
        figure(&[], "retained_bytes", "Bytes of retained messages.", core.retained_bytes as u64),
        figure(&["store/messages/count", "messages/stored"], "messages_held", "Messages retained, waiting or under way.", stored as u64),
        figure(&["store/messages/bytes"], "messages_held_bytes", "Bytes of messages retained or waiting.", stored_bytes as u64),
        figure(&[], "queued", "Messages waiting for clients or under way to them.", core.queued as u64),
    ]
}

#[rustfmt::skip]
fn hearth(snapshot: &Snapshot) -> Vec<Figure> {
    let Snapshot { core, uptime, resident, trouble, .. } = snapshot;
    vec![
        figure(&["hearth/acknowledgements/withheld"], "acknowledgements_withheld", "Publishers that wait until a majority of gateways has their report or order on disk.", core.zones.withheld as u64),
        figure(&["hearth/zones/waiting"], "zones_waiting", "Zones that have something and no owner.", core.zones.waiting as u64),
        figure(&["hearth/router/window"], "router_window", "Messages inside the router of wildcard filters.", core.window as u64),
        figure(&["hearth/resident"], "resident_bytes", "Bytes of the process in memory.", *resident),
        figure(&[], "store_failing", "1 while the broker's file cannot be written.", u64::from(trouble.is_some())),
        figure(&[], "uptime_seconds", "Seconds since the broker started.", uptime.as_secs()),
    ]
}
