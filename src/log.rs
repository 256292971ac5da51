//! `hearth log`

use clap::Args;
use serde_json::{Value as Json, json};
use wire::{ApiVerb, GatewayVerb};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::Outcome;
use crate::output::{self, out};
use crate::words::{self, shown};

const EXAMPLES: &str = "\
Examples:
  hearth log                      the leader's copy
  hearth log --gateway 2          gateway 2's own copy: the same lines
  hearth log --from 100 --limit 20";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogArgs {
    /// Ask this gateway for its own copy
    #[arg(long, value_name = "N")]
    gateway: Option<u8>,
    /// Begin at this number
    #[arg(long, default_value_t = 1, value_name = "SEQ")]
    from: u64,
    /// At most so many lines
    #[arg(long, default_value_t = 1000)]
    limit: u32,
}

pub(crate) async fn log(globals: &Globals, args: LogArgs) -> Outcome {
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let request = json!({"from": args.from, "limit": args.limit});
    let answer = match args.gateway {
        Some(id) => {
            let patience = client.patience();
            client.gateway(id, GatewayVerb::Log, request, patience).await?
        }
        None => client.api(ApiVerb::Log, request).await?,
    };
    client.close().await;
    if globals.json {
        output::json(answer.get("log"));
        return Ok(());
    }
    for entry in answer.get("log").as_array().into_iter().flatten() {
        out!("{}", line(entry));
    }
    Ok(())
}

fn line(entry: &Json) -> String {
    let (seq, node) = (&entry["seq"], &entry["node"]);
    let (value, name) = (words::value(entry), shown(&entry["name"]));
    format!("Seq No. {seq} Device:State -> {node}:{value} - {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_reads_as_it_always_did() {
        let entry = json!({"seq": 1, "node": 2, "name": "tempSensor", "value": 54});
        assert_eq!(line(&entry), "Seq No. 1 Device:State -> 2:54 - tempSensor");
    }
}
