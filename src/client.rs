//! A client of the home: requests with their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hearth_config::Settings;
use link::{RequestError, Requester, Retry};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};
use wire::{Answer, ApiVerb, GatewayId, GatewayVerb, Topics, ZoneVerb};

use crate::failure::{Failure, Outcome};
use crate::names::{self, Place};

/// How a refusal ends that may not hold a moment later, such as during an election.
const TEMPORARY: &str = "try again";

/// The pause before that moment.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// A connection on which requests are asked; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    requester: Requester,
    topics: Topics,
    asked: Arc<AtomicU64>,
    timeout: Duration,
}

impl Client {
    /// Connects to the broker of the settings.
    pub(crate) async fn connect(settings: &Settings) -> Outcome<Self> {
        let topics = names::topics(settings)?;
        let address = names::address(&settings.client)?;
        let requester = Requester::connect_naming(address, "hearth-client", name_of).await;
        let requester = requester.map_err(no_answer)?;
        Ok(Self { requester, topics, asked: Arc::default(), timeout: settings.client.timeout })
    }

    pub(crate) fn requester(&self) -> &Requester {
        &self.requester
    }

    /// The patience of a person at a terminal. A gateway that dies takes a request with it, and
    /// whoever comes after it answers the next.
    pub(crate) fn patience(&self) -> Retry {
        Retry { every: Duration::from_secs(1), within: self.timeout }
    }

    /// Asks the site.
    pub(crate) async fn api(&self, verb: ApiVerb, payload: Json) -> Outcome<Answer> {
        self.ask(&self.topics.api(verb), payload, self.patience()).await
    }

    /// Asks one gateway.
    pub(crate) async fn gateway(
        &self,
        id: u8,
        verb: GatewayVerb,
        payload: Json,
        patience: Retry,
    ) -> Outcome<Answer> {
        self.ask(&self.topics.gateway(GatewayId(id), verb), payload, patience).await
    }

    /// Asks the owner of a device.
    pub(crate) async fn device(
        &self,
        place: &Place,
        verb: ZoneVerb,
        payload: Json,
        patience: Retry,
    ) -> Outcome<Answer> {
        self.ask(&self.topics.device(&place.zone, &place.device, verb), payload, patience).await
    }

    /// Asks the broker itself about its sessions.
    pub(crate) async fn broker(&self, payload: Json) -> Outcome<Answer> {
        self.ask(&self.topics.sessions(), payload, self.patience()).await
    }

    /// Ends the connection after everything was sent.
    pub(crate) async fn close(self) {
        self.requester.close().await;
    }

    async fn ask(&self, topic: &str, mut payload: Json, patience: Retry) -> Outcome<Answer> {
        // With an id a repeated request is carried out once.
        let unique = self.requester.reply_topic().rsplit('/').next().unwrap_or_default();
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let name = format!("{unique}-{number}");
        if let Some(members) = payload.as_object_mut() {
            members.insert("id".into(), json!(name));
            // Where gateways speak 3.1.1 they are not told the Response Topic.
            members.insert("reply_to".into(), json!(self.requester.reply_topic()));
        }
        let give_up = Instant::now() + patience.within;
        loop {
            let payload = payload.to_string();
            let answer = self.requester.request_by_name(&name, topic, payload, patience).await;
            let answer = Answer::parse(&answer.map_err(no_answer)?.payload)?;
            match answer.failure() {
                None => return Ok(answer),
                Some(why) if why.ends_with(TEMPORARY) && Instant::now() < give_up => {
                    sleep(patience.every.min(LEAST_PAUSE)).await;
                }
                Some(why) => return Err(Failure::failed(format!("{topic}: {why}"))),
            }
        }
    }
}

/// Answers repeat the `id` of the question.
fn name_of(payload: &[u8]) -> Option<String> {
    let answer = Answer::parse(payload).ok()?;
    answer.get("id").as_str().map(str::to_owned)
}

fn no_answer(error: RequestError) -> Failure {
    Failure::no_answer(error)
}
