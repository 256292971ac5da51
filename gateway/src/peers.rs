//! The two connections that are always open: one for Paxos, one for the gateway's own words.
//!
//! They are two, because a burst of reports must never delay a heartbeat, and because the will of
//! the second is the gateway's last word.

use std::time::Duration;

use gateway_core::peer::sealed;
use link::{Link, Options, Publish, Qos, Version, Will};
use paxos::ReplicaId;
use tokio::sync::mpsc;
use wire::{GatewayId, GatewayVerb, Heartbeat, Liveness, PaxosLeg, SiteGeneration, Topics};

use crate::inbox::{Arrival, From, client_id, filters, forward};
use crate::settings::Settings;

/// The connection for Paxos and the gateway's own.
pub(crate) struct Peers {
    id: GatewayId,
    replica: ReplicaId,
    generation: SiteGeneration,
    incarnation: u64,
    topics: Topics,
    paxos: Link,
    own: Link,
    paxos_up: bool,
    own_up: bool,
}

impl Peers {
    pub(crate) fn open(
        settings: &Settings,
        (replica, generation): (ReplicaId, SiteGeneration),
        incarnation: u64,
        inbox: &mpsc::Sender<Arrival>,
    ) -> Self {
        let (id, topics) = (settings.id, Topics::new(settings.site.clone()));
        let legs = PaxosLeg::ALL.iter().map(|leg| topics.paxos(id, *leg));
        let (paxos, events) = Link::keep(
            options(settings, client_id(&topics, id, "paxos"), Version::V3),
            filters(legs, Qos::AtMostOnce),
        );
        forward(From::Paxos, events, inbox.clone());
        use GatewayVerb::{Get, Lead, Log, Stats, Verify};
        let verbs = [Get, Stats, Log, Lead, Verify];
        let verbs = verbs.iter().map(|verb| topics.gateway(id, *verb));
        let listen = verbs.chain([topics.heartbeats(), topics.waiting(), topics.asking()]);
        let version = if settings.own_broker { Version::V5 } else { Version::V3 };
        let mut own = options(settings, client_id(&topics, id, "own"), version);
        own.will = Some(Will {
            topic: topics.gateway(id, GatewayVerb::Status),
            payload: last_words(Liveness::Dead, id, incarnation, generation),
            qos: Qos::AtLeastOnce,
            retain: true,
        });
        let (own, events) = Link::keep(own, filters(listen, Qos::AtMostOnce));
        forward(From::Own, events, inbox.clone());
        Self {
            id,
            replica,
            generation,
            incarnation,
            topics,
            paxos,
            own,
            paxos_up: false,
            own_up: false,
        }
    }

    /// Takes note of a link's state; gives the state of both when it changed.
    pub(crate) fn changed(&mut self, from: &From, event: &link::Event) -> Option<bool> {
        let up = match event {
            link::Event::Subscribed(_) => true,
            link::Event::Down(reason) => {
                tracing::warn!("connection {from:?} to the broker is down: {reason}");
                false
            }
            link::Event::Up { .. } | link::Event::Message(_) => return None,
        };
        let before = self.paxos_up && self.own_up;
        match from {
            From::Paxos => self.paxos_up = up,
            From::Own => self.own_up = up,
            From::Session(_) => {}
        }
        let after = self.paxos_up && self.own_up;
        (before != after).then_some(after)
    }

    /// Sends a message to another gateway. One that finds no room is dropped: Paxos sends again.
    pub(crate) fn send(&self, to: GatewayId, message: &gateway_core::peer::PeerMessage) {
        let topic = self.topics.paxos(to, message.leg());
        let bytes = sealed(self.generation, message.encode(self.replica));
        let publish = Publish::new(topic, bytes).qos(Qos::AtMostOnce);
        if let Err(error) = self.paxos.try_publish(publish) {
            tracing::debug!("a message to gateway {to} is dropped: {error}");
        }
    }

    /// Publishes a heartbeat. One that finds no room is dropped: the next one says more.
    pub(crate) fn beat(&self, beat: &Heartbeat) {
        let topic = self.topics.gateway(self.id, GatewayVerb::Status);
        let publish = Publish::new(topic, beat.to_payload()).qos(Qos::AtMostOnce).retain(true);
        if let Err(error) = self.own.try_publish(publish) {
            tracing::debug!("a heartbeat is dropped: {error}");
        }
    }

    /// Publishes an answer on the gateway's own connection.
    pub(crate) fn publish(&self, publish: Publish) {
        if let Err(error) = self.own.try_publish(publish) {
            tracing::warn!("an answer is dropped: {error}");
        }
    }

    /// Says goodbye: the others need not wait for a silence.
    pub(crate) async fn close(self) {
        let goodbye = last_words(Liveness::Stopped, self.id, self.incarnation, self.generation);
        let topic = self.topics.gateway(self.id, GatewayVerb::Status);
        let publish = Publish::new(topic, goodbye).retain(true);
        // A broker that is gone already hears no goodbye, and needs none.
        if self.own.publish(publish).await.is_ok() {
            let farewell = Duration::from_secs(1);
            let _ = tokio::time::timeout(farewell, self.own.close()).await;
        }
        self.paxos.abort();
    }
}

/// What is left of a gateway at the broker. It tells its generation too: an older gateway may come when nobody lives.
fn last_words(
    status: Liveness,
    id: GatewayId,
    incarnation: u64,
    generation: SiteGeneration,
) -> Vec<u8> {
    Heartbeat { generation, ..Heartbeat::bare(status, id, incarnation) }.to_payload()
}

/// A clean session whose broker is missed after two seconds.
pub(crate) fn options(settings: &Settings, client_id: String, version: Version) -> Options {
    let mut options = Options::new(settings.broker.clone(), client_id);
    options.version = version;
    options.keep_alive = Duration::from_secs(1);
    options
}
