//! `hearth history`

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use wire::ApiVerb;

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::Outcome;
use crate::names::Place;
use crate::output;
use crate::table;
use crate::words::{self, shown};

const EXAMPLES: &str = "\
Examples:
  hearth history                          the last changes, newest last
  hearth history hallway/doorSensor --limit 5
  hearth history --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HistoryArgs {
    /// Only this device
    #[arg(value_name = "ZONE/DEVICE")]
    place: Option<Place>,
    /// At most so many changes
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

pub(crate) async fn history(globals: &Globals, args: HistoryArgs) -> Outcome {
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let mut request = json!({"limit": args.limit});
    if let Some(place) = &args.place {
        request["zone"] = json!(place.zone);
        request["device"] = json!(place.device);
    }
    let answer = client.api(ApiVerb::History, request).await?;
    client.close().await;
    if globals.json {
        output::json(answer.get("history"));
        return Ok(());
    }
    let changes = answer.get("history").as_array().cloned().unwrap_or_default();
    let rows: Vec<_> = changes.iter().map(row).collect();
    table::print(&["SEQ", "TIME", "DEVICE", "WHAT", "STATE", "CLOCK", "GATEWAY", "NOTE"], &rows);
    Ok(())
}

fn row(change: &Json) -> Vec<String> {
    let what = match change["register"].as_str() {
        Some("desired") => "order",
        _ => "report",
    };
    vec![
        change["seq"].to_string(),
        clock_time(change["time"].as_u64().unwrap_or(0)),
        shown(&change["name"]),
        what.to_owned(),
        words::state(change),
        change["clock"].to_string(),
        change["owner"].to_string(),
        change["note"].as_str().unwrap_or("").to_owned(),
    ]
}

/// A time of the log in this machine's zone.
pub(crate) fn clock_time(millis: u64) -> String {
    let time =
        i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    match time {
        Some(time) => {
            time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
        }
        None => millis.to_string(),
    }
}
