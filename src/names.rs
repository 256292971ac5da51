//! Settings and arguments as the types of the protocol.

use std::path::Path;
use std::str::FromStr;

use hearth_config::{Address, Client, Settings};
use wire::{Device, GatewayId, Site, Topics, Zone};

use crate::failure::{Failure, Outcome};

/// A device on the command line: `kitchen/smartOutlet`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) zone: Zone,
    pub(crate) device: Device,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (zone, device) = text
            .split_once('/')
            .ok_or_else(|| format!("write it as ZONE/DEVICE, such as kitchen/{text}"))?;
        let zone = zone.parse().map_err(|error| format!("the zone {zone:?}: {error}"))?;
        let device = device.parse().map_err(|error| format!("the device {device:?}: {error}"))?;
        Ok(Self { zone, device })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.zone, self.device)
    }
}

pub(crate) fn topics(settings: &Settings) -> Outcome<Topics> {
    Ok(Topics::new(Site::new(settings.site.as_str()).map_err(Failure::usage)?))
}

/// The broker, with the password that is kept in a file.
pub(crate) fn address(client: &Client) -> Outcome<Address> {
    let mut address = client.broker.clone();
    if let (Some(user), None, Some(path)) =
        (&address.user, &address.password, &client.password_file)
    {
        address.password = Some(password_of(user, path)?);
    }
    Ok(address)
}

fn password_of(user: &str, path: &Path) -> Outcome<String> {
    let file = if path.is_dir() { path.join(user) } else { path.to_owned() };
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Failure::failed(format!(
            "cannot read the password of {user} in {}: {error}",
            file.display()
        ))
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

pub(crate) fn gateways(ids: &[u8]) -> Vec<GatewayId> {
    ids.iter().copied().map(GatewayId).collect()
}

/// Numbers with commas between them, as flags and variables take them.
pub(crate) fn list(ids: &[u8]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_zone_and_a_device() {
        let place: Place = "kitchen/smartOutlet".parse().expect("valid");
        assert_eq!(place.to_string(), "kitchen/smartOutlet");
        let error = |text: &str| text.parse::<Place>().expect_err("refused");
        assert!(error("smartOutlet").contains("kitchen/smartOutlet"));
        assert!(error("kitchen/").contains("empty"));
        assert!(error("a/b/c").contains("'/'"));
    }
}
