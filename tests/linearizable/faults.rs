//! What is done to the home, drawn from a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use devices::relay::Direction;
use hearth_random::Random;
use link::{Requester, Retry};
use serde_json::Value as Json;

use crate::clients::{Clients, DEVICES};
use crate::files::{keep_a_copy, put_back, until_it_votes, vote};
use crate::flood::flood;
use crate::home::{GATEWAYS, Home};

/// What happens, and for how many milliseconds.
#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: Kind,
    /// None for the broker.
    gateway: u8,
    milliseconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// kill -9 of a gateway, and a new start.
    Kill,
    /// SIGSTOP and SIGCONT.
    Pause,
    /// kill -9 of the broker, and a new start.
    Broker,
    /// The gateway's network is cut.
    Cut,
    /// It is cut one way only.
    Mute,
    Deaf,
    /// Its connections break, and new ones are refused.
    Refuse,
    /// Its file is put back by a copy: it has no vote any more, and gets one again.
    PutBack,
    /// The gateway's vote is taken away, and given back.
    Voters,
    /// Reports at QoS 0 of a device in one of the zones, faster than they can be agreed.
    Flood,
}

const KINDS: [Kind; 10] = [
    Kind::Pause,
    Kind::Kill,
    Kind::Cut,
    Kind::Broker,
    Kind::Refuse,
    Kind::Mute,
    Kind::Deaf,
    Kind::PutBack,
    Kind::Voters,
    Kind::Flood,
];

/// How many operations of every device prove that the home works again.
const PROGRESS: u64 = 10;

/// What was done, by kind.
#[derive(Default)]
pub(crate) struct Done(BTreeMap<Kind, u64>);

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> =
            self.0.iter().map(|(kind, times)| format!("{kind:?} {times}")).collect();
        write!(f, "{}", words.join(", "))
    }
}

pub(crate) struct Faults<'a> {
    home: &'a Home,
    clients: &'a Clients,
    random: Random,
    /// The longest that a fault lasts: a short run has no time for long ones.
    longest: u64,
    done: Done,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(home: &'a Home, clients: &'a Clients, seed: u64, seconds: u64) -> Self {
        let longest = (seconds * 1000 / 10).clamp(1_000, 12_000);
        Self { home, clients, random: Random::new(seed), longest, done: Done::default() }
    }

    /// Does one thing after another until `end`, each kind at least once, and leaves a home that
    /// works.
    pub(crate) async fn run(mut self, end: Instant) -> Done {
        let asking = self.home.requester("linear-faults").await;
        self.clients.progress(PROGRESS).await;
        for round in 0.. {
            if Instant::now() >= end && round >= KINDS.len() {
                break;
            }
            let kind = KINDS.get(round).copied().unwrap_or_else(|| self.random.pick(&KINDS));
            let first = self.draw(kind, &asking).await;
            let second = self.second(&first);
            self.tell(&first, second.as_ref());
            let later = Duration::from_millis(self.random.less_than(400));
            tokio::join!(self.strike(first, &asking), async {
                let Some(second) = second else { return };
                tokio::time::sleep(later).await;
                self.strike(second, &asking).await;
            });
            if [Some(first), second].iter().flatten().any(|fault| fault.kind == Kind::PutBack) {
                // Of two that have forgotten what they promised nobody could tell what was agreed.
                for id in GATEWAYS {
                    until_it_votes(&asking, id).await;
                }
            }
            // Now and then the next one comes before the home has got over this one.
            if self.random.less_than(3) > 0 {
                self.clients.progress(PROGRESS).await;
            }
        }
        self.clients.progress(PROGRESS).await;
        asking.close().await;
        self.done
    }

    async fn draw(&mut self, kind: Kind, asking: &Requester) -> Fault {
        let gateway = match self.random.less_than(3) {
            0 => leader(asking).await,
            1 => owner(asking, self.random.pick(&DEVICES)).await,
            _ => None,
        };
        let any = self.random.pick(&GATEWAYS);
        let milliseconds = self.random.spread(100, self.longest);
        Fault { kind, gateway: gateway.unwrap_or(any), milliseconds }
    }

    /// Sometimes a second one at nearly the same time: two processes, or one process and its
    /// network, such as a gateway that stops while it connects again.
    fn second(&mut self, first: &Fault) -> Option<Fault> {
        if self.random.less_than(3) > 0 {
            return None;
        }
        let (kind, gateway) = (self.random.pick(&KINDS), self.random.pick(&GATEWAYS));
        let milliseconds = self.random.spread(100, self.longest);
        let same = touches(kind) == touches(first.kind)
            && (gateway == first.gateway
                || matches!(kind, Kind::Broker | Kind::Voters | Kind::Flood));
        let same = same || changes_voters(kind) && changes_voters(first.kind);
        (!same).then_some(Fault { kind, gateway, milliseconds })
    }

    fn tell(&mut self, first: &Fault, second: Option<&Fault>) {
        for fault in [Some(first), second].into_iter().flatten() {
            *self.done.0.entry(fault.kind).or_default() += 1;
            let Fault { kind, gateway, milliseconds } = fault;
            let at = self.clients.elapsed().as_secs_f64();
            let whom = if matches!(kind, Kind::Broker | Kind::Flood) { 0 } else { *gateway };
            println!("{at:8.3} s {kind:?} {whom} for {milliseconds} ms");
        }
    }

    async fn strike(&self, Fault { kind, gateway, milliseconds }: Fault, asking: &Requester) {
        let (home, network) = (self.home, self.home.network(gateway));
        let pass = tokio::time::sleep(Duration::from_millis(milliseconds));
        match kind {
            Kind::Kill => {
                home.kill_gateway(gateway);
                pass.await;
                home.start_gateway(gateway);
            }
            Kind::PutBack => {
                home.kill_gateway(gateway);
                keep_a_copy(home, gateway);
                home.start_gateway(gateway);
                pass.await;
                home.kill_gateway(gateway);
                put_back(home, gateway);
                home.start_gateway(gateway);
            }
            Kind::Voters => {
                vote(asking, gateway, false).await;
                pass.await;
                vote(asking, gateway, true).await;
            }
            Kind::Flood => {
                flood(home.address(), Duration::from_millis(milliseconds)).await;
            }
            Kind::Pause => {
                home.pause(gateway);
                pass.await;
                home.resume(gateway);
            }
            Kind::Broker => {
                home.kill_broker();
                // People notice at once when their broker is away; more of it shows nothing new.
                tokio::time::sleep(Duration::from_millis(milliseconds.min(1_000))).await;
                home.start_broker();
            }
            Kind::Cut | Kind::Mute | Kind::Deaf | Kind::Refuse => {
                match kind {
                    Kind::Mute => network.cut(Direction::ToTarget),
                    Kind::Deaf => network.cut(Direction::ToClient),
                    Kind::Refuse => network.refuse(),
                    _ => network.cut_both(),
                }
                pass.await;
                network.heal();
            }
        }
    }
}

/// What a fault works on; two faults may strike at once if they do not work on the same thing.
fn touches(kind: Kind) -> u8 {
    match kind {
        Kind::Kill | Kind::Pause | Kind::PutBack => 0,
        Kind::Cut | Kind::Mute | Kind::Deaf | Kind::Refuse => 1,
        Kind::Broker => 2,
        Kind::Voters => 3,
        Kind::Flood => 4,
    }
}

/// Two of these at once could leave too few who know what was agreed.
fn changes_voters(kind: Kind) -> bool {
    matches!(kind, Kind::PutBack | Kind::Voters)
}

/// Who leads, if somebody says so soon.
async fn leader(asking: &Requester) -> Option<u8> {
    let all = ask(asking, "hearth/home/api/gateways").await?;
    let leader = all["gateways"].as_array()?.iter().find(|one| one["leader"] == true)?;
    number(&leader["gateway"])
}

/// Who owns a device's zone, if somebody says so soon.
async fn owner(asking: &Requester, place: &str) -> Option<u8> {
    let (zone, _) = place.split_once('/')?;
    let all = ask(asking, "hearth/home/api/zones").await?;
    let row = all["zones"].as_array()?.iter().find(|row| row["zone"] == zone)?;
    number(&row["owner"])
}

fn number(json: &Json) -> Option<u8> {
    json.as_u64().and_then(|number| u8::try_from(number).ok())
}

async fn ask(asking: &Requester, topic: &str) -> Option<Json> {
    let soon = Duration::from_millis(500);
    let answer = asking.request(topic, "", Retry { every: soon, within: soon }).await.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}
