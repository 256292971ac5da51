//! `hearth health`

use clap::Args;
use serde_json::json;
use wire::GatewayVerb;

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::Outcome;
use crate::output::{self, out};

const EXAMPLES: &str = "\
Examples:
  hearth health                   does the broker answer?
  hearth health --id 2            do the broker and gateway 2 answer?
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
        let patience = client.patience();
        let stats = client.gateway(id, GatewayVerb::Stats, json!({}), patience).await?;
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
