//! A person who gives orders, one after another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, sleep, timeout_at};

use super::{AGAIN, World};
use crate::ledger::{Fate, Message, Sort};
use crate::mqtt::{Connection, Hello, Packet, Publish, Version};

/// How long a person waits for an answer: enough for a failover.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct Setter {
    world: Arc<World>,
    hello: Hello,
    topic: String,
    place: u16,
    /// Whether orders have ids. Such an order is given again until it is answered; one without an id is given once.
    named: bool,
    port: u16,
    /// The order that is not answered yet.
    open: Option<u64>,
}

impl Setter {
    pub(crate) fn new(
        world: Arc<World>,
        client: String,
        place: u16,
        named: bool,
        port: u16,
    ) -> Self {
        let topic = format!("home/{}/set", world.ledger.places[usize::from(place)]);
        let hello = Hello { version: Version::V5, client, clean: true };
        Self { world, hello, topic, place, named, port, open: None }
    }

    pub(crate) async fn live(mut self) {
        while !self.is_done() {
            if let Ok(connection) = Connection::open(self.port, &self.hello).await {
                // However it ends, the next connection goes on.
                let _ = self.talk(connection).await;
            }
            if !self.named {
                self.close(Fate::GivenUp);
            }
            sleep(AGAIN).await;
        }
    }

    fn is_done(&self) -> bool {
        self.world.stops() && self.open.is_none()
    }

    async fn talk(&mut self, mut connection: Connection) -> io::Result<()> {
        connection.subscribe(&format!("reply/{}/+", self.hello.client)).await?;
        while !self.is_done() {
            self.give(&mut connection).await?;
            let patience = Instant::now() + PATIENCE;
            while self.open.is_some() {
                let Ok(packet) = timeout_at(patience, connection.next()).await else { break };
                self.hear(packet?, &mut connection).await?;
            }
            if !self.named {
                self.close(Fate::GivenUp);
            }
            sleep(self.world.pace).await;
        }
        Ok(())
    }

    /// Gives the open order again, or a new one.
    async fn give(&mut self, connection: &mut Connection) -> io::Result<()> {
        let message = Message { place: self.place, sort: Sort::Set, qos: 1, named: self.named };
        let life = self.world.home.broker_life();
        let value = self.open.unwrap_or_else(|| self.world.ledger.add(message, life));
        self.open = Some(value);
        self.world.ledger.sent(value, false, life);
        let payload = match self.named {
            true => format!("{{\"state\":{value},\"id\":\"{value}\"}}"),
            false => format!("{{\"state\":{value}}}"),
        };
        let answer_to = format!("reply/{}/{value}", self.hello.client);
        let id = (value % 60_000) as u16 + 1;
        connection
            .publish(&Publish {
                topic: &self.topic,
                payload: payload.as_bytes(),
                qos: 1,
                id,
                dup: false,
                answer_to: Some(&answer_to),
            })
            .await
    }

    async fn hear(&mut self, packet: Packet, connection: &mut Connection) -> io::Result<()> {
        let Packet::Publish { topic, qos, id, payload } = packet else { return Ok(()) };
        if qos > 0 {
            connection.puback(id).await?;
        }
        let value = topic.rsplit('/').next().and_then(|value| value.parse().ok());
        let answer: Json = serde_json::from_slice(&payload).unwrap_or_default();
        let numbers = answer["order"].as_i64().zip(answer["seq"].as_i64());
        match (value, answer["status"].as_str(), numbers) {
            (Some(value), Some("ok"), Some((order, seq))) => {
                self.world.ledger.answered(value, order, seq);
                self.open = self.open.filter(|open| *open != value);
            }
            // An order with an id is given again after the pause.
            (Some(value), Some("error"), _) if self.open == Some(value) => {
                if self.named {
                    sleep(AGAIN).await;
                    return self.give(connection).await;
                }
                self.close(Fate::Refused);
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, fate: Fate) {
        if let Some(value) = self.open.take() {
            self.world.ledger.closed(value, fate);
        }
    }
}
