//! `hearth watch`

use clap::Args;
use link::{Delivery, Event, Link, Options, Qos};
use serde_json::{Value as Json, json};
use wire::{Topic, Topics, ZoneVerb};

use crate::cli::Globals;
use crate::failure::{Failure, Outcome};
use crate::output::{self, out};
use crate::{history, names, stop, words};

const EXAMPLES: &str = "\
Examples:
  hearth watch                    every device: first as it is, then as it changes
  hearth watch kitchen/+          the devices of one zone
  hearth watch +/doorSensor --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WatchArgs {
    /// Which devices; + stands for any zone or any device
    #[arg(value_name = "ZONE/DEVICE", default_value = "+/+")]
    pattern: String,
}

pub(crate) async fn watch(globals: &Globals, args: WatchArgs) -> Outcome {
    if args.pattern.split('/').count() != 2 || args.pattern.contains('#') {
        let text = "write the pattern as ZONE/DEVICE, with + for any, such as kitchen/+";
        return Err(Failure::usage(text));
    }
    let settings = globals.settings(vec![])?;
    let filter = format!("{}/{}/{}", settings.site, args.pattern, ZoneVerb::State);
    let topics = names::topics(&settings)?;
    let client_id = format!("hearth-watch-{}", std::process::id());
    let options = Options::new(names::address(&settings.client)?, client_id);
    let (link, mut events) = Link::keep(options, vec![(filter, Qos::AtLeastOnce)]);
    let stopped = stop::requested(globals);
    tokio::pin!(stopped);
    let mut connected = false;
    loop {
        let event = tokio::select! {
            () = &mut stopped => break,
            event = events.next() => event,
        };
        match event {
            Some(Event::Up { .. }) => connected = true,
            Some(Event::Message(message)) => print(globals, &topics, &message),
            Some(Event::Subscribed(granted)) => {
                if let Some(why) = granted.into_iter().find_map(|one| one.outcome.err()) {
                    return Err(Failure::failed(format!(
                        "the broker refuses to show states: {why}"
                    )));
                }
            }
            Some(Event::Down(reason)) if connected => {
                output::complain(format_args!(
                    "hearth: {reason}; watching goes on when the broker is back"
                ));
            }
            Some(Event::Down(reason)) => {
                let broker = &settings.client.broker;
                let text = format!("no connection to the broker at {broker}: {reason}");
                return Err(Failure::no_answer(text));
            }
            None => return Err(Failure::no_answer("the connection to the broker was lost")),
        }
    }
    link.close().await;
    Ok(())
}

fn print(globals: &Globals, topics: &Topics, message: &Delivery) {
    let Some(Topic::Device(zone, device, _)) = topics.parse(&message.topic) else { return };
    let place = names::Place { zone, device };
    let Ok(body) = serde_json::from_slice::<Json>(&message.payload) else { return };
    if globals.json {
        output::json(&json!({"device": place.to_string(), "message": body}));
        return;
    }
    let time = history::clock_time(body["time"].as_u64().unwrap_or(0));
    let desired = match &body["desired"] {
        Json::Null => String::new(),
        _ => format!("  told {}", words::desired(&body)),
    };
    let (state, seq, owner) = (words::state(&body), &body["seq"], &body["owner"]);
    out!("{time}  {place} is {state}{desired}  (seq {seq}, gateway {owner})");
}
