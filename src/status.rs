//! `hearth status`

use std::time::Duration;

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
    let rows: Vec<_> = all.iter().map(|row| gateway(row)).collect();
    table::print(&["GATEWAY", "ALIVE", "ROLE", "APPLIED", "SEQ", "ZONES", "DEVICES"], &rows);
    for line in all.iter().filter_map(|row| clock(row)) {
        out!("{line}");
    }
}

/// By how many milliseconds a clock may be off without a word.
const BOUND: u64 = 1000;

/// A word about a clock that is off.
fn clock(gateway: &Json) -> Option<String> {
    let off = gateway["clock_off"].as_i64().filter(|off| off.unsigned_abs() > BOUND)?;
    let by = humantime::format_duration(Duration::from_millis(off.unsigned_abs()));
    let side = if off > 0 { "ahead of" } else { "behind" };
    let id = &gateway["gateway"];
    Some(format!("the clock of gateway {id} is {by} {side} the home's time of day: set it right"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_of() {
        let row = |off: Json| json!({"gateway": 2, "clock_off": off});
        for quiet in [json!(null), json!(0), json!(1000), json!(-1000)] {
            assert_eq!(clock(&row(quiet)), None);
        }
        let line = clock(&row(json!(-86_400_250))).unwrap_or_default();
        assert_eq!(
            line,
            "the clock of gateway 2 is 1day 250ms behind the home's time of day: set it right"
        );
    }
}
