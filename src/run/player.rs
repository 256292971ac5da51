//! Plays the events of a script against a running home, and tells the story.

use std::collections::BTreeMap;
use std::time::Duration;

use devices::user::{User, UserError};
use link::{Requester, Retry};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::{Answer, CacheUse, GatewayId, GatewayVerb, Kind, Site, ZoneVerb};

use super::events::{Act, Event, Step};
use super::report::Counts;
use super::story::Story;
use super::things::Things;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::home::Blueprint;
use crate::names;
use crate::words;

/// A request is asked again so often, and so long: a failover shows as a pause, not as an error.
const PATIENCE: Retry =
    Retry { every: Duration::from_millis(100), within: Duration::from_secs(10) };

/// How long one gateway is asked whether the home has settled, before another one is asked.
const GLANCE: Retry =
    Retry { every: Duration::from_millis(100), within: Duration::from_millis(300) };

/// A wait that is longer than this is told: an answer takes a few milliseconds.
const PAUSE: Duration = Duration::from_millis(250);

/// Plays events.
pub(crate) struct Player<'a> {
    client: &'a Client,
    blueprint: &'a Blueprint,
    things: &'a Things,
    story: &'a Story,
    user: User,
    /// Who served a kind of device last.
    owners: BTreeMap<Kind, u8>,
    /// What the answers said of each gateway's cache.
    pub(crate) counts: BTreeMap<u8, Counts>,
    /// The event that waited longest for its answer.
    pub(crate) longest: Option<(usize, Duration)>,
}

impl<'a> Player<'a> {
    pub(crate) fn new(
        client: &'a Client,
        blueprint: &'a Blueprint,
        things: &'a Things,
        story: &'a Story,
    ) -> Outcome<Self> {
        let user = User::new(client.requester().clone(), site(blueprint)?).with_retry(PATIENCE);
        let (owners, counts) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { client, blueprint, things, story, user, owners, counts, longest: None })
    }

    /// Remembers who serves a device.
    pub(crate) fn owned(&mut self, kind: Kind, owner: u8) {
        self.owners.insert(kind, owner);
    }

    /// Plays event `number` and waits until the home has settled.
    pub(crate) async fn play(&mut self, number: usize, step: &Step) -> Outcome {
        self.story.say("-----").await;
        let began = Instant::now();
        match &step.event {
            Event::Query(kind) => self.query(*kind, &step.text).await?,
            Event::Order(act) => self.order(act).await?,
            Event::User(act) => self.user_event(act).await?,
            Event::Contend(gateway, acts) => self.contend(*gateway, acts).await?,
        }
        let took = began.elapsed();
        if self.longest.is_none_or(|(_, longest)| took > longest) {
            self.longest = Some((number, took));
        }
        if took > PAUSE {
            let pause = took.as_secs_f64();
            self.story.say(format!("The answer took {pause:.3} s: it was asked for again.")).await;
        }
        if matches!(step.event, Event::Query(_)) { Ok(()) } else { self.settle().await }
    }

    async fn query(&mut self, kind: Kind, text: &str) -> Outcome {
        let place = self.things.place(kind).map_err(Failure::failed)?;
        self.gateway_header(kind, text).await;
        let answer = self.client.device(place, ZoneVerb::Get, json!({}), PATIENCE).await?;
        let owner = self.served(kind, &answer).await;
        let access = answer.get("cache").as_str().and_then(|name| name.parse().ok());
        if let Some(access) = access {
            self.counts.entry(owner).or_default().add(access);
            self.story.say(in_words(access)).await;
        }
        let state = words::value(&answer.to_json());
        self.story.say(format!("{} state returned is {state}", place.device)).await;
        Ok(())
    }

    async fn order(&mut self, act: &Act) -> Outcome {
        let place = self.things.place(act.kind).map_err(Failure::failed)?;
        self.gateway_header(act.kind, &act.text).await;
        let request = json!({"state": act.state.to_json(), "wait": "state"});
        let answer = self.client.device(place, ZoneVerb::Set, request, PATIENCE).await?;
        self.served(act.kind, &answer).await;
        self.agreed(act, &answer).await;
        Ok(())
    }

    async fn user_event(&mut self, act: &Act) -> Outcome {
        let place = self.things.place(act.kind).map_err(Failure::failed)?;
        let clock = self.user.clock().next();
        self.story.say(format!("This is an User Event: {}", act.text)).await;
        let device = &place.device;
        let calling =
            format!("Calling {device} from User Process. User current clock value is {clock}");
        self.story.say(calling).await;
        let presence = act.presence.then_some(true);
        let answer = self.user.act(&place.zone, device, &act.state, presence).await;
        let answer = answer.map_err(|error| failure(act, &error))?;
        self.note_owner(act.kind, &answer).await;
        self.agreed(act, &answer).await;
        Ok(())
    }

    /// Lets `gateway` win a majority of promises, then lets all acts happen at once, so that its
    /// ballot and the leader's meet in the same slots.
    async fn contend(&mut self, gateway: GatewayId, acts: &[Act]) -> Outcome {
        let names: Vec<&str> = acts.iter().map(|act| act.text.as_str()).collect();
        let names = names.join(" | ");
        self.story.say(format!("Gateway-{gateway} contends with the leader: {names}")).await;
        let mut users = Vec::new();
        for act in acts {
            // A connection each, so that no two users give their actions the same name.
            let address = names::address(&self.blueprint.settings.client)?;
            let requester = Requester::connect(address, "hearth-user").await?;
            let user = User::new(requester, site(self.blueprint)?).with_retry(PATIENCE);
            users.push((
                user,
                act.clone(),
                self.things.place(act.kind).map_err(Failure::failed)?.clone(),
            ));
        }
        let hold = json!({"hold": true});
        // The leader, too, so that it does not hear of its rival before it proposes.
        let stats = self.client.gateway(gateway.0, GatewayVerb::Stats, json!({}), PATIENCE).await?;
        if let Some(leader) = stats.get("leader").as_u64().and_then(|id| u8::try_from(id).ok()) {
            self.client.gateway(leader, GatewayVerb::Lead, hold.clone(), PATIENCE).await?;
        }
        self.client.gateway(gateway.0, GatewayVerb::Lead, hold, PATIENCE).await?;
        self.story.say(format!("Gateway-{gateway} holds a majority of promises.")).await;
        let mut acting = JoinSet::new();
        for (mut user, act, place) in users {
            acting.spawn(async move {
                let presence = act.presence.then_some(true);
                let answer = user.act(&place.zone, &place.device, &act.state, presence).await;
                (act, answer)
            });
        }
        while let Some(done) = acting.join_next().await {
            let (act, answer) = done?;
            let answer = answer.map_err(|error| failure(&act, &error))?;
            self.note_owner(act.kind, &answer).await;
            self.agreed(&act, &answer).await;
        }
        Ok(())
    }

    async fn gateway_header(&self, kind: Kind, text: &str) {
        let owner = self.owners.get(&kind).copied().unwrap_or_default();
        self.story.say(format!("This is an Gateway-{owner} event: {text}")).await;
    }

    /// Says which gateway answered, and with which clock.
    async fn served(&mut self, kind: Kind, answer: &Answer) -> u8 {
        let owner = self.note_owner(kind, answer).await;
        let clock = answer.get("clock");
        let device =
            self.things.place(kind).map_or_else(|_| String::new(), |it| it.device.to_string());
        let calling = format!(
            "Calling {device} from Gateway Front End. Gateway current clock value is {clock}"
        );
        self.story.say(calling).await;
        owner
    }

    async fn note_owner(&mut self, kind: Kind, answer: &Answer) -> u8 {
        let before = self.owners.get(&kind).copied();
        let owner = answer.get("owner").as_u64().and_then(|id| u8::try_from(id).ok());
        let owner = owner.or(before).unwrap_or_default();
        self.owners.insert(kind, owner);
        if before.is_some_and(|before| before != owner) {
            self.story.say(format!("It is served by Gateway-{owner} now.")).await;
        }
        owner
    }

    async fn agreed(&self, act: &Act, answer: &Answer) {
        let (seq, node, owner) = (answer.get("seq"), answer.get("node"), answer.get("owner"));
        let state = act.kind.in_words(&act.state);
        let line = format!("Agreed as Seq No. {seq} by gateway {owner}: node {node} is {state}");
        self.story.say(line).await;
    }

    /// Waits until every order is fulfilled: a door has closed itself, a light has gone on.
    async fn settle(&self) -> Outcome {
        let give_up = Instant::now() + PATIENCE.within;
        let mut open = Json::Null;
        while Instant::now() < give_up {
            for id in &self.blueprint.settings.gateway.voters {
                // A killed gateway does not answer; the next one does.
                let stats = self.client.gateway(*id, GatewayVerb::Stats, json!({}), GLANCE).await;
                let Ok(stats) = stats else { continue };
                open = stats.get("open_orders").clone();
                if open == 0 {
                    return Ok(());
                }
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Failure::failed(format!("{open} orders are still open after {:?}", PATIENCE.within)))
    }
}

fn site(blueprint: &Blueprint) -> Outcome<Site> {
    Ok(names::topics(&blueprint.settings)?.site().clone())
}

fn failure(act: &Act, error: &UserError) -> Failure {
    Failure::failed(format!("{}: {error}", act.text))
}

fn in_words(access: CacheUse) -> &'static str {
    match access {
        CacheUse::Hit => "Using the cached data.",
        CacheUse::Miss => "Not in the cache: caching the data of the database.",
        CacheUse::Cold => "caching the new data..!!",
        CacheUse::Off => "Will Proceed Without Caching as cacheSize is 0",
    }
}
