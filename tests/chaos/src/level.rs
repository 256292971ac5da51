//! Whether every gateway has on its disk what the home has agreed on.

use std::time::Duration;

use link::{Requester, Retry};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use crate::home::GATEWAYS;
use crate::people::{LOUD, ZONES};

/// How long a question may take.
const SOON: Duration = Duration::from_millis(500);

/// A mark is a report of a device of its own in each zone, so that nothing else changes with it. What was agreed before
/// the mark is in a gateway's tables once the mark is.
const MARK: &str = "mark";

/// Waits until every gateway votes and has in its tables what was acknowledged before the call. False if that is not so
/// by `end`.
pub async fn until_level(asking: &Requester, mark: u64, end: Instant) -> bool {
    for zone in ZONES {
        let report = json!({"state": mark, "id": format!("mark-{mark}")}).to_string();
        let set = format!("home/{zone}/{MARK}/set");
        // The first mark registers the device.
        let register = json!({"zone": zone, "name": MARK}).to_string();
        while !ask(asking, "hearth/home/api/register", &register).await.is_some_and(is_good)
            || !ask(asking, &set, &report).await.is_some_and(is_good)
        {
            if Instant::now() >= end {
                return false;
            }
            sleep(SOON / 5).await;
        }
    }
    for id in GATEWAYS {
        while !is_level(asking, id, mark).await {
            if Instant::now() >= end {
                return false;
            }
            sleep(SOON / 5).await;
        }
    }
    true
}

/// Where a gateway stands, in words.
pub async fn stand(asking: &Requester, id: u8) -> String {
    let stats = ask(asking, &format!("hearth/home/gateway/{id}/stats"), "").await;
    stats.map_or_else(
        || format!("gateway {id} does not answer"),
        |stats| format!("gateway {id}: applied {}, votes {}", stats["applied"], stats["votes"]),
    )
}

/// Whether a place is one that this module made.
pub(crate) fn is_mark(place: &str) -> bool {
    place.split_once('/').is_some_and(|(_, device)| device == MARK || device == LOUD)
}

async fn is_level(asking: &Requester, id: u8, mark: u64) -> bool {
    for zone in ZONES {
        let which = json!({"zone": zone, "device": MARK}).to_string();
        let own = ask(asking, &format!("hearth/home/gateway/{id}/get"), &which).await;
        if own.is_none_or(|own| own["desired"]["state"] != mark) {
            return false;
        }
    }
    let stats = ask(asking, &format!("hearth/home/gateway/{id}/stats"), "").await;
    stats.is_some_and(|stats| stats["votes"] == true)
}

fn is_good(answer: Json) -> bool {
    answer["status"] == "ok"
}

async fn ask(asking: &Requester, topic: &str, payload: &str) -> Option<Json> {
    let retry = Retry { every: SOON, within: SOON };
    let answer = asking.request(topic, payload.to_owned(), retry).await.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}
