//! Why nobody leads: what each gateway says of itself.

use std::time::Duration;

use hearth_config::Settings;
use link::Retry;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wire::GatewayVerb;

use crate::client::Client;

/// A gateway that is there answers within some milliseconds; a busy machine may take its time.
const PATIENCE: Retry =
    Retry { every: Duration::from_millis(500), within: Duration::from_millis(1500) };

/// What one gateway answered; none if it did not.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    gateway: u8,
    stats: Option<Json>,
}

impl Word {
    /// Whom it takes for the leader.
    fn leader(&self) -> Option<u64> {
        self.stats.as_ref()?["leader"].as_u64()
    }

    /// Why nobody leads, if it says so.
    fn why(&self) -> String {
        match &self.stats {
            None => "does not answer".to_owned(),
            Some(stats) => stats["trouble"].as_str().unwrap_or("says nothing of it").to_owned(),
        }
    }

    fn json(&self) -> Json {
        json!({"gateway": self.gateway, "answers": self.stats.is_some(), "why": self.why()})
    }
}

/// An election takes less; after this it is no election that takes its time.
const ELECTION: Duration = Duration::from_secs(2);

/// Returns once nobody has led for a while, with what each gateway says of that.
pub(crate) async fn nobody_leads(client: &Client, settings: &Settings) -> Vec<Word> {
    let mut since = None;
    loop {
        let words = ask(client, settings).await;
        if words.iter().any(|word| word.leader().is_some()) {
            since = None;
            sleep(ELECTION).await;
        } else if since.get_or_insert_with(Instant::now).elapsed() >= ELECTION {
            return words;
        } else {
            sleep(PATIENCE.every).await;
        }
    }
}

/// Returns once somebody leads.
pub(crate) async fn somebody_leads(client: &Client, settings: &Settings) {
    while !ask(client, settings).await.iter().any(|word| word.leader().is_some()) {
        sleep(PATIENCE.every).await;
    }
}

/// Asks the gateways of the settings, all at once.
async fn ask(client: &Client, settings: &Settings) -> Vec<Word> {
    let mut asked = JoinSet::new();
    for id in settings.gateway.voters.clone() {
        let client = client.clone();
        asked.spawn(async move {
            let stats = client.gateway(id, GatewayVerb::Stats, json!({}), PATIENCE).await.ok();
            Word { gateway: id, stats: stats.map(|stats| stats.to_json()) }
        });
    }
    let mut words = asked.join_all().await;
    words.sort_by_key(|word| word.gateway);
    words
}

/// The same in words, a line for each gateway.
pub(crate) fn text(words: &[Word]) -> String {
    let lines = words.iter().map(|word| format!("\n  gateway {}: {}", word.gateway, word.why()));
    format!("nobody leads, so nothing can be agreed:{}", lines.collect::<String>())
}

/// The same for programs.
pub(crate) fn json(words: &[Word]) -> Json {
    json!({"leader": null, "trouble": words.iter().map(Word::json).collect::<Vec<_>>()})
}
