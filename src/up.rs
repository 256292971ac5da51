//! `hearth up`: keeps a home running.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use hearth_config::{Address, Settings};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use wire::GatewayVerb;

use crate::broker::residents::{self, Residents};
use crate::children::{Line, Plan};
use crate::cli::{Globals, flag};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::home::Blueprint;
use crate::run::Story;
use crate::{stop, trouble};

const EXAMPLES: &str = "\
Examples:
  hearth up                                 broker and three gateways on this machine
  hearth up --devices                       and five simulated devices
  hearth up --bind 0.0.0.0:1883 --data-dir /var/lib/hearth
  hearth up --config my.toml --story

The home's state is kept in the data folder. A process that dies is started again.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArgs {
    /// Start the simulated devices of the settings too
    #[arg(long)]
    devices: bool,
    /// How often the simulated thermometer reports, such as 5s
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    interval: Duration,
    /// Address and port of the broker [default: 127.0.0.1:1883]
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// Folder of the broker's and the gateways' files [default: hearth-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Let gateways keep their votes although their files were moved, copied or put back: the files are the newest
    /// ones, and used nowhere else
    #[arg(long)]
    trust_file: bool,
    /// Tell what happens, line by line
    #[arg(long)]
    story: bool,
}

/// The pause before a process that died is started again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A process that lived so long was well; the next pause is short again.
const WELL: Duration = Duration::from_secs(60);

pub(crate) async fn up(globals: &Globals, args: UpArgs) -> Outcome {
    let data_dir = || args.data_dir.as_ref().map(|path| path.display());
    let flags = [
        flag("--bind", "broker.bind", args.bind.as_ref()),
        flag("--data-dir", "broker.data_dir", data_dir()),
        flag("--data-dir", "gateway.data_dir", data_dir()),
        flag("--trust-file", "gateway.trust_file", args.trust_file.then_some(true)),
    ];
    let stopped = stop::requested(globals);
    let mut settings = globals.settings(flags.into_iter().flatten().collect())?;
    let bind = settings.broker.bind.clone();
    settings.client.broker = here(&bind)?;
    free(&bind).await?;
    // Known to our own processes only, for the case that there are users.
    let mut residents = Residents::new()?;
    log_in(&mut settings.client.broker, residents.add("hearth-up".to_owned(), "admin"));
    let mut blueprint = Blueprint::new(globals, settings);
    blueprint.story = args.story;
    let story = Story::new(false);
    let mut broker = Crew::new(story.lines());
    let mut others = Crew::new(story.lines());
    let plans = plans(&blueprint, &mut residents, &args);
    broker.keep(blueprint.broker(&bind).variable(residents::VARIABLE, residents.told()));
    plans.into_iter().for_each(|plan| others.keep(plan));
    let outcome = tokio::select! {
        outcome = serve(&blueprint.settings, &story) => outcome,
        () = stopped => Ok(()),
    };
    // The broker last, so that the others can say goodbye.
    others.stop().await;
    broker.stop().await;
    story.end().await;
    outcome
}

fn plans(blueprint: &Blueprint, residents: &mut Residents, args: &UpArgs) -> Vec<Plan> {
    let settings = &blueprint.settings;
    let mut as_user = |plan: Plan, name: String, role| {
        let mut broker = settings.client.broker.clone();
        log_in(&mut broker, residents.add(name, role));
        plan.variable("HEARTH_CLIENT__BROKER", broker.with_password())
    };
    let mut plans = Vec::new();
    for id in &settings.gateway.voters {
        plans.push(as_user(blueprint.gateway(*id), format!("hearth-gateway-{id}"), "gateway"));
    }
    if args.devices {
        plans.extend(settings.devices.iter().map(|device| {
            let thermometer = device.kind == "temperature";
            let plan = blueprint.device(device, thermometer.then_some(args.interval));
            as_user(plan, format!("{}/{}", device.zone, device.name), "simulated")
        }));
    }
    plans
}

fn log_in(broker: &mut Address, (name, password): (String, String)) {
    (broker.user, broker.password) = (Some(name), Some(password));
}

/// Says when the home answers, and then only waits.
async fn serve(settings: &Settings, story: &Story) -> Outcome {
    let client = loop {
        match Client::connect(settings).await {
            Ok(client) => break client,
            Err(_) => sleep(FIRST_PAUSE).await,
        }
    };
    for id in &settings.gateway.voters {
        while client.gateway(*id, GatewayVerb::Stats, json!({}), client.patience()).await.is_err() {
            story.say(format!("hearth | gateway {id} does not answer yet")).await;
        }
    }
    let mut greeted = false;
    loop {
        tokio::select! {
            words = trouble::nobody_leads(&client, settings) => {
                story.say(format!("hearth | {}", trouble::text(&words))).await;
                trouble::somebody_leads(&client, settings).await;
            }
            () = trouble::somebody_leads(&client, settings), if !greeted => {}
        }
        if !greeted {
            story.say(welcome(settings)).await;
        }
        greeted = true;
    }
}

fn welcome(settings: &Settings) -> String {
    let Settings { site, client, gateway, .. } = settings;
    let (host, port) = (&client.broker.host, client.broker.port);
    // A file that is made later is not foreseen here, but its users know what they did.
    let users = settings.broker.users.as_ref().is_some_and(|file| file.exists());
    let login = if users { " -u NAME -P PASSWORD" } else { "" };
    let (place, client) = (client.broker.place(), format!("-h {host} -p {port}{login}"));
    let (voters, data) = (gateway.voters.len(), gateway.data_dir.display());
    let broker = if port == 1883 { String::new() } else { format!(" --broker mqtt://{place}") };
    format!(
        "
The home \"{site}\" is up: a broker on {place}, {voters} gateways, data in {data}.

Watch it:             mosquitto_sub {client} -v -t '{site}/+/+/state'
Be a device:          mosquitto_pub {client} -q 1 -t {site}/kitchen/lamp/report -m ON
Ask for a state:      mosquitto_rr {client} -t {site}/kitchen/lamp/get -e reply/$$ -m ''
Give an order:        mosquitto_rr {client} -t {site}/kitchen/lamp/set -e reply/$$ -m OFF
See all at a glance:  hearth{broker} status

Ctrl-C stops it.
"
    )
}

/// The broker's address for processes on this machine.
fn here(bind: &str) -> Outcome<Address> {
    if bind.is_empty() {
        let why = "hearth's own processes speak no TLS yet, so `hearth up` needs broker.bind; 127.0.0.1:1883 lets only this machine in";
        return Err(Failure::usage(why.to_owned()));
    }
    let local = bind.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let what = || Failure::usage(format!("--bind {bind}: give a port from 1 to 65535"));
    local.parse().map_err(|_| what())
}

/// Whether the broker will get its port. On a port that is taken everyone else would join whoever
/// listens there, and that may be another home.
async fn free(bind: &str) -> Outcome {
    let found = TcpListener::bind(bind).await;
    let why = |error| {
        Failure::failed(format!(
            "the broker cannot listen on {bind}: {error}; is a home running there already? Stop \
             it, or choose another --bind"
        ))
    };
    found.map(drop).map_err(why)
}

/// Processes that are started again when they die.
struct Crew {
    keepers: JoinSet<()>,
    lines: mpsc::Sender<Line>,
    stop: watch::Sender<bool>,
}

impl Crew {
    fn new(lines: &mpsc::Sender<Line>) -> Self {
        Self { keepers: JoinSet::new(), lines: lines.clone(), stop: watch::channel(false).0 }
    }

    fn keep(&mut self, plan: Plan) {
        self.keepers.spawn(keep(plan, self.lines.clone(), self.stop.subscribe()));
    }

    async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.keepers.join_next().await.is_some() {}
    }
}

async fn keep(plan: Plan, lines: mpsc::Sender<Line>, mut stop: watch::Receiver<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let ended = match plan.start(&lines) {
            Err(failure) => failure.to_string(),
            Ok(mut child) => tokio::select! {
                ended = child.ended() => match ended {
                    Ok(status) => status.to_string(),
                    Err(failure) => failure.to_string(),
                },
                () = asked(&mut stop) => return child.stop().await,
            },
        };
        if began.elapsed() >= WELL {
            pause = FIRST_PAUSE;
        }
        let seconds = pause.as_secs_f32();
        let text = format!("{} ended ({ended}); it is started again in {seconds} s", plan.name);
        let _ = lines.send(Line { from: "hearth".to_owned(), text, error: true }).await;
        tokio::select! {
            () = sleep(pause) => {}
            () = asked(&mut stop) => return,
        }
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

async fn asked(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could ask, which is the end as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_everyone_is_reached_from_here() {
        let here = |bind: &str| here(bind).map(|url| url.to_string()).ok();
        assert_eq!(here("0.0.0.0:1884").as_deref(), Some("mqtt://127.0.0.1:1884"));
        assert_eq!(here("10.0.0.5:1883").as_deref(), Some("mqtt://10.0.0.5:1883"));
        assert_eq!(here("[::]:1883").as_deref(), Some("mqtt://[::1]:1883"));
        assert_eq!(here("127.0.0.1:0"), None);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_no_place_for_a_home() {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let bind = taken.local_addr().expect("an address").to_string();
        let why = free(&bind).await.expect_err("taken").to_string();
        assert!(why.contains(&bind) && why.contains("--bind"), "{why}");
        drop(taken);
        assert!(free(&bind).await.is_ok());
    }
}
