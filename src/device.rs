//! `hearth device KIND`

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use devices::device::{self, Note, Settings};
use wire::{Device, Kind, Site, Zone};

use crate::cli::Globals;
use crate::failure::{Failure, Outcome};
use crate::output::out;
use crate::{names, stop};

const EXAMPLES: &str = "\
Examples:
  hearth device bulb --zone bedroom --name smartBulb
  hearth device temperature --zone livingroom --name tempSensor --interval 5s

It registers by its first report, obeys orders, and changes when `hearth user` acts on it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeviceArgs {
    /// What it is
    kind: SimulatedKind,
    /// Zone in which it is
    #[arg(long)]
    zone: Zone,
    /// Its name, unique in its zone
    #[arg(long)]
    name: Device,
    /// How often a thermometer reports by itself, such as 5s or 500ms [default: never]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    interval: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SimulatedKind {
    /// Measures degrees
    Temperature,
    /// Notices movement
    Motion,
    /// Notices whether it is open
    Door,
    /// Shines
    Bulb,
    /// Gives power
    Outlet,
}

pub(crate) async fn device(globals: &Globals, args: DeviceArgs) -> Outcome {
    let mut settings = globals.settings(vec![])?;
    if settings.client.password_file.is_some() {
        // A device's user is called by its path.
        let path = || format!("{}/{}", args.zone, args.name);
        settings.client.broker.user.get_or_insert_with(path);
    }
    let address = names::address(&settings.client)?;
    let site = Site::new(settings.site).map_err(Failure::usage)?;
    let mut device = Settings::new(address, site, args.zone, args.name, args.kind.into());
    device.interval = args.interval;
    device.story = Some(Arc::new(|note: &Note| out!("{note}")));
    Ok(device::run(device, stop::requested(globals)).await?)
}

impl From<SimulatedKind> for Kind {
    fn from(kind: SimulatedKind) -> Self {
        match kind {
            SimulatedKind::Temperature => Self::Temperature,
            SimulatedKind::Motion => Self::Motion,
            SimulatedKind::Door => Self::Door,
            SimulatedKind::Bulb => Self::Bulb,
            SimulatedKind::Outlet => Self::Outlet,
        }
    }
}
