//! From as written to as meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker_settings::{Limits, Tls, WebSocket};

use crate::error::{Error, Origin};
use crate::layer::Layer;
use crate::raw::{Raw, RawBroker, RawClient, RawDevice, RawGateway, RawTls, RawWebSocket};
use crate::settings::{Broker, Client, Device, Gateway, Settings};

/// The most gateways that may vote: with more, every write waits for four others.
const MOST_VOTERS: usize = 7;

const SIMULATED_KINDS: [&str; 5] = ["temperature", "motion", "door", "bulb", "outlet"];

/// Checks the merged settings; `layers` tell where a wrong value came from.
pub(crate) fn settings(raw: Raw, layers: &[Layer]) -> Result<Settings, Error> {
    let check = Check { layers };
    check.name("site", &raw.site)?;
    if raw.site == hearth_names::OWN {
        let allowed = "another name: topics under hearth/ are Hearth's own";
        return Err(check.wrong("site", "\"hearth\"", allowed));
    }
    Ok(Settings {
        site: raw.site,
        broker: check.broker(raw.broker)?,
        client: check.client(&raw.client)?,
        gateway: check.gateway(raw.gateway)?,
        devices: check.devices(raw.device)?,
    })
}

/// What the broker's address must look like, for errors.
const ADDRESS: &str = "mqtt://[user[:password]@]host[:port] with a port from 1 to 65535";

struct Check<'a> {
    layers: &'a [Layer],
}

impl Check<'_> {
    fn broker(&self, raw: RawBroker) -> Result<Broker, Error> {
        if !raw.bind.is_empty() {
            self.bind("broker.bind", &raw.bind)?;
        } else if raw.tls.bind.is_empty() && raw.websocket.bind.is_empty() {
            let allowed = "host:port, unless broker.tls.bind or broker.websocket.bind is one";
            return Err(self.wrong("broker.bind", "\"\"", allowed));
        }
        if !raw.metrics.is_empty() {
            self.bind("broker.metrics", &raw.metrics)?;
        }
        let sys_interval = self.within("broker.sys_interval", raw.sys_interval, 0, DAY / 1000)?;
        let data_dir = PathBuf::from(&raw.data_dir);
        let file = |text: &str| path(text).map(|path| data_dir.join(path));
        let websocket = self.websocket(raw.websocket)?;
        let wanted = websocket.as_ref().is_some_and(|websocket| websocket.tls);
        Ok(Broker {
            bind: raw.bind,
            id: self.within("broker.id", raw.id, 1, u16::MAX.into())? as u16,
            durable_ack: raw.durable_ack,
            users: file(&raw.users),
            roles: file(&raw.roles),
            tls: self.tls(&raw.tls, wanted, file)?,
            websocket,
            data_dir: path(&raw.data_dir).map(Path::to_owned),
            sys_interval: Duration::from_secs(sys_interval.unsigned_abs()),
            metrics: Some(raw.metrics).filter(|address| !address.is_empty()),
            limits: self.limits(&raw.limits)?,
        })
    }

    /// None if neither a port of its own nor WebSocket wants it.
    fn tls(
        &self,
        raw: &RawTls,
        wanted: bool,
        file: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Option<Tls>, Error> {
        if raw.bind.is_empty() && !wanted {
            return Ok(None);
        }
        let needed = |key, text: &str| {
            file(text).ok_or_else(|| self.wrong(key, "\"\"", "the path of a file in PEM"))
        };
        let bind = Some(raw.bind.clone()).filter(|bind| !bind.is_empty());
        if let Some(bind) = &bind {
            self.bind("broker.tls.bind", bind)?;
        }
        let client_ca = file(&raw.client_ca);
        if raw.client_required && client_ca.is_none() {
            let allowed = "the path of a file in PEM, because client_required is true";
            return Err(self.wrong("broker.tls.client_ca", "\"\"", allowed));
        }
        Ok(Some(Tls {
            bind,
            certificate: needed("broker.tls.certificate", &raw.certificate)?,
            key: needed("broker.tls.key", &raw.key)?,
            client_ca,
            client_required: raw.client_required,
        }))
    }

    fn websocket(&self, raw: RawWebSocket) -> Result<Option<WebSocket>, Error> {
        if raw.bind.is_empty() {
            return Ok(None);
        }
        self.bind("broker.websocket.bind", &raw.bind)?;
        Ok(Some(WebSocket { bind: raw.bind, tls: raw.tls }))
    }

    fn bind(&self, key: &str, bind: &str) -> Result<(), Error> {
        let allowed = "host:port with a port from 1 to 65535, such as 0.0.0.0:1883";
        let wrong = || self.wrong(key, format!("{bind:?}"), allowed);
        let (host, port) = bind.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        // "Any free port" is for someone who reads the command's output, never for a file.
        let any_port = port == 0 && !matches!(self.origin(key), Origin::Flag(_));
        if host.is_empty() || any_port { Err(wrong()) } else { Ok(()) }
    }

    fn limits(&self, raw: &BTreeMap<String, i64>) -> Result<Limits, Error> {
        let mut limits = Limits::default();
        for (name, value) in raw {
            let wrong = |error| self.wrong(&format!("broker.limits.{name}"), value, error);
            limits.set(name, *value).map_err(wrong)?;
        }
        Ok(limits)
    }

    fn client(&self, raw: &RawClient) -> Result<Client, Error> {
        // What was written is not repeated: it may hold a password.
        let broker = raw.broker.parse().map_err(|error| {
            self.wrong("client.broker", format!("no broker's address ({error})"), ADDRESS)
        })?;
        let timeout = self.within("client.timeout_ms", raw.timeout_ms, 1, 3_600_000)?;
        let password_file = path(&raw.password_file).map(Path::to_owned);
        let timeout = Duration::from_millis(timeout.unsigned_abs());
        Ok(Client { broker, password_file, timeout })
    }

    fn gateway(&self, raw: RawGateway) -> Result<Gateway, Error> {
        let voters = self.gateways("gateway.voters", &raw.voters)?;
        if voters.is_empty() || voters.len() > MOST_VOTERS {
            let allowed = format!("1 to {MOST_VOTERS} gateways");
            return Err(self.wrong("gateway.voters", list(&raw.voters), allowed));
        }
        let id = raw.id.map(|id| self.within("gateway.id", id, 1, 254)).transpose()?;
        let known = with(&voters, id);
        let serving = match self.origin("gateway.serving") {
            Origin::Default => known.clone(),
            _ => self.known_of("gateway.serving", &raw.serving, &known)?,
        };
        if serving.is_empty() {
            return Err(self.wrong("gateway.serving", "[]", "at least one gateway"));
        }
        let door =
            self.within("gateway.door_closes_after_ms", raw.door_closes_after_ms, -1, DAY)?;
        let threshold = self.within("gateway.threshold", raw.threshold, 1, u32::MAX.into())?;
        let patience = self.within("gateway.patience", raw.patience, 1, 100)?;
        let cache = self.within("gateway.cache", raw.cache, 0, 1_000_000)?;
        let log_keep = self.within("gateway.log_keep", raw.log_keep, 16, 1_000_000_000)?;
        if raw.data_dir.is_empty() {
            return Err(self.wrong("gateway.data_dir", "\"\"", "the path of a folder"));
        }
        Ok(Gateway {
            id: id.map(|id| id as u8),
            leaders: self.known_of("gateway.leaders", &raw.leaders, &known)?,
            voters,
            serving,
            threshold: threshold as u32,
            patience: patience as u32,
            cache: cache as usize,
            data_dir: raw.data_dir.into(),
            log_keep: log_keep.unsigned_abs(),
            door_closes_after: u64::try_from(door).ok().map(Duration::from_millis),
            own_broker: raw.own_broker,
            rounds: raw.rounds,
            contention: raw.contention,
            trust_file: raw.trust_file,
        })
    }

    fn known_of(&self, key: &str, written: &[i64], known: &[u8]) -> Result<Vec<u8>, Error> {
        let gateways = self.gateways(key, written)?;
        if gateways.iter().all(|id| known.contains(id)) {
            return Ok(gateways);
        }
        Err(self.wrong(key, list(written), format!("among gateway.voters {}", list(known))))
    }

    fn gateways(&self, key: &str, written: &[i64]) -> Result<Vec<u8>, Error> {
        let wrong = |allowed| self.wrong(key, list(written), allowed);
        let id = |id: &i64| u8::try_from(*id).ok().filter(|id| (1..=254).contains(id));
        let ids: Option<Vec<u8>> = written.iter().map(id).collect();
        let ids = ids.ok_or_else(|| wrong("a list of gateway numbers from 1 to 254"))?;
        let different: BTreeSet<_> = ids.iter().collect();
        if different.len() == ids.len() {
            Ok(ids)
        } else {
            Err(wrong("a list in which every gateway stands once"))
        }
    }

    fn devices(&self, raw: Vec<RawDevice>) -> Result<Vec<Device>, Error> {
        let mut seen = BTreeSet::new();
        let mut devices = Vec::new();
        for RawDevice { zone, name, kind } in raw {
            self.name("device.zone", &zone)?;
            self.name("device.name", &name)?;
            if !SIMULATED_KINDS.contains(&kind.as_str()) {
                let allowed = format!("one of {}", SIMULATED_KINDS.join(", "));
                return Err(self.wrong("device.kind", format!("{kind:?}"), allowed));
            }
            if !seen.insert((zone.clone(), name.clone())) {
                let found = format!("{zone}/{name} twice");
                return Err(self.wrong("device.name", found, "a name of its own within the zone"));
            }
            devices.push(Device { zone, name, kind });
        }
        Ok(devices)
    }

    fn name(&self, key: &str, text: &str) -> Result<(), Error> {
        if hearth_names::check(text).is_ok() {
            return Ok(());
        }
        let allowed =
            "a name of 1 to 128 bytes without / + # and control characters, and no $ first";
        Err(self.wrong(key, format!("{text:?}"), allowed))
    }

    fn within(&self, key: &str, value: i64, least: i64, most: i64) -> Result<i64, Error> {
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(self.wrong(key, value, format!("a whole number from {least} to {most}")))
    }

    fn wrong(&self, key: &str, found: impl fmt::Display, allowed: impl fmt::Display) -> Error {
        Error::Value {
            origin: self.origin(key),
            key: key.to_owned(),
            found: found.to_string(),
            allowed: allowed.to_string(),
        }
    }

    /// The last place that sets `key`; the devices are set as one list.
    fn origin(&self, key: &str) -> Origin {
        let key = if key.starts_with("device.") { "device" } else { key };
        let layer = self.layers.iter().rev().find(|layer| layer.sets(key));
        layer.map_or(Origin::Default, |layer| layer.origin.clone())
    }
}

fn path(text: &str) -> Option<&Path> {
    (!text.is_empty()).then(|| Path::new(text))
}

const DAY: i64 = 24 * 3600 * 1000;

/// The founders, and the gateway that these settings are for: it may have joined later.
fn with(voters: &[u8], id: Option<i64>) -> Vec<u8> {
    let id = id.and_then(|id| u8::try_from(id).ok()).filter(|id| !voters.contains(id));
    voters.iter().copied().chain(id).collect()
}

fn list(ids: &[impl fmt::Display]) -> String {
    format!("[{}]", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
