//! `hearth dump status|history`

use clap::{Args, ValueEnum};
use gateway::inspect::{self, HistoryRow, Replica, StatusRow};
use serde_json::{Value as Json, json};

use crate::cli::{Globals, flag};
use crate::failure::Outcome;
use crate::output::out;

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
        (what, true) => out!("{}", as_json(what, &replica)),
    }
    Ok(())
}

const HISTORY_HEAD: &str = "seq,time,node,name,register,value,order,clock,gateway,note";

fn status(row: &StatusRow) -> String {
    let state = row.state.as_deref().unwrap_or("-");
    format!("{} {} {} {state}", seconds(row.time), row.node, row.name)
}

fn history(row: &HistoryRow) -> String {
    let order = row.order.map(|order| order.to_string()).unwrap_or_default();
    let cells = [
        row.seq.to_string(),
        seconds(row.time),
        row.node.to_string(),
        cell(&row.name),
        cell(&row.register),
        cell(&row.value),
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

/// A cell of a CSV file (RFC 4180).
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn as_json(what: What, replica: &Replica) -> Json {
    match what {
        What::Status => replica
            .status
            .iter()
            .map(|row| {
                json!({"time": row.time, "node": row.node, "name": row.name, "state": row.state,
                    "desired": row.desired, "seq": row.seq})
            })
            .collect(),
        What::History => replica
            .history
            .iter()
            .map(|row| {
                json!({"seq": row.seq, "time": row.time, "node": row.node, "name": row.name,
                    "register": row.register, "value": row.value, "order": row.order,
                    "clock": row.clock, "owner": row.owner, "note": row.note})
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_has_its_four_columns() {
        let row = StatusRow {
            node: 2,
            name: "tempSensor".into(),
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
    }
}
