//! From the loss of a zone's owner to the first answer of the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use devices::relay::Relay;
use link::Retry;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use wire::{ApiVerb, ZoneVerb};

use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::home::{Blueprint, Home};
use crate::names::Place;
use crate::output::{self, out};
use crate::run::Story;

const EXAMPLES: &str = "\
Examples:
  hearth bench failover
  hearth bench failover --how stop --trials 5     the owner stands still instead of dying
  hearth bench failover --how cut --json          its network is cut";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FailoverArgs {
    /// How often
    #[arg(long, default_value_t = 20)]
    trials: usize,
    /// What happens to the owner
    #[arg(long, value_enum, default_value_t = How::Kill)]
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// SIGKILL: the system closes its connections
    Kill,
    /// SIGSTOP: its connections stay open and silent
    Stop,
    /// Its network goes silent
    Cut,
}

/// A query goes out this often, so this is the measurement's grain.
const EVERY: Duration = Duration::from_millis(5);

/// After this a trial has failed.
const TOO_LONG: Duration = Duration::from_secs(30);

/// How long a gateway that came back may take to own a zone again; after that the next trial takes
/// whoever owns the zone then.
const OWNS_AGAIN: Duration = Duration::from_secs(15);

pub(super) async fn failover(
    globals: &Globals,
    args: FailoverArgs,
    blueprint: Blueprint,
    story: &Story,
) -> Outcome {
    let device = blueprint.settings.devices.first().cloned();
    let device = device.ok_or_else(|| Failure::usage("the settings have no device to ask"))?;
    let place: Place =
        format!("{}/{}", device.zone, device.name).parse().map_err(Failure::usage)?;
    let (home, client) = Home::start(blueprint, story.lines()).await?;
    let mut bench = Bench { home, client, place, how: args.how, relays: BTreeMap::new() };
    bench.home.start_device(&bench.client, &device).await?;
    if args.how == How::Cut {
        bench.put_relays_between().await?;
    }
    let mut times = Vec::new();
    for trial in 1..=args.trials {
        let (victim, heir, time) = bench.trial().await?;
        if !globals.json {
            let (of, millis) = (args.trials, time.as_secs_f64() * 1000.0);
            out!("trial {trial} of {of}: {millis:.1} ms, gateway {victim} to gateway {heir}");
        }
        times.push(time);
        bench.heal(victim).await?;
    }
    print(globals, args.how, &times);
    let Bench { home, client, .. } = bench;
    client.close().await;
    home.stop().await;
    Ok(())
}

struct Bench {
    home: Home,
    client: Client,
    place: Place,
    how: How,
    relays: BTreeMap<u8, Relay>,
}

impl Bench {
    /// Starts every gateway again behind a relay of its own.
    async fn put_relays_between(&mut self) -> Outcome {
        let broker = self.home.blueprint.settings.client.broker.clone();
        for id in self.home.living() {
            let relay = Relay::start(Some(broker.place())).await?;
            let url = format!("mqtt://{}", relay.address());
            self.home.crash(id).await?;
            self.home.start_gateway_as(id, |plan| plan.variable("HEARTH_CLIENT__BROKER", url))?;
            self.home.wait_for_gateway(&self.client, id).await?;
            self.relays.insert(id, relay);
        }
        Ok(())
    }

    /// Takes the owner away and waits for the next one's answer.
    async fn trial(&mut self) -> Outcome<(u8, u8, Duration)> {
        let patience = self.client.patience();
        let answer = self.client.device(&self.place, ZoneVerb::Get, json!({}), patience).await?;
        let victim = owner(answer.get("owner"))?;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut queries = JoinSet::new();
        let topic = format!(
            "{}/{}/{}/{}",
            self.home.blueprint.settings.site,
            self.place.zone,
            self.place.device,
            ZoneVerb::Get
        );
        self.take_away(victim).await?;
        let began = Instant::now();
        while began.elapsed() < TOO_LONG {
            tokio::select! {
                _ = ticks.tick() => {
                    let (requester, topic) = (self.client.requester().clone(), topic.clone());
                    queries.spawn(async move {
                        // Asked once: the next query follows in a moment anyway.
                        let once = Retry { every: TOO_LONG, within: TOO_LONG };
                        let answer = requester.request(&topic, "", once).await;
                        (answer, Instant::now())
                    });
                }
                Some(Ok((Ok(answer), at))) = queries.join_next(), if !queries.is_empty() => {
                    let answer: Json = serde_json::from_slice(&answer.payload)?;
                    // What the victim answered before it was gone does not count.
                    if let Ok(heir) = owner(&answer["owner"]) && heir != victim {
                        return Ok((victim, heir, at.duration_since(began)));
                    }
                }
            }
        }
        let text = format!("nobody took over from gateway {victim} within {TOO_LONG:?}");
        Err(Failure::no_answer(text))
    }

    async fn take_away(&mut self, victim: u8) -> Outcome {
        match self.how {
            How::Kill => self.home.crash(victim).await,
            How::Stop => self.home.gateway(victim)?.pause(),
            How::Cut => {
                self.relay(victim)?.cut_both();
                Ok(())
            }
        }
    }

    /// Brings the victim back and waits until it owns a zone again.
    async fn heal(&mut self, victim: u8) -> Outcome {
        match self.how {
            How::Kill => self.home.start_gateway(victim)?,
            How::Stop => self.home.gateway(victim)?.resume()?,
            How::Cut => self.relay(victim)?.heal(),
        }
        self.home.wait_for_gateway(&self.client, victim).await?;
        let give_up = Instant::now() + OWNS_AGAIN;
        while Instant::now() < give_up {
            let zones = self.client.api(ApiVerb::Zones, json!({})).await?;
            let mut zones = zones.get("zones").as_array().into_iter().flatten();
            if zones.any(|zone| zone["owner"] == victim) {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    fn relay(&self, id: u8) -> Outcome<&Relay> {
        self.relays.get(&id).ok_or_else(|| Failure::failed(format!("gateway {id} has no relay")))
    }
}

fn owner(json: &Json) -> Outcome<u8> {
    let owner = json.as_u64().and_then(|id| u8::try_from(id).ok());
    owner.ok_or_else(|| Failure::failed("an answer did not say which gateway gave it"))
}

fn print(globals: &Globals, how: How, times: &[Duration]) {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    sorted.sort_by(f64::total_cmp);
    let (min, median, max) = spread(&sorted);
    if globals.json {
        let how = format!("{how:?}").to_lowercase();
        output::json(&json!({
            "how": how, "trials_ms": sorted, "min_ms": min, "median_ms": median, "max_ms": max
        }));
    } else {
        out!("min {min:.1} ms, median {median:.1} ms, max {max:.1} ms");
    }
}

/// The least, the middle and the greatest of sorted numbers.
fn spread(sorted: &[f64]) -> (f64, f64, f64) {
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let last = sorted.len().saturating_sub(1);
    (at(0), f64::midpoint(at(last / 2), at(sorted.len() / 2)), at(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(spread(&[1.0, 2.0, 9.0]), (1.0, 2.0, 9.0));
        assert_eq!(spread(&[1.0, 2.0, 4.0, 9.0]), (1.0, 3.0, 9.0));
        assert_eq!(spread(&[5.0]), (5.0, 5.0, 5.0));
        assert_eq!(spread(&[]), (0.0, 0.0, 0.0));
    }
}
