//! `hearth dump status|history`

use clap::{Args, ValueEnum};
use gateway::inspect::{self, HistoryRow, Replica, StatusRow};
use serde_json::{Value as Json, json};
use wire::{Kind, State, Value, visible};

use crate::cli::{Globals, flag};
use crate::failure::Outcome;
use crate::output::{self, out};

const EXAMPLES: &str = "\
Examples:
  hearth dump status --gateway 1          <unix seconds> <node> <name> <state>
  hearth dump history --gateway 2         CSV, one agreed change a line
  diff <(hearth dump history --gateway 1) <(hearth dump history --gateway 2)";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DumpArgs {
    /// What to print
    what: What,
    /// Whose file
    #[arg(long, value_name = "N")]
    gateway: u8,
    /// Folder of the files [default: hearth-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The current status of every device
    Status,
    /// Every agreed change
    History,
}

pub(crate) fn dump(globals: &Globals, args: &DumpArgs) -> Outcome {
    let flags = flag("--data-dir", "gateway.data_dir", args.data_dir.as_ref());
    let settings = globals.settings(flags.into_iter().collect())?;
    let replica = inspect::read(&inspect::file(&settings.gateway.data_dir, args.gateway))?;
    match (args.what, globals.json) {
        (What::Status, false) => replica.status.iter().for_each(|row| out!("{}", status(row))),
        (What::History, false) => {
            out!("{HISTORY_HEAD}");
            replica.history.iter().for_each(|row| out!("{}", history(row)));
        }
        (what, true) => output::json(&as_json(what, &replica)),
    }
    Ok(())
}

const HISTORY_HEAD: &str = "seq,time,node,name,register,state,value,order,clock,gateway,note";

/// The seed's way: a number where the kind has one.
fn status(row: &StatusRow) -> String {
    let value = row.state.as_deref().and_then(|state| value(&row.kind, state));
    let state = match value {
        Some(value) => value.to_string(),
        None => row.state.as_deref().map_or("-".to_owned(), |state| visible(state).to_string()),
    };
    format!("{} {} {} {state}", seconds(row.time), row.node, row.name)
}

fn value(kind: &str, state: &str) -> Option<Value> {
    kind.parse::<Kind>().ok()?.value(&State::new(state).ok()?)
}

fn history(row: &HistoryRow) -> String {
    let order = row.order.map(|order| order.to_string()).unwrap_or_default();
    let cells = [
        row.seq.to_string(),
        seconds(row.time),
        row.node.to_string(),
        cell(&row.name),
        cell(&row.register),
        cell(&row.state),
        value(&row.kind, &row.state).map(|value| value.to_string()).unwrap_or_default(),
        order,
        row.clock.to_string(),
        row.owner.to_string(),
        cell(row.note.as_deref().unwrap_or("")),
    ];
    cells.join(",")
}

/// Unix seconds with their fraction, without the floating point's doubts.
fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// A cell of a CSV file (RFC 4180), which is for people too: `--json` has the exact text.
fn cell(text: &str) -> String {
    let text = visible(text).to_string();
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn as_json(what: What, replica: &Replica) -> Json {
    match what {
        What::Status => replica
            .status
            .iter()
            .map(|row| {
                json!({"time": row.time, "node": row.node, "name": row.name, "kind": row.kind,
                    "state": row.state, "desired": row.desired, "seq": row.seq,
                    "value": row.state.as_deref().and_then(|state| number(&row.kind, state))})
            })
            .collect(),
        What::History => replica
            .history
            .iter()
            .map(|row| {
                json!({"seq": row.seq, "time": row.time, "node": row.node, "name": row.name,
                    "kind": row.kind, "register": row.register, "state": row.state,
                    "value": number(&row.kind, &row.state), "order": row.order,
                    "clock": row.clock, "owner": row.owner, "note": row.note})
            })
            .collect(),
    }
}

fn number(kind: &str, state: &str) -> Option<Json> {
    value(kind, state).map(Value::to_json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_has_its_four_columns() {
        let row = StatusRow {
            node: 2,
            name: "tempSensor".into(),
            kind: "temperature".into(),
            time: 1_492_569_319_034,
            seq: 1,
            state: Some("54".into()),
            desired: None,
        };
        assert_eq!(status(&row), "1492569319.034 2 tempSensor 54");
    }

    #[test]
    fn a_cell_with_a_comma_is_quoted() {
        assert_eq!(cell("half open"), "half open");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("a\nb"), "a\\nb");
    }
}
