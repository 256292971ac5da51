//! `hearth devices`

use serde_json::{Value as Json, json};
use wire::ApiVerb;

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::Outcome;
use crate::output;
use crate::table;
use crate::words::{self, shown};

pub(crate) async fn devices(globals: &Globals) -> Outcome {
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let answer = client.api(ApiVerb::Devices, json!({})).await?;
    client.close().await;
    if globals.json {
        output::json(answer.get("devices"));
    } else {
        print(answer.get("devices"));
    }
    Ok(())
}

/// Prints the registration table with states.
pub(crate) fn print(devices: &Json) {
    let rows: Vec<_> = devices.as_array().into_iter().flatten().map(row).collect();
    let head = ["NODE", "DEVICE", "KIND", "TYPE", "STATE", "TOLD", "GATEWAY", "SEQ"];
    table::print(&head, &rows);
}

fn row(device: &Json) -> Vec<String> {
    vec![
        device["node"].to_string(),
        format!("{}/{}", shown(&device["zone"]), shown(&device["name"])),
        shown(&device["kind"]),
        shown(&device["class"]),
        words::state(device),
        words::desired(device),
        shown(&device["owner"]),
        shown(&device["seq"]),
    ]
}
