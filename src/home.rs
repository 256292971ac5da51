//! A home of our own: broker, gateways and devices, each a process.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use hearth_config::{Address, Device, Settings};
use link::Retry;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use wire::{Answer, ApiVerb, GatewayVerb};

use crate::broker::LISTENING;
use crate::children::{self, Child, LINES, Line, Plan};
use crate::cli::Globals;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::names;

/// Settings of the home and how its processes are started with them.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    pub(crate) settings: Settings,
    /// Sizes of the caches where they are not the settings' one.
    pub(crate) caches: BTreeMap<u8, usize>,
    /// Whether gateways and devices tell what happens.
    pub(crate) story: bool,
    config: Option<String>,
    log: String,
}

/// A running home. Dropping it kills every process.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) blueprint: Blueprint,
    pub(crate) gateways: BTreeMap<u8, Gateway>,
    broker: Child,
    devices: Vec<Child>,
    lines: mpsc::Sender<Line>,
}

/// A gateway's process.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// None after it was killed.
    pub(crate) child: Option<Child>,
    pub(crate) started: Instant,
    /// How long it lived, once it is dead.
    pub(crate) lived: Option<Duration>,
}

/// A home of seven gateways is up within a second; a busy small box may take its time.
const STARTING: Retry =
    Retry { every: Duration::from_millis(100), within: Duration::from_secs(30) };

impl Blueprint {
    pub(crate) fn new(globals: &Globals, settings: Settings) -> Self {
        let config = globals.config.as_ref().map(|path| path.display().to_string());
        let log = globals.log.clone();
        Self { settings, caches: BTreeMap::new(), story: false, config, log }
    }

    /// The broker that listens on `bind`.
    pub(crate) fn broker(&self, bind: &str) -> Plan {
        self.with_settings(Plan::new("broker", ["broker", "--bind", bind]))
    }

    /// One gateway.
    pub(crate) fn gateway(&self, id: u8) -> Plan {
        let number = id.to_string();
        let cache = self.caches.get(&id).copied().unwrap_or(self.settings.gateway.cache);
        let mut plan = Plan::new(format!("gateway-{id}"), ["gateway", "--id", &number]);
        if self.story {
            plan.arguments.push("--story".into());
        }
        self.with_settings(plan).variable("HEARTH_GATEWAY__CACHE", cache)
    }

    /// One simulated device.
    pub(crate) fn device(&self, device: &Device, interval: Option<Duration>) -> Plan {
        let Device { zone, name, kind } = device;
        let arguments = ["device", kind, "--zone", zone, "--name", name];
        let mut plan = Plan::new(name.clone(), arguments);
        if let Some(interval) = interval {
            plan.arguments
                .extend(["--interval".into(), format!("{}ms", interval.as_millis()).into()]);
        }
        self.with_settings(plan)
    }

    fn with_settings(&self, plan: Plan) -> Plan {
        let Settings { broker, gateway, .. } = &self.settings;
        let kept = broker.data_dir.as_deref().unwrap_or(Path::new(""));
        let door = gateway.door_closes_after.map_or(-1, |time| time.as_millis() as i64);
        let plan = plan
            .variable("HEARTH_SITE", &self.settings.site)
            .variable("HEARTH_LOG", &self.log)
            .variable("HEARTH_BROKER__DATA_DIR", kept.display())
            .variable("HEARTH_CLIENT__BROKER", self.settings.client.broker.with_password())
            .variable("HEARTH_GATEWAY__VOTERS", names::list(&gateway.voters))
            .variable("HEARTH_GATEWAY__SERVING", names::list(&gateway.serving))
            .variable("HEARTH_GATEWAY__LEADERS", names::list(&gateway.leaders))
            .variable("HEARTH_GATEWAY__THRESHOLD", gateway.threshold)
            .variable("HEARTH_GATEWAY__PATIENCE", gateway.patience)
            .variable("HEARTH_GATEWAY__DATA_DIR", gateway.data_dir.display())
            .variable("HEARTH_GATEWAY__DOOR_CLOSES_AFTER_MS", door)
            .variable("HEARTH_GATEWAY__LOG_KEEP", gateway.log_keep)
            .variable("HEARTH_GATEWAY__OWN_BROKER", gateway.own_broker)
            .variable("HEARTH_GATEWAY__TRUST_FILE", gateway.trust_file)
            .variable("HEARTH_GATEWAY__ROUNDS", gateway.rounds)
            .variable("HEARTH_GATEWAY__CONTENTION", gateway.contention);
        match &self.config {
            Some(config) => plan.variable("HEARTH_CONFIG", config),
            None => plan,
        }
    }
}

impl Home {
    /// Starts a broker on a free port and every gateway, and waits until they answer.
    pub(crate) async fn start(
        mut blueprint: Blueprint,
        lines: &mpsc::Sender<Line>,
    ) -> Outcome<(Self, Client)> {
        let (broker, url) = start_broker(&blueprint, lines).await?;
        blueprint.settings.client.broker = url;
        blueprint.settings.gateway.own_broker = true;
        let client = Client::connect(&blueprint.settings).await?;
        let voters = blueprint.settings.gateway.voters.clone();
        let (gateways, devices) = (BTreeMap::new(), Vec::new());
        let mut home = Self { blueprint, gateways, broker, devices, lines: lines.clone() };
        for id in &voters {
            home.start_gateway(*id)?;
        }
        for id in &voters {
            home.wait_for_gateway(&client, *id).await?;
        }
        home.wait_for_leader(&client).await?;
        home.wait_until_all_have_joined(&client).await?;
        Ok((home, client))
    }

    /// Waits until every gateway may be given zones: where one goes depends on who is there.
    async fn wait_until_all_have_joined(&self, client: &Client) -> Outcome {
        let voters = self.blueprint.settings.gateway.voters.len();
        let give_up = Instant::now() + STARTING.within;
        loop {
            let joined = client.api(ApiVerb::Gateways, json!({})).await.map(|answer| {
                let all = answer.get("gateways").as_array().map_or(&[][..], Vec::as_slice);
                all.iter().filter(|gateway| gateway["alive"] == true).count()
            });
            match joined {
                Ok(joined) if joined >= voters => return Ok(()),
                // Another gateway may begin to lead meanwhile.
                Err(why) if Instant::now() > give_up => return Err(why),
                Ok(_) if Instant::now() > give_up => {
                    return Err(Failure::no_answer("not every gateway has joined"));
                }
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(STARTING.every).await;
        }
    }

    /// Waits until the preferred leader leads, where one is preferred: whoever was up first may have
    /// led before.
    async fn wait_for_leader(&self, client: &Client) -> Outcome {
        let Some(preferred) = self.blueprint.settings.gateway.leaders.first() else {
            return Ok(());
        };
        let give_up = Instant::now() + STARTING.within;
        loop {
            let stats = client.gateway(*preferred, GatewayVerb::Stats, json!({}), STARTING).await?;
            if stats.get("leader") == preferred {
                return Ok(());
            }
            if Instant::now() > give_up {
                let text = format!("gateway {preferred} is preferred and does not lead");
                return Err(Failure::no_answer(text));
            }
            tokio::time::sleep(STARTING.every).await;
        }
    }

    /// Starts a gateway, or starts it again.
    pub(crate) fn start_gateway(&mut self, id: u8) -> Outcome {
        self.start_gateway_as(id, |plan| plan)
    }

    /// Starts a gateway whose plan is changed by `change`.
    pub(crate) fn start_gateway_as(
        &mut self,
        id: u8,
        change: impl FnOnce(Plan) -> Plan,
    ) -> Outcome {
        let child = change(self.blueprint.gateway(id)).start(&self.lines)?;
        let gateway = Gateway { child: Some(child), started: Instant::now(), lived: None };
        self.gateways.insert(id, gateway);
        Ok(())
    }

    /// Waits until a gateway answers and knows a leader.
    pub(crate) async fn wait_for_gateway(&mut self, client: &Client, id: u8) -> Outcome {
        let child = self.gateways.get_mut(&id).and_then(|gateway| gateway.child.as_mut());
        let child = child.ok_or_else(|| Failure::failed(format!("gateway {id} is not running")))?;
        let led = async {
            let give_up = Instant::now() + STARTING.within;
            loop {
                let stats = client.gateway(id, GatewayVerb::Stats, json!({}), STARTING).await?;
                if stats.get("leader").is_u64() {
                    return Ok(());
                }
                if Instant::now() > give_up {
                    return Err(Failure::no_answer("the gateways elected no leader"));
                }
                tokio::time::sleep(STARTING.every).await;
            }
        };
        tokio::select! {
            led = led => led,
            ended = child.ended() => {
                Err(Failure::failed(format!("gateway {id} ended while it started ({})", ended?)))
            }
        }
    }

    /// Starts a device and waits until it is registered; gives its line of the table.
    pub(crate) async fn start_device(&mut self, client: &Client, device: &Device) -> Outcome<Json> {
        self.devices.push(self.blueprint.device(device, None).start(&self.lines)?);
        let give_up = Instant::now() + STARTING.within;
        loop {
            let devices = client.api(ApiVerb::Devices, json!({})).await?;
            if let Some(found) = find(&devices, device) {
                return Ok(found.clone());
            }
            if Instant::now() > give_up {
                let place = format!("{}/{}", device.zone, device.name);
                return Err(Failure::no_answer(format!("{place} was not registered")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills a gateway's process without a warning.
    pub(crate) async fn crash(&mut self, id: u8) -> Outcome {
        let gateway = self.gateways.get_mut(&id);
        let gateway = gateway.ok_or_else(|| Failure::usage(format!("there is no gateway {id}")))?;
        if let Some(mut child) = gateway.child.take() {
            child.kill().await?;
            gateway.lived = Some(gateway.started.elapsed());
        }
        Ok(())
    }

    /// The process of a living gateway.
    pub(crate) fn gateway(&mut self, id: u8) -> Outcome<&mut Child> {
        let child = self.gateways.get_mut(&id).and_then(|gateway| gateway.child.as_mut());
        child.ok_or_else(|| Failure::failed(format!("gateway {id} is not running")))
    }

    /// Gateways that were not killed.
    pub(crate) fn living(&self) -> Vec<u8> {
        let alive = self.gateways.iter().filter(|(_, gateway)| gateway.child.is_some());
        alive.map(|(id, _)| *id).collect()
    }

    /// Stops everything, the broker last, so that all can say goodbye.
    pub(crate) async fn stop(self) {
        let gateways = self.gateways.into_values().filter_map(|gateway| gateway.child);
        children::stop_all(self.devices.into_iter().chain(gateways)).await;
        self.broker.stop().await;
    }
}

fn find<'a>(devices: &'a Answer, device: &Device) -> Option<&'a Json> {
    let mut all = devices.get("devices").as_array().into_iter().flatten();
    all.find(|found| found["zone"] == device.zone.as_str() && found["name"] == device.name.as_str())
}

/// Starts the broker and reads from its first line which port it found.
async fn start_broker(
    blueprint: &Blueprint,
    lines: &mpsc::Sender<Line>,
) -> Outcome<(Child, Address)> {
    let (told, mut said) = mpsc::channel(LINES);
    // A home that is played for a while on this machine alone has no users.
    let broker = blueprint.broker("127.0.0.1:0").variable("HEARTH_BROKER__USERS", "");
    let broker = broker.start(&told)?;
    drop(told);
    while let Some(line) = said.recv().await {
        let url = line.text.strip_prefix(LISTENING).and_then(|place| place.parse().ok());
        let _ = lines.send(line).await;
        if let Some(url) = url {
            let lines = lines.clone();
            tokio::spawn(async move {
                while let Some(line) = said.recv().await {
                    let _ = lines.send(line).await;
                }
            });
            return Ok((broker, url));
        }
    }
    Err(Failure::failed("the broker ended before it listened"))
}
