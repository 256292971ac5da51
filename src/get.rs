//! `hearth get ZONE/DEVICE`

use clap::Args;
use serde_json::json;
use wire::ZoneVerb;

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::Outcome;
use crate::names::Place;
use crate::output::{self, out};
use crate::words;

const EXAMPLES: &str = "\
Examples:
  hearth get hallway/doorSensor
  hearth get livingroom/tempSensor --refresh     ask the device itself if the state is not cached
  hearth get bedroom/smartBulb --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GetArgs {
    /// The device
    #[arg(value_name = "ZONE/DEVICE")]
    place: Place,
    /// Ask the device itself when its state is not in the cache
    #[arg(long)]
    refresh: bool,
}

pub(crate) async fn get(globals: &Globals, args: GetArgs) -> Outcome {
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let request = if args.refresh { json!({"refresh": true}) } else { json!({}) };
    let answer = client.device(&args.place, ZoneVerb::Get, request, client.patience()).await?;
    client.close().await;
    if globals.json {
        output::json(&answer.to_json());
    } else {
        out!("{}", words::state(&answer.to_json()));
    }
    Ok(())
}
