//! `hearth recover`: a home goes on with one gateway's file after a majority was lost for ever.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use gateway::inspect::{self, Prospect};
use gateway::store::{Recovery, Store};
use serde_json::json;
use wire::{GatewayId, Site, UnixMillis};

use crate::cli::Globals;
use crate::failure::{Failure, Outcome};
use crate::history;
use crate::output::{self, out};

const EXAMPLES: &str = "\
A majority of the gateways decides; if it is lost for ever, nothing can be agreed any more. This makes one file the
only voter, and all other files of the site worthless: what they have that this one does not have is lost. Take the
newest file that is left (hearth dump history --gateway N shows what is in it), and stop its gateway first.

Examples:
  hearth recover --from hearth-data/gateway-1.db --as-only-voter          asks before it changes anything
  hearth recover --from hearth-data/gateway-1.db --as-only-voter --yes
  hearth up                                                               the home works again; then
  hearth voters --add 2                                                   a new gateway 2, with an empty file";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RecoverArgs {
    /// The file of the gateway that is left, gateway-<N>.db
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// All others lose their votes, for ever
    #[arg(long, required = true)]
    as_only_voter: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) fn recover(globals: &Globals, args: &RecoverArgs) -> Outcome {
    let file = &args.from;
    let found = inspect::prospect(file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if inspect::file(folder, found.gateway).file_name() != file.file_name() {
        return Err(Failure::usage(format!(
            "{} holds gateway {}, and a gateway's file is called gateway-<N>.db: call it gateway-{}.db",
            file.display(),
            found.gateway,
            found.gateway
        )));
    }
    let struck = found.voters.iter().filter(|id| **id != found.gateway);
    let struck: Vec<_> = struck.map(ToString::to_string).collect();
    if found.voters.is_empty() {
        return Err(Failure::failed(format!(
            "{} is empty: it knows no site. Start its gateway, or recover from a file that has something in it",
            file.display()
        )));
    }
    if !globals.json {
        tell(&found, &struck.join(", "));
    }
    if !args.yes {
        confirm(&found)?;
    }
    let done = make_only_voter(folder, &found)?;
    report(globals, &found, &done);
    Ok(())
}

/// What there is, and what may be lost.
fn tell(found: &Prospect, struck: &str) {
    let Prospect { site, gateway, chosen, accepted, .. } = found;
    out!("Gateway {gateway} of site {site}:");
    match found.last {
        Some((seq, time)) => out!("  last agreed change  {seq}, {}", history::clock_time(time)),
        None => out!("  last agreed change  none"),
    }
    out!("  last agreed slot    {chosen}");
    if accepted > chosen {
        out!(
            "  accepted beyond it  up to slot {accepted}; that may or may not have been agreed, and counts from here on"
        );
    }
    if struck.is_empty() {
        out!(
            "No other gateway votes by this file. It gets a new generation of the site all the same."
        );
    } else {
        out!(
            "Gateways {struck} lose their votes for ever, and with that whatever they agreed on after slot {accepted}:"
        );
        out!(
            "reports and orders that people and devices were told are safe may be among it. Their files are refused"
        );
        out!("from here on, also if one of them is found again.");
    }
}

fn confirm(found: &Prospect) -> Outcome {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "nobody can be asked here: standard input is no terminal. With --yes it is done without asking",
        ));
    }
    out!("Type \"only gateway {}\" to do it:", found.gateway);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.trim() == format!("only gateway {}", found.gateway) {
        return Ok(());
    }
    Err(Failure::failed("nothing was changed"))
}

/// Opening it checks every row, and that its gateway does not run.
fn make_only_voter(folder: &Path, found: &Prospect) -> Outcome<Recovery> {
    let site: Site = found.site.parse()?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let now = UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let (mut store, _) = Store::open(folder, &site, GatewayId(found.gateway), now, 1)?;
    Ok(store.stand_alone(now)?)
}

fn report(globals: &Globals, found: &Prospect, done: &Recovery) {
    let Prospect { site, gateway, accepted, .. } = found;
    let generation = done.generation;
    if globals.json {
        return output::json(&json!({
            "site": site, "gateway": gateway, "generation": generation, "struck": done.struck,
            "agreed_to": accepted,
        }));
    }
    out!(
        "Gateway {gateway} is the only voter of site {site}, which is of generation {generation} from here on."
    );
    out!(
        "Start it. Then start others with empty files, and give them votes: hearth voters --add 2"
    );
}
