//! `hearth health`

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::{Instant, sleep};
use wire::{Answer, GatewayVerb};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::output::{self, out};

const EXAMPLES: &str = "\
Examples:
  hearth health                   does the broker answer?
  hearth health --id 2            do the broker and gateway 2 answer, and does it know who leads?
  healthcheck:                    in compose.yaml
    test: [\"CMD\", \"hearth\", \"health\", \"--id\", \"2\"]";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HealthArgs {
    /// Ask this gateway too
    #[arg(long, value_name = "N")]
    id: Option<u8>,
}

pub(crate) async fn health(globals: &Globals, args: HealthArgs) -> Outcome {
    let settings = globals.settings(vec![])?;
    let client = Client::connect(&settings).await?;
    let mut healthy = json!({"broker": settings.client.broker.to_string()});
    if let Some(id) = args.id {
        let stats = led(&client, id).await?;
        healthy["gateway"] = json!(id);
        healthy["applied"] = stats.get("applied").clone();
    }
    client.close().await;
    if globals.json {
        output::json(&healthy);
    } else {
        out!("ok");
    }
    Ok(())
}

/// An election takes less; after this it is no election that takes its time.
const ELECTION: Duration = Duration::from_secs(2);

/// What a gateway answers that knows who leads.
async fn led(client: &Client, id: u8) -> Outcome<Answer> {
    let began = Instant::now();
    loop {
        let stats = client.gateway(id, GatewayVerb::Stats, json!({}), client.patience()).await?;
        if !stats.get("leader").is_null() {
            return Ok(stats);
        }
        if began.elapsed() >= ELECTION {
            let why = stats.get("trouble").as_str().unwrap_or_default();
            return Err(Failure::failed(format!("gateway {id} answers, but nobody leads: {why}")));
        }
        sleep(ELECTION / 10).await;
    }
}
