//! A gateway replica: the shell around the decision core.
//!
//! ```text
//!   broker ◀──▶ peers     Paxos, heartbeats ─┐
//!          ◀──▶ sessions  zones, API ────────┼──▶ driver ◀──▶ gateway_core::Gateway
//!   disk   ◀──▶ store     SQLite, one thread ┘
//! ```

mod clock;
mod contention;
mod driver;
mod error;
mod fit;
mod inbox;
pub mod inspect;
mod line;
mod peers;
mod sessions;
mod settings;
pub mod store;
mod twin;
mod voice;

pub use error::Error;
pub use settings::Settings;

use std::future::Future;

use gateway_core::command::Agreed;
use gateway_core::house::Memory;
use gateway_core::id::Incarnation;
use gateway_core::{Gateway, Step, Timing, UNPROMISED};
use paxos::ReplicaId;
use tokio::sync::mpsc;
use wire::Topics;

use crate::clock::Clock;
use crate::contention::Contention;
use crate::driver::{Driver, RESULTS};
use crate::peers::Peers;
use crate::sessions::Sessions;
use crate::store::{Disk, Doubt, Found, Store};
use crate::twin::Rival;
use crate::voice::Voice;

/// Runs the gateway until `shutdown` completes. Without a broker it waits for one.
///
/// # Errors
/// When its file, its settings or its identity are unusable, when a write fails, or when an
/// invariant is broken; the text says what to do.
pub async fn run(
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    tokio::pin!(shutdown);
    let (mut store, recovered) = Store::open(
        &settings.data_dir,
        &settings.site,
        settings.id,
        clock::wall_clock(),
        core_settings(&settings, 0, 0, None).log_window(),
    )?;
    store.keep_log(settings.log_keep);
    let incarnation = recovered.incarnation;
    let Identified { disk, doubt } = identify(&mut store, recovered.disk, &settings)?;
    tokio::select! {
        () = &mut shutdown => return Ok(()),
        found = twin::look_for(&settings, incarnation) => found?,
    }
    let clock = Clock::start();
    let (results, stored) = mpsc::channel(RESULTS);
    let (inbox, arrivals) = inbox::inbox();
    let core = core_settings(&settings, incarnation, disk, doubt);
    let replica = ReplicaId::new(settings.id.0, disk);
    let driver = Driver {
        id: settings.id,
        rival: Rival::new(incarnation),
        topics: Topics::new(settings.site.clone()),
        contention: settings.contention.then(|| Contention::new(settings.id)),
        core: Gateway::new(core, recovered.house, recovered.paxos, clock.now())?,
        clock,
        peers: Peers::open(&settings, replica, incarnation, &inbox),
        sessions: Sessions::new(&settings, inbox),
        snapshots: store::spawn_snapshots(&store, results.clone())?,
        store: store::spawn(store, results)?,
        voice: if settings.story { Voice::Story } else { Voice::Log(settings.id) },
        waiting: Step::default(),
    };
    driver.run(arrivals, stored, shutdown).await
}

/// The number of the file, and why it has no vote if it has lost it.
struct Identified {
    disk: u64,
    doubt: Option<String>,
}

/// Which file it is, with a word about it if something has happened to it.
fn identify(store: &mut Store, disk: Disk, settings: &Settings) -> Result<Identified, Error> {
    let disk = if settings.trust_file { store.trust(disk)? } else { disk };
    let mut said = None;
    let id = settings.id;
    match disk.found {
        Found::New | Found::Known => {}
        Found::Lost => tracing::warn!(
            "gateway {id}: its file is gone or empty; it begins with a new one, which has no vote \
             until the other gateways give it one"
        ),
        Found::Moved => tracing::warn!("gateway {id}: its file was moved, and keeps its vote"),
        Found::Doubted { doubt, .. } => {
            let why = if settings.trust_file { GIVEN_AWAY } else { doubted(doubt) };
            tracing::warn!("gateway {id}: {why}");
            said = Some(why.to_owned());
        }
    }
    Ok(Identified { disk: disk.number, doubt: said })
}

/// An operator's word came too late.
const GIVEN_AWAY: &str = "--trust-file does nothing: the other gateways have given its vote to another file of it, \
    or taken it away; it follows them, and gets a vote from them";

/// What is wrong with a file that has lost its vote, and what to do.
fn doubted(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Copied => {
            "its file lies elsewhere than before, so it may be a copy or an old backup, and has no \
             vote until the other gateways give it one; if it is the newest and only one, start it \
             with --trust-file, now or later, and it has its vote back"
        }
        Doubt::Older => {
            "its file is in an older state than it left it in, as a backup that was put back, and has \
             no vote until the other gateways give it one; what was agreed since is lost in it; if \
             there is no newer one anywhere, start it with --trust-file, now or later, and it has its \
             vote back"
        }
    }
}

fn core_settings(
    settings: &Settings,
    incarnation: u64,
    disk: u64,
    doubt: Option<String>,
) -> gateway_core::Settings {
    let closes = settings.door_closes_after.map(|after| after.as_millis());
    gateway_core::Settings {
        site: settings.site.clone(),
        id: settings.id,
        incarnation: Incarnation(incarnation),
        disk,
        doubt,
        versions: gateway_core::version::OURS,
        founders: settings.voters.iter().copied().collect(),
        serves: settings.serving.contains(&settings.id),
        leaders: settings.leaders.clone(),
        agreed: Agreed {
            threshold: settings.threshold,
            door_closes_after: closes.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
        },
        cache: settings.cache,
        own_broker: settings.own_broker,
        story: settings.story,
        rounds: settings.rounds,
        log_keep: settings.log_keep,
        timing: Timing::default().times(settings.patience),
        memory: Memory::USUAL,
        unpromised: UNPROMISED,
    }
}
