//! The arguments of `hearth run`, as written and as meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tempfile::TempDir;

use super::crash::{Crash, When};
use super::events::{self, Script};
use super::things::Things;
use crate::cli::{Globals, flag};
use crate::failure::{Failure, Outcome};
use crate::home::Blueprint;
use crate::names;

const EXAMPLES: &str = "\
Examples:
  hearth run config/scenarios/seed.events 2 3                        two gateways with caches of 2 and 3
  hearth run config/scenarios/seed.events 0 0                        without caches
  hearth run config/scenarios/crash.events 1 1 --crash 1@event:3     kill gateway 1 after event 3
  hearth run config/scenarios/seed.events 2 2 --crash 1@3s --pace 500ms
  hearth run config/scenarios/large.events --gateways 3 --report report.json
  hearth run config/scenarios/six.events --config config/six-gateways.toml

With k sizes there are k serving gateways. With one or two, standby gateways are added, so that
three vote and one may fail.

It exits with 1 when an event failed, the databases differ, or a crash never came.";

/// A majority of this many survives one failure.
const FEWEST_VOTERS: u8 = 3;

/// The most gateways that may vote.
const MOST_VOTERS: usize = 7;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// The events; config/scenarios/seed.events explains itself
    pub(crate) file: PathBuf,
    /// Size of the cache of gateway 1, of gateway 2, and so on; 0 for no cache
    #[arg(value_name = "CACHE")]
    sizes: Vec<usize>,
    /// Serving gateways [default: as many as sizes]
    #[arg(long, value_name = "N")]
    gateways: Option<u8>,
    /// Kill a gateway: 1@3s after START, or 1@event:7 after event 7
    #[arg(long, value_name = "WHEN")]
    crash: Vec<Crash>,
    /// Wait so long between two events, such as 500ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pace: Option<Duration>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep the databases here [default: a new folder, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

/// Everything that a run needs, checked.
#[derive(Debug)]
pub(crate) struct Performance {
    /// The event file's name, for errors.
    pub(crate) name: String,
    pub(crate) script: Script,
    pub(crate) things: Things,
    pub(crate) blueprint: Blueprint,
    pub(crate) crashes: Vec<Crash>,
    pub(crate) pace: Option<Duration>,
    pub(crate) report: Option<PathBuf>,
    /// Removed with this value.
    _folder: Option<TempDir>,
}

impl RunArgs {
    /// Two gateways with a cache of one device each, and a crash.
    pub(crate) fn demonstration(crash: Crash) -> Self {
        Self {
            file: "config/scenarios/crash.events".into(),
            sizes: vec![1, 1],
            gateways: None,
            crash: vec![crash],
            pace: None,
            report: None,
            data_dir: None,
        }
    }

    /// Checks everything before anything is started.
    pub(crate) fn performance(self, globals: &Globals, text: &str) -> Outcome<Performance> {
        let name = self.file.display().to_string();
        let script = events::parse(&name, text).map_err(Failure::usage)?;
        let folder = match self.data_dir {
            Some(_) => None,
            None => Some(TempDir::with_prefix("hearth-run-")?),
        };
        let data_dir = self.data_dir.as_deref().or(folder.as_ref().map(TempDir::path));
        let blueprint = self.blueprint(globals, data_dir.unwrap_or(Path::new(".")))?;
        let things = Things::of(&blueprint.settings).map_err(Failure::usage)?;
        for step in &script.steps {
            for kind in step.event.kinds() {
                things.place(kind).map_err(|why| {
                    Failure::usage(format!("{name}:{}: {}: {why}", step.line, step.text))
                })?;
            }
        }
        let voters: BTreeSet<u8> = blueprint.settings.gateway.voters.iter().copied().collect();
        let crashes = check_crashes(self.crash, &voters, script.steps.len())?;
        let (pace, report) = (self.pace, self.report);
        Ok(Performance { name, script, things, blueprint, crashes, pace, report, _folder: folder })
    }

    fn blueprint(&self, globals: &Globals, data_dir: &Path) -> Outcome<Blueprint> {
        let mut flags = vec![
            flag("--data-dir", "broker.data_dir", Some(data_dir.display())),
            flag("--data-dir", "gateway.data_dir", Some(data_dir.display())),
            flag("hearth run", "gateway.door_closes_after_ms", Some(0)),
        ];
        if let Some(serving) = self.serving_from_arguments(globals)? {
            let voters: Vec<u8> = (1..=serving.max(FEWEST_VOTERS)).collect();
            let serving: Vec<u8> = (1..=serving).collect();
            flags.push(flag("hearth run", "gateway.voters", Some(names::list(&voters))));
            flags.push(flag("hearth run", "gateway.serving", Some(names::list(&serving))));
        }
        let settings = globals.settings(flags.into_iter().flatten().collect())?;
        let serving = &settings.gateway.serving;
        if !self.sizes.is_empty() && self.sizes.len() != serving.len() {
            return Err(usage(&self.file, serving.len(), "Illegal number of cache sizes"));
        }
        let caches: BTreeMap<u8, usize> =
            serving.iter().copied().zip(self.sizes.iter().copied()).collect();
        let mut blueprint = Blueprint::new(globals, settings);
        (blueprint.caches, blueprint.story) = (caches, true);
        Ok(blueprint)
    }

    /// How many gateways serve; none when the settings of a file say it.
    fn serving_from_arguments(&self, globals: &Globals) -> Outcome<Option<u8>> {
        let sizes = self.sizes.len();
        if globals.config.is_some() && self.gateways.is_none() {
            return Ok(None);
        }
        let wanted = self.gateways.map_or(sizes, usize::from);
        if sizes > 0 && sizes != wanted {
            return Err(usage(&self.file, wanted, "Illegal number of cache sizes"));
        }
        if sizes == 0 && self.gateways.is_none() {
            return Err(usage(&self.file, 2, "Illegal number of parameters"));
        }
        if !(1..=MOST_VOTERS).contains(&wanted) {
            return Err(usage(&self.file, 2, "There can be 1 to 7 gateways"));
        }
        Ok(u8::try_from(wanted).ok())
    }
}

fn usage(file: &Path, gateways: usize, what: &str) -> Failure {
    let sizes: Vec<String> = (1..=gateways).map(|number| format!("CACHE{number}")).collect();
    Failure::usage(format!("{what}.\nUSAGE: hearth run {} {}", file.display(), sizes.join(" ")))
}

fn check_crashes(crashes: Vec<Crash>, voters: &BTreeSet<u8>, events: usize) -> Outcome<Vec<Crash>> {
    for crash in &crashes {
        if !voters.contains(&crash.gateway) {
            let text = format!("--crash {crash}: there is no gateway {}", crash.gateway);
            return Err(Failure::usage(text));
        }
        if matches!(crash.when, When::Event(number) if number > events) {
            let text = format!("--crash {crash}: the scenario has only {events} events");
            return Err(Failure::usage(text));
        }
    }
    Ok(crashes)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    const SMALL: &str = "START\nUSER:BULB ON\nSTOP\n";

    fn prepare(arguments: &str) -> Result<Performance, String> {
        let arguments =
            ["hearth", "run", "x.events"].into_iter().chain(arguments.split_whitespace());
        let cli = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?;
        let Some(Command::Run(args)) = cli.command else { panic!("it is a run") };
        args.performance(&cli.globals, SMALL).map_err(|failure| failure.to_string())
    }

    fn voters(arguments: &str) -> (Vec<u8>, Vec<u8>) {
        let gateway = prepare(arguments).expect("valid").blueprint.settings.gateway;
        (gateway.serving, gateway.voters)
    }

    #[test]
    fn sizes_make_serving_gateways_and_standbys_make_three_voters() {
        assert_eq!(voters("5"), (vec![1], vec![1, 2, 3]));
        assert_eq!(voters("2 3"), (vec![1, 2], vec![1, 2, 3]));
        assert_eq!(voters("1 1 1 1"), (vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
        assert_eq!(voters("--gateways 2"), (vec![1, 2], vec![1, 2, 3]));
        let caches = prepare("2 3").expect("valid").blueprint.caches;
        assert_eq!(caches, BTreeMap::from([(1, 2), (2, 3)]));
    }

    #[test]
    fn a_wrong_number_of_sizes_gives_the_usage() {
        let error = |arguments| prepare(arguments).expect_err("refused");
        assert!(error("").contains("USAGE: hearth run x.events CACHE1 CACHE2"));
        assert!(error("1 2 3 --gateways 2").contains("USAGE: hearth run x.events CACHE1 CACHE2"));
        assert!(error("1 1 1 1 1 1 1 1").contains("1 to 7"));
        assert!(error("1 x").contains("'x'"));
    }

    #[test]
    fn a_crash_needs_its_gateway_and_its_event() {
        assert!(prepare("1 1 --crash 3@event:1").is_ok());
        assert!(prepare("1 1 --crash 4@event:1").expect_err("refused").contains("no gateway 4"));
        assert!(prepare("1 1 --crash 1@event:2").expect_err("refused").contains("only 1 events"));
    }

    #[test]
    fn the_six_gateways_come_from_their_file() {
        let file = concat!("--config ", env!("CARGO_MANIFEST_DIR"), "/config/six-gateways.toml");
        let (serving, voters) = voters(file);
        assert_eq!((serving.len(), voters.len()), (3, 6));
        let error = prepare(&format!("1 1 {file}")).expect_err("refused");
        assert!(error.contains("CACHE1 CACHE2 CACHE3"), "{error}");
    }

    #[test]
    fn an_event_needs_its_device() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/six-gateways.toml");
        let cli = Cli::try_parse_from(["hearth", "run", "x.events", "--config", file]);
        let cli = cli.expect("valid");
        let Some(Command::Run(args)) = cli.command else { panic!("it is a run") };
        let outcome = args.performance(&cli.globals, "START\nUSER:DOOR OPEN\nSTOP\n");
        let error = outcome.expect_err("refused").to_string();
        assert!(error.starts_with("x.events:2: DOOR OPEN: the settings have no door"), "{error}");
    }
}
