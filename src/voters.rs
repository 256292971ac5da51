//! `hearth voters`

use clap::Args;
use serde_json::Value as Json;
use wire::{ApiVerb, VotersRequest};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::names;
use crate::output::{self, out};

const EXAMPLES: &str = "\
Examples:
  hearth voters                        who votes, and who follows without a vote
  hearth voters --add 4                a fourth gateway, which was started and has caught up
  hearth voters --add 4 --remove 2     gateway 4 in the place of gateway 2
";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VotersArgs {
    /// Gateways that shall have a vote
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    add: Vec<u8>,
    /// Gateways that shall have none; they follow the others, and serve no zone
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    remove: Vec<u8>,
}

pub(crate) async fn voters(globals: &Globals, args: VotersArgs) -> Outcome {
    if args.add.iter().chain(&args.remove).any(|id| !(1..=254).contains(id)) {
        return Err(Failure::usage("gateways have numbers from 1 to 254"));
    }
    let changes = !args.add.is_empty() || !args.remove.is_empty();
    let (add, remove) = (names::gateways(&args.add), names::gateways(&args.remove));
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let answer = client.api(ApiVerb::Voters, VotersRequest { add, remove }.to_json()).await;
    client.close().await;
    let answer = answer.map_err(|failure| {
        failure.unanswered("the change may have been made all the same: see hearth voters")
    })?;
    let (voters, observers) = (answer.get("voters"), answer.get("observers"));
    if globals.json {
        output::json(&serde_json::json!({"voters": voters, "observers": observers}));
        return Ok(());
    }
    let numbers: Vec<String> = list(voters).map(Json::to_string).collect();
    out!("gateways {} vote", numbers.join(", "));
    if changes {
        let numbers = numbers.join(",");
        out!("write it down: gateway.voters = [{numbers}] in the settings of every gateway");
    }
    for observer in list(observers) {
        out!(
            "gateway {} follows without a vote, up to slot {}",
            observer["gateway"],
            observer["applied"]
        );
    }
    Ok(())
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}
