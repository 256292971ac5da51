//! A stand-in for the gateway that owns every zone: it agrees to everything, and a test can make
//! it lose answers.

use link::{Address, Delivery, Event, Events, Link, Options, Publish, Qos};
use serde_json::json;
use wire::Report;

pub(crate) struct Owner {
    link: Link,
    events: Events,
    seq: u64,
}

impl Owner {
    pub(crate) async fn start(address: &Address) -> Self {
        let (link, mut events) = Link::open(Options::new(address.clone(), "owner"));
        let filters = ["report", "set", "get", "status"].map(|verb| format!("home/+/+/{verb}"));
        let filters = filters.into_iter().map(|filter| (filter, Qos::AtLeastOnce)).collect();
        link.subscribe(filters).await.unwrap();
        while !matches!(events.next().await, Some(Event::Subscribed(_))) {}
        Self { link, events, seq: 0 }
    }

    /// The next message whose topic ends like this.
    pub(crate) async fn hear(&mut self, end: &str) -> Delivery {
        loop {
            match self.events.next().await {
                Some(Event::Message(delivery)) if delivery.topic.ends_with(end) => return delivery,
                Some(Event::Down(reason)) => panic!("the owner lost its connection: {reason}"),
                Some(_) => {}
                None => panic!("the owner has no connection"),
            }
        }
    }

    /// The next report, which is not answered yet.
    pub(crate) async fn report(&mut self) -> (Report, Delivery) {
        let delivery = self.hear("/report").await;
        (Report::parse(&delivery.payload).unwrap(), delivery)
    }

    /// The next report, agreed.
    pub(crate) async fn agree(&mut self) -> Report {
        let (report, delivery) = self.report().await;
        self.answer(delivery, report.clock.0 + 1).await;
        report
    }

    pub(crate) async fn answer(&mut self, request: Delivery, clock: u64) {
        self.seq += 1;
        let answer =
            json!({"status": "ok", "seq": self.seq, "node": 2, "owner": 1, "clock": clock});
        let mut answer = Publish::new(request.response_topic.unwrap(), answer.to_string());
        answer.correlation = request.correlation;
        self.link.publish(answer).await.unwrap();
    }

    pub(crate) async fn publish(&self, topic: &str, payload: &str) {
        self.link.publish(Publish::new(topic, payload.to_owned())).await.unwrap();
    }

    /// Agrees to everything for as long as it is polled.
    pub(crate) async fn agree_to_all(mut self) {
        loop {
            let delivery = self.hear("").await;
            if delivery.response_topic.is_some() {
                self.answer(delivery, 1).await;
            }
        }
    }
}
