//! A device that carries out orders.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::time::{sleep, timeout};

use super::{AGAIN, World};
use crate::mqtt::{Connection, Hello, Packet, Publish, Version};

#[derive(Debug)]
pub(crate) struct Lamp {
    world: Arc<World>,
    hello: Hello,
    topic: String,
    port: u16,
    /// The numbers of the orders that it has carried out.
    done: BTreeSet<u64>,
    last_id: u16,
}

impl Lamp {
    pub(crate) fn new(world: Arc<World>, client: String, place: u16, port: u16) -> Self {
        let topic = format!("home/{}", world.ledger.places[usize::from(place)]);
        let hello = Hello { version: Version::V5, client, clean: false };
        Self { world, hello, topic, port, done: BTreeSet::new(), last_id: 0 }
    }

    pub(crate) async fn live(mut self) {
        while !self.world.stops() {
            if let Ok(connection) = Connection::open(self.port, &self.hello).await {
                // However it ends, the next connection goes on.
                let _ = self.obey(connection).await;
            }
            sleep(AGAIN).await;
        }
    }

    async fn obey(&mut self, mut connection: Connection) -> io::Result<()> {
        if !connection.session {
            connection.subscribe(&format!("{}/command", self.topic)).await?;
        }
        // It registers the lamp; nobody judges this value.
        self.report(&json!({"state": 0}), &mut connection).await?;
        while !self.world.stops() {
            let Ok(packet) = timeout(AGAIN, connection.next()).await else { continue };
            let Packet::Publish { qos, id, payload, .. } = packet? else { continue };
            if let Ok(order) = serde_json::from_slice::<Json>(&payload) {
                self.carry_out(&order, &mut connection).await?;
            }
            if qos > 0 {
                connection.puback(id).await?;
            }
        }
        Ok(())
    }

    async fn carry_out(&mut self, order: &Json, connection: &mut Connection) -> io::Result<()> {
        let (Some(number), Some(value)) = (order["order"].as_u64(), order["state"].as_u64()) else {
            return Ok(());
        };
        if self.done.insert(number) {
            self.world.ledger.carried_out(value);
        }
        self.report(&json!({"state": value, "order": number}), connection).await
    }

    async fn report(&mut self, report: &Json, connection: &mut Connection) -> io::Result<()> {
        self.last_id = self.last_id % 1000 + 1;
        let (topic, payload) = (format!("{}/report", self.topic), report.to_string());
        connection
            .publish(&Publish {
                topic: &topic,
                payload: payload.as_bytes(),
                qos: 1,
                id: self.last_id,
                dup: false,
                answer_to: None,
            })
            .await
    }
}
