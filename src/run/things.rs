//! Which device an event means: the first of its kind among the settings' devices.

use std::collections::BTreeMap;

use hearth_config::Settings;
use wire::Kind;

use crate::names::Place;

/// The simulated devices by kind.
#[derive(Clone, Debug)]
pub(crate) struct Things {
    by_kind: BTreeMap<Kind, Place>,
}

impl Things {
    pub(crate) fn of(settings: &Settings) -> Result<Self, String> {
        let mut by_kind = BTreeMap::new();
        for device in &settings.devices {
            let place = format!("{}/{}", device.zone, device.name).parse()?;
            by_kind.entry(device.kind.parse()?).or_insert(place);
        }
        Ok(Self { by_kind })
    }

    pub(crate) fn place(&self, kind: Kind) -> Result<&Place, String> {
        self.by_kind
            .get(&kind)
            .ok_or_else(|| format!("the settings have no {kind} among their devices"))
    }
}
