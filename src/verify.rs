//! `hearth verify`: compares the rows of all gateways' files at one slot, and names those that differ.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use serde_json::{Value as Json, json};
use tokio::time::sleep;
use wire::{ApiVerb, GatewayVerb, visible};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::output::{self, out};

const EXAMPLES: &str = "\
Every gateway reads all rows of its file and compares them with what it wrote; it does that by itself every five
minutes too. This asks all of them now, compares them with each other, and names table, row and gateway.

Examples:
  hearth verify
  hearth verify --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {}

/// How often the gateways are asked again until all of them answer for one slot: a busy home changes meanwhile.
const TRIES: usize = 50;

/// The pause before they are asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Parts of a table, and rows, that are looked into at most; more than that is not one row that is wrong.
const MOST: usize = 16;

/// What a gateway has in its file: parts by name, each with its count of rows and its sum.
type Parts = BTreeMap<String, (u64, String)>;

/// What all gateways have, at one slot.
struct Look {
    slot: u64,
    of: BTreeMap<u8, Parts>,
}

/// A row or table that is not the same everywhere.
struct Difference {
    table: String,
    row: Option<String>,
    /// Who has what most of them have not.
    wrong: BTreeSet<u8>,
}

pub(crate) async fn verify(globals: &Globals, _: &VerifyArgs) -> Outcome {
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let gateways = gateways(&client).await?;
    let tables = look(&client, &gateways, json!({})).await?;
    let mut found = Vec::new();
    for (table, wrong) in tables.differences() {
        let rows = rows(&client, &gateways, &table).await?;
        if rows.is_empty() {
            found.push(Difference { table, row: None, wrong });
            continue;
        }
        let row = |(row, wrong)| Difference { table: table.clone(), row: Some(row), wrong };
        found.extend(rows.into_iter().map(row));
    }
    client.close().await;
    report(globals, &gateways, &tables, &found)
}

/// Those that live.
async fn gateways(client: &Client) -> Outcome<Vec<u8>> {
    let answer = client.api(ApiVerb::Gateways, json!({})).await?;
    let all = answer.get("gateways").as_array().cloned().unwrap_or_default();
    let lives = |gateway: &Json| gateway["alive"] == true;
    let number = |gateway: &Json| u8::try_from(gateway["gateway"].as_u64()?).ok();
    Ok(all.iter().filter(|gateway| lives(gateway)).filter_map(number).collect())
}

/// Asks all of them, again and again until their answers are of one slot.
async fn look(client: &Client, gateways: &[u8], question: Json) -> Outcome<Look> {
    for _ in 0..TRIES {
        let (mut slots, mut of) = (BTreeSet::new(), BTreeMap::new());
        for id in gateways {
            let patience = client.patience();
            let answer =
                client.gateway(*id, GatewayVerb::Verify, question.clone(), patience).await?;
            if let Some(damage) = answer.get("damage").as_str() {
                return Err(Failure::failed(damaged(*id, damage)));
            }
            slots.extend(answer.get("slot").as_u64());
            of.insert(*id, parts(answer.get("parts")));
        }
        if let (1, Some(slot)) = (slots.len(), slots.first()) {
            return Ok(Look { slot: *slot, of });
        }
        sleep(PAUSE).await;
    }
    Err(Failure::failed(
        "the home is too busy: its gateways never answered for the same slot; try again when less is reported",
    ))
}

fn damaged(id: u8, damage: &str) -> String {
    format!(
        "gateway {id} has rows that it never wrote, and stops: {}; keep gateway-{id}.db for a report, move it away \
         with its -wal, and start gateway {id} again: it fetches everything from the others",
        visible(damage)
    )
}

fn parts(json: &Json) -> Parts {
    let part = |part: &Json| {
        let sum = part["sum"].as_str()?.to_owned();
        Some((part["name"].as_str()?.to_owned(), (part["rows"].as_u64()?, sum)))
    };
    json.as_array().into_iter().flatten().filter_map(part).collect()
}

/// The rows of a table that differ.
async fn rows(
    client: &Client,
    gateways: &[u8],
    table: &str,
) -> Outcome<Vec<(String, BTreeSet<u8>)>> {
    let buckets = look(client, gateways, json!({"table": table})).await?;
    let mut found = Vec::new();
    for (bucket, _) in buckets.differences().into_iter().take(MOST) {
        let bucket: u64 = bucket.parse()?;
        let rows = look(client, gateways, json!({"table": table, "bucket": bucket})).await?;
        found.extend(rows.differences());
    }
    found.truncate(MOST);
    Ok(found)
}

impl Look {
    /// The parts that are not the same everywhere, with those who differ from most.
    fn differences(&self) -> Vec<(String, BTreeSet<u8>)> {
        let names: BTreeSet<&String> = self.of.values().flat_map(BTreeMap::keys).collect();
        let differs = |name: &String| {
            let mut who: BTreeMap<Option<&(u64, String)>, BTreeSet<u8>> = BTreeMap::new();
            for (id, parts) in &self.of {
                who.entry(parts.get(name)).or_default().insert(*id);
            }
            let most = who.values().map(BTreeSet::len).max().unwrap_or(0);
            let usual = who.values().position(|ids| ids.len() == most && 2 * most > self.of.len());
            let wrong = who.into_values().enumerate().filter(|(at, _)| Some(*at) != usual);
            let wrong: BTreeSet<u8> = wrong.flat_map(|(_, ids)| ids).collect();
            (!wrong.is_empty()).then(|| (name.clone(), wrong))
        };
        names.into_iter().filter_map(differs).collect()
    }

    fn rows(&self) -> u64 {
        self.of.values().next().map_or(0, |parts| parts.values().map(|(rows, _)| rows).sum())
    }
}

fn report(globals: &Globals, gateways: &[u8], tables: &Look, found: &[Difference]) -> Outcome {
    let slot = tables.slot;
    if globals.json {
        let found = found.iter().map(|difference| {
            let Difference { table, row, wrong } = difference;
            json!({"table": table, "row": row, "gateways": wrong})
        });
        let found: Vec<_> = found.collect();
        output::json(&json!({"slot": slot, "gateways": gateways, "differences": found}));
    } else if found.is_empty() {
        let (count, rows) = (gateways.len(), tables.rows());
        out!("The files of {count} gateways have the same {rows} rows at slot {slot}.");
    }
    if found.is_empty() {
        return Ok(());
    }
    let lines = found.iter().map(|Difference { table, row, wrong }| {
        let row = row.as_ref().map_or(String::new(), |row| format!(", row {}", visible(row)));
        format!("table {table}{row}: gateway {} differs", list(wrong))
    });
    let wrong: BTreeSet<u8> =
        found.iter().flat_map(|difference| &difference.wrong).copied().collect();
    Err(Failure::failed(format!(
        "at slot {slot} not all files have the same rows:\n  {}\nTo mend gateway {}: stop it, keep its file for a \
         report, move it away, and start it again: it fetches everything from the others",
        lines.collect::<Vec<_>>().join("\n  "),
        list(&wrong)
    )))
}

fn list(ids: &BTreeSet<u8>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_differs_from_most_is_named() {
        let part = |sum: &str| Parts::from([("7".to_owned(), (1, sum.to_owned()))]);
        let look = |of: &[(u8, Parts)]| Look { slot: 1, of: of.iter().cloned().collect() };
        let one = look(&[(1, part("a")), (2, part("b")), (3, part("a"))]);
        assert_eq!(one.differences(), [("7".to_owned(), BTreeSet::from([2]))]);
        let missing = look(&[(1, part("a")), (2, part("a")), (3, Parts::new())]);
        assert_eq!(missing.differences(), [("7".to_owned(), BTreeSet::from([3]))]);
        let two = look(&[(1, part("a")), (2, part("b"))]);
        assert_eq!(two.differences(), [("7".to_owned(), BTreeSet::from([1, 2]))]);
        assert!(look(&[(1, part("a")), (2, part("a"))]).differences().is_empty());
    }
}
