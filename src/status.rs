//! `hearth status`

use serde_json::{Value as Json, json};
use wire::ApiVerb;

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::output::{self, out};
use crate::{devices, table, trouble};

pub(crate) async fn status(globals: &Globals) -> Outcome {
    let settings = globals.settings(vec![])?;
    let client = Client::connect(&settings).await?;
    let gateways = tokio::select! {
        gateways = client.api(ApiVerb::Gateways, json!({})) => gateways?,
        words = trouble::nobody_leads(&client, &settings) => {
            if globals.json {
                out!("{}", trouble::json(&words));
            }
            return Err(Failure::no_answer(trouble::text(&words)));
        }
    };
    let zones = client.api(ApiVerb::Zones, json!({})).await?;
    let devices = client.api(ApiVerb::Devices, json!({})).await?;
    client.close().await;
    let (gateways, zones) = (gateways.get("gateways"), zones.get("zones"));
    let devices = devices.get("devices");
    if globals.json {
        output::json(&json!({"gateways": gateways, "zones": zones, "devices": devices}));
        return Ok(());
    }
    print_gateways(&settings.site, gateways);
    out!();
    print_zones(zones);
    out!();
    devices::print(devices);
    Ok(())
}

fn print_gateways(site: &str, gateways: &Json) {
    let all: Vec<&Json> = gateways.as_array().into_iter().flatten().collect();
    let alive = all.iter().filter(|gateway| gateway["alive"] == true).count();
    let leader = all.iter().find(|gateway| gateway["leader"] == true);
    let leader =
        leader.map_or("nobody leads".to_owned(), |it| format!("gateway {} leads", it["gateway"]));
    out!("{site}: {alive} of {} gateways alive, {leader}\n", all.len());
    let rows: Vec<_> = all.into_iter().map(gateway).collect();
    table::print(&["GATEWAY", "ALIVE", "ROLE", "APPLIED", "SEQ", "ZONES", "DEVICES"], &rows);
}

fn gateway(gateway: &Json) -> Vec<String> {
    let yes = |name: &str| gateway[name] == true;
    let role = match (yes("leader"), yes("serves")) {
        (true, true) => "leads, serves",
        (true, false) => "leads",
        (false, true) => "serves",
        (false, false) => "stands by",
    };
    let zones: Vec<&str> =
        gateway["zones"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    vec![
        gateway["gateway"].to_string(),
        if yes("alive") { "yes" } else { "no" }.to_owned(),
        role.to_owned(),
        gateway["applied"].to_string(),
        gateway["seq"].to_string(),
        zones.join(" "),
        gateway["devices"].to_string(),
    ]
}

fn print_zones(zones: &Json) {
    let row = |zone: &Json| {
        let text = |name: &str| zone[name].to_string().trim_matches('"').to_owned();
        vec![text("zone"), text("owner"), text("epoch"), text("devices")]
    };
    let rows: Vec<_> = zones.as_array().into_iter().flatten().map(row).collect();
    table::print(&["ZONE", "GATEWAY", "EPOCH", "DEVICES"], &rows);
}
