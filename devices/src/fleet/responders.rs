//! Devices that only register and obey: targets for a fleet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use link::Address;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wire::{Device, Kind, Site, Zone};

use crate::device::{self, Note};

/// A crowd of running devices.
#[derive(Debug)]
pub struct Responders {
    devices: Vec<(Zone, Device)>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), device::Error>>,
}

/// Why a crowd did not come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RespondersError {
    /// Some devices were not registered in time.
    Unregistered {
        /// How many were.
        registered: usize,
        /// How many there are.
        of: usize,
        /// How long was waited.
        within: Duration,
    },
}

impl fmt::Display for RespondersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Unregistered { registered, of, within } = self;
        let seconds = within.as_secs_f32();
        write!(f, "only {registered} of {of} devices were registered within {seconds} s: ")?;
        write!(f, "is a gateway running? try hearth status")
    }
}

impl std::error::Error for RespondersError {}

impl Responders {
    /// Starts `count` outlets, `per_zone` to a zone, and waits until all are registered.
    ///
    /// # Errors
    /// When they are not registered `within` the time; then they are stopped again.
    pub async fn start(
        address: &Address,
        site: &Site,
        count: usize,
        per_zone: usize,
        within: Duration,
    ) -> Result<Self, RespondersError> {
        let (stop, stopped) = watch::channel(false);
        // Each device says once that it is registered.
        let (tell, mut told) = mpsc::channel(count.max(1));
        let mut crowd = Self { devices: Vec::with_capacity(count), stop, tasks: JoinSet::new() };
        for number in 0..count {
            let zone = format!("fleet{}", number / per_zone.max(1));
            let (Ok(zone), Ok(name)) = (Zone::new(zone), Device::new(format!("outlet{number}")))
            else {
                unreachable!("letters and digits are a name");
            };
            crowd.devices.push((zone.clone(), name.clone()));
            let kind = Kind::Outlet;
            let (address, site) = (address.clone(), site.clone());
            let mut settings = device::Settings::new(address, site, zone, name, kind);
            let tell = tell.clone();
            settings.story = Some(Arc::new(move |note: &Note| {
                if matches!(note, Note::Registered { .. }) {
                    // Nobody listens any more once it took too long.
                    let _ = tell.try_send(());
                }
            }));
            let mut stopped = stopped.clone();
            let shutdown = async move {
                // An error means that the crowd was dropped, which stops it too.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            crowd.tasks.spawn(device::run(settings, shutdown));
        }
        let end = Instant::now() + within;
        for registered in 0..count {
            if !matches!(timeout_at(end, told.recv()).await, Ok(Some(()))) {
                crowd.stop().await;
                return Err(RespondersError::Unregistered { registered, of: count, within });
            }
        }
        Ok(crowd)
    }

    /// The devices, to be asked.
    #[must_use]
    pub fn devices(&self) -> &[(Zone, Device)] {
        &self.devices
    }

    /// Stops all devices and waits until they have said that they are offline.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}
