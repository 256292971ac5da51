//! `hearth set ZONE/DEVICE STATE`

use clap::Args;
use serde_json::json;
use wire::{Answer, State, ZoneVerb};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::names::Place;
use crate::output::{self, out};
use crate::words;

const EXAMPLES: &str = "\
Examples:
  hearth set bedroom/smartBulb ON
  hearth set kitchen/smartOutlet off --wait      return when the device says that it is off
  hearth set livingroom/heater 21.5 --expires 60";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetArgs {
    /// The device
    #[arg(value_name = "ZONE/DEVICE")]
    place: Place,
    /// What it shall be: ON, OFF, open, closed, a number, or any text
    #[arg(allow_negative_numbers = true)]
    state: String,
    /// Wait until the device has done it, not only until the order is agreed
    #[arg(long)]
    wait: bool,
    /// Drop the order if the device has not done it after so many seconds
    #[arg(long, value_name = "SECONDS")]
    expires: Option<f64>,
}

pub(crate) async fn set(globals: &Globals, args: SetArgs) -> Outcome {
    let state = State::new(args.state.as_str()).map_err(Failure::usage)?;
    let mut request = json!({"state": state.to_json()});
    if args.wait {
        request["wait"] = json!("state");
    }
    if let Some(seconds) = args.expires {
        request["expires"] = json!(seconds);
    }
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let asked = client.device(&args.place, ZoneVerb::Set, request, client.patience());
    let answer = asked.await.map_err(|failure| failure.unanswered(MAYBE))?;
    client.close().await;
    if globals.json {
        output::json(&answer.to_json());
    } else if !args.wait {
        out!(
            "{} is told {}, order {}",
            args.place,
            words::state(&answer.to_json()),
            answer.get("order")
        );
    }
    if args.wait {
        done(&args.place, &answer)?;
    }
    if args.wait && !globals.json {
        out!("{} is {}", args.place, words::state(&answer.to_json()));
    }
    Ok(())
}

/// The answer is missing, not the order.
const MAYBE: &str = "the order may be agreed all the same, and waits for the device then";

/// Whether the order that was waited for was carried out.
fn done(place: &Place, answer: &Answer) -> Outcome {
    let order = answer.get("order");
    match answer.get("fulfilled").as_bool() {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::failed(format!(
            "{place} has not done it: order {order} expired, or a newer one replaced it"
        ))),
        None => Err(Failure::failed(format!(
            "order {order} is over; hearth get {place} tells whether it was done"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_expired_is_not_reported_as_done() {
        let place: Place = "attic/fan".parse().expect("a place");
        let answer = |fulfilled: &str| {
            let json = format!(r#"{{"status":"ok","order":7,"fulfilled":{fulfilled}}}"#);
            Answer::parse(json.as_bytes()).expect("an answer")
        };
        assert!(done(&place, &answer("true")).is_ok());
        for (other, why) in [("false", "expired"), ("null", "hearth get attic/fan")] {
            let failure = done(&place, &answer(other)).expect_err("not done").to_string();
            assert!(failure.contains(why) && failure.contains('7'), "{failure}");
        }
    }
}
