//! `hearth set ZONE/DEVICE STATE`

use clap::Args;
use serde_json::json;
use wire::{State, ZoneVerb};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::get::shown;
use crate::names::Place;
use crate::output::out;

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
    let state = State::parse(&args.state).map_err(Failure::usage)?;
    let mut request = json!({"state": state.to_json()});
    if args.wait {
        request["wait"] = json!("state");
    }
    if let Some(seconds) = args.expires {
        request["expires"] = json!(seconds);
    }
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let answer = client.device(&args.place, ZoneVerb::Set, request, client.patience()).await?;
    client.close().await;
    if globals.json {
        out!("{}", answer.to_json());
    } else if args.wait {
        out!("{} is {}", args.place, shown(&state.to_json()));
    } else {
        out!("{} is told {}, order {}", args.place, args.state, answer.get("order"));
    }
    Ok(())
}
