//! `hearth broker sessions`

use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::output::{self, out};
use crate::table;
use crate::words::shown;

const EXAMPLES: &str = "\
Examples:
  hearth broker sessions --broker mqtt://ada:secret@127.0.0.1   every session that the broker has
  hearth broker sessions --end old-tablet                       ends one, whoever has it

Only an administrator is answered: whoever may publish to hearth/<site>/broker/sessions.";

/// What is told beside a silence.
const WHO: &str =
    "only Hearth's own broker answers this, and only administrators: see hearth broker roles";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SessionsArgs {
    /// Client id of a session to end, with its connection and all that waits for it
    #[arg(long, value_name = "ID")]
    end: Option<String>,
}

pub(crate) async fn sessions(globals: &Globals, args: SessionsArgs) -> Outcome {
    let client = Client::connect(&globals.settings(vec![])?).await?;
    let done = match args.end {
        Some(id) => end(globals, &client, &id).await,
        None => list(globals, &client).await,
    };
    client.close().await;
    done
}

async fn end(globals: &Globals, client: &Client, id: &str) -> Outcome {
    let answer = client.broker(json!({ "end": id })).await.map_err(with_hint)?;
    match globals.json {
        true => output::json(&answer.to_json()),
        false => out!("the session of {} is ended", shown(answer.get("ended"))),
    }
    Ok(())
}

async fn list(globals: &Globals, client: &Client) -> Outcome {
    let mut sessions: Vec<Json> = Vec::new();
    loop {
        let last = sessions.last().map_or(Json::Null, |last| last["client"].clone());
        let answer = client.broker(json!({ "after": last })).await.map_err(with_hint)?;
        let page = answer.get("sessions").as_array().cloned().unwrap_or_default();
        let more = !page.is_empty() && *answer.get("more") == true;
        sessions.extend(page);
        if !more {
            break;
        }
    }
    if globals.json {
        output::json(&json!({ "sessions": sessions }));
        return Ok(());
    }
    let head = ["CLIENT", "USER", "CONNECTED", "KEPT FOR", "QUEUED", "BYTES", "SUBSCRIPTIONS"];
    table::print(&head, &sessions.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

fn with_hint(failure: Failure) -> Failure {
    failure.unanswered(WHO)
}

fn row(session: &Json) -> Vec<String> {
    let connected = match session["away_seconds"].as_u64() {
        None => "yes".to_owned(),
        Some(seconds) => format!("{} ago", time(seconds)),
    };
    let kept = session["expiry_seconds"].as_u64().map_or_else(|| "ever".to_owned(), time);
    vec![
        shown(&session["client"]),
        shown(&session["user"]),
        connected,
        kept,
        session["queued"].to_string(),
        session["queued_bytes"].to_string(),
        session["subscriptions"].to_string(),
    ]
}

/// A time in its largest whole unit.
fn time(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 3600, "d"), (3600, "h"), (60, "min")];
    let unit = UNITS.iter().find(|(unit, _)| seconds >= 2 * unit);
    unit.map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_at_a_glance_and_draws_nothing() {
        let session = json!({
            "client": "\u{1b}[2Jeve", "user": "eve", "connected": false, "away_seconds": 7_300,
            "expiry_seconds": 7_776_000, "queued": 3, "queued_bytes": 40, "subscriptions": 1,
        });
        let cells = ["\\u{1b}[2Jeve", "eve", "2 h ago", "90 d", "3", "40", "1"];
        assert_eq!(row(&session), cells);
        let here = json!({"client": "a", "connected": true});
        assert_eq!(row(&here)[1..4], ["-", "yes", "ever"]);
    }
}
