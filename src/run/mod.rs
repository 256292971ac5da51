//! `hearth run FILE`: plays a scenario on a home of its own and reports.

mod args;
mod crash;
mod databases;
mod events;
mod player;
mod report;
mod story;
mod things;

pub(crate) use args::RunArgs;
pub(crate) use events::{Act, act};
pub(crate) use story::Story;
pub(crate) use things::Things;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::time::sleep;
use wire::{Answer, ApiVerb, GatewayVerb, Kind};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::home::Home;
use crate::output;
use crate::stop;
use args::Performance;
use crash::{Crash, When};
use databases::Databases;
use player::Player;
use report::{Counts, FileReport, GatewayReport, Registered, Report};

pub(crate) async fn run(globals: &Globals, args: RunArgs) -> Outcome {
    let text = std::fs::read_to_string(&args.file).map_err(|error| {
        Failure::usage(format!("cannot read the events in {}: {error}", args.file.display()))
    })?;
    perform(globals, args.performance(globals, &text)?).await
}

/// What `hearth` does when nothing is asked for.
pub(crate) async fn default_scenario(globals: &Globals) -> Outcome {
    let text = include_str!("../../config/scenarios/crash.events");
    let crash = Crash { gateway: 1, when: When::Event(3) };
    perform(globals, RunArgs::demonstration(crash).performance(globals, text)?).await
}

/// Plays until the end, Ctrl-C or SIGTERM; either way no process is left behind.
async fn perform(globals: &Globals, performance: Performance) -> Outcome {
    let story = Story::new(globals.json);
    let report = tokio::select! {
        report = play(&performance, &story) => report?,
        () = stop::requested(globals) => return Err(Failure::failed("stopped before the end")),
    };
    story.say(report.text()).await;
    story.end().await;
    if globals.json {
        output::json(&report.json());
    }
    if let Some(path) = &performance.report {
        write_report(path, &report.json())?;
    }
    match report.is_good() {
        true => Ok(()),
        false => Err(Failure::failed("the run did not go as it should; see the end of its report")),
    }
}

async fn play(performance: &Performance, story: &Story) -> Outcome<Report> {
    story.say("Starting and registering All the Devices and Sensors with the Gateway.").await;
    story.say("Waiting...").await;
    let (mut home, client) = Home::start(performance.blueprint.clone(), story.lines()).await?;
    // With the address of the broker that was started.
    let blueprint = &home.blueprint.clone();
    let mut player = Player::new(&client, blueprint, &performance.things, story)?;
    for device in &blueprint.settings.devices {
        let found = home.start_device(&client, device).await?;
        let (name, owner, node) = (&device.name, &found["owner"], &found["node"]);
        let line = format!("Registering {name} with gateway {owner} with node ID {node}");
        story.say(line).await;
        if let (Ok(kind), Some(owner)) = (device.kind.parse::<Kind>(), owner.as_u64()) {
            player.owned(kind, owner as u8);
        }
    }
    let registered = tables(&client).await?;
    for id in &blueprint.settings.gateway.voters {
        story.say(report::tables(*id, &of(&registered, *id))).await;
    }
    story.say("Started parsing the Event log, GATEWAY.").await;
    let mut stage = Stage { performance, story, home: &mut home, failures: vec![], failed: 0 };
    let began = Instant::now();
    stage.play_all(&mut player).await?;
    let time = began.elapsed();
    story.say("-----\nReached end of log file. Finished Parsing.\n-----").await;
    let (failures, failed_events) = (stage.failures, stage.failed);
    let gateways = Ending { client: &client, home: &home, player: &player, registered };
    let (gateways, differences) = gateways.report().await?;
    let events = performance.script.steps.len();
    let longest = player.longest;
    client.close().await;
    home.stop().await;
    Ok(Report { events, failures, failed_events, time, longest, differences, gateways })
}

/// Where the events are played.
struct Stage<'a> {
    performance: &'a Performance,
    story: &'a Story,
    home: &'a mut Home,
    failures: Vec<String>,
    failed: usize,
}

impl Stage<'_> {
    async fn play_all(&mut self, player: &mut Player<'_>) -> Outcome {
        let began = Instant::now();
        let mut crashes = self.performance.crashes.clone();
        for (at, step) in self.performance.script.steps.iter().enumerate() {
            let number = at + 1;
            let play = async {
                if let Some(pace) = self.performance.pace.filter(|_| at > 0) {
                    sleep(pace).await;
                }
                player.play(number, step).await
            };
            tokio::pin!(play);
            let outcome = loop {
                let next = take_timed(&mut crashes);
                tokio::select! {
                    outcome = &mut play => {
                        crashes.extend(next);
                        break outcome;
                    }
                    () = wait_for(next, began) => {
                        if let Some(crash) = next {
                            crash_gateway(self.home, self.story, crash).await?;
                        }
                    }
                }
            };
            if let Err(error) = outcome {
                let text = format!("{}:{}: {error}", self.performance.name, step.line);
                self.story.say(format!("FAILED: {text}")).await;
                self.failures.push(text);
                self.failed += 1;
            }
            let due = |crash: &Crash| crash.when == When::Event(number);
            for crash in crashes.extract_if(.., |crash| due(crash)).collect::<Vec<_>>() {
                crash_gateway(self.home, self.story, crash).await?;
            }
        }
        let took = began.elapsed().as_secs_f64();
        self.failures.extend(crashes.iter().map(|crash| {
            format!("the crash {crash} never came: the scenario was over after {took:.1} s; --pace makes it slower")
        }));
        Ok(())
    }
}

/// The crash that comes next by the clock.
fn take_timed(crashes: &mut Vec<Crash>) -> Option<Crash> {
    let time = |crash: &Crash| match crash.when {
        When::After(time) => Some(time),
        When::Event(_) => None,
    };
    let next =
        crashes.iter().enumerate().filter_map(|(at, crash)| Some((time(crash)?, at))).min()?;
    Some(crashes.remove(next.1))
}

async fn wait_for(crash: Option<Crash>, began: Instant) {
    match crash.map(|crash| crash.when) {
        Some(When::After(time)) => sleep(time.saturating_sub(began.elapsed())).await,
        Some(When::Event(_)) | None => std::future::pending().await,
    }
}

async fn crash_gateway(home: &mut Home, story: &Story, crash: Crash) -> Outcome {
    home.crash(crash.gateway).await?;
    story.say(format!("***** GATEWAY-{} is killed (SIGKILL) *****", crash.gateway)).await;
    Ok(())
}

/// What is looked at when the events are over.
struct Ending<'a> {
    client: &'a Client,
    home: &'a Home,
    player: &'a Player<'a>,
    registered: Answer,
}

impl Ending<'_> {
    async fn report(&self) -> Outcome<(Vec<GatewayReport>, Vec<String>)> {
        let settings = &self.home.blueprint.settings.gateway;
        let living = self.home.living();
        let dead: Vec<u8> =
            settings.voters.iter().copied().filter(|id| !living.contains(id)).collect();
        let devices = tables(self.client).await?;
        let Databases { files, differences } =
            databases::compare(&settings.data_dir, &living, &dead).await;
        let mut gateways = Vec::new();
        for (id, file) in files {
            let alive = living.contains(&id);
            let (counts, time) = if alive { self.asked(id).await? } else { self.seen(id) };
            let file = file.map(|replica| FileReport {
                applied: replica.applied,
                changes: replica.history.len(),
                hash: replica.hash(),
            });
            gateways.push(GatewayReport {
                id,
                serves: settings.serving.contains(&id),
                alive,
                registered: of(&self.registered, id),
                devices: of(&devices, id),
                counts,
                time,
                file,
            });
        }
        Ok((gateways, differences))
    }

    /// What a living gateway says of itself.
    async fn asked(&self, id: u8) -> Outcome<(Counts, Duration)> {
        let patience = self.client.patience();
        let stats = self.client.gateway(id, GatewayVerb::Stats, json!({}), patience).await?;
        let cache = |name: &str| stats.get("cache")[name].as_u64().unwrap_or(0);
        let counts = Counts {
            hits: cache("hits"),
            misses: cache("misses"),
            cold_misses: cache("cold_misses"),
        };
        let seconds = stats.get("seconds").as_f64().unwrap_or(0.0);
        Ok((counts, Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }

    /// What the answers of a killed gateway said.
    fn seen(&self, id: u8) -> (Counts, Duration) {
        let counts = self.player.counts.get(&id).copied().unwrap_or_default();
        let lived = self.home.gateways.get(&id).and_then(|gateway| gateway.lived);
        (counts, lived.unwrap_or_default())
    }
}

async fn tables(client: &Client) -> Outcome<Answer> {
    client.api(ApiVerb::Devices, json!({})).await
}

/// The devices that `id` owns.
fn of(devices: &Answer, id: u8) -> Vec<Registered> {
    let all = devices.get("devices").as_array().into_iter().flatten();
    let text = |device: &Json, name: &str| device[name].as_str().unwrap_or_default().to_owned();
    all.filter(|device| device["owner"] == id)
        .map(|device| Registered {
            name: text(device, "name"),
            node: device["node"].as_u64().unwrap_or(0),
            class: text(device, "class"),
        })
        .collect()
}

fn write_report(path: &PathBuf, report: &Json) -> Outcome {
    std::fs::write(path, format!("{report:#}\n"))
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}
