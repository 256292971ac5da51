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

use std::collections::BTreeMap;
use std::future::Future;

use gateway_core::command::Agreed;
use gateway_core::house::Memory;
use gateway_core::id::Incarnation;
use gateway_core::settings::{File, log_window};
use gateway_core::witness::Witness;
use gateway_core::{Gateway, Step, Timing, UNPROMISED};
use paxos::ReplicaId;
use tokio::sync::mpsc;
use wire::{SiteGeneration, Topics};

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
    let mut change = Change::None;
    loop {
        match live(&settings, change, &mut shutdown).await {
            // What it promised is lost in its file, so it goes on as somebody else.
            Err(Error::SetBack(why)) => {
                tracing::error!("{why}");
                change = Change::Renounce;
            }
            Err(Error::Adopt(generation)) => change = Change::Adopt(generation),
            ended => return ended,
        }
    }
}

/// What a life of the gateway does to its file before anything else.
#[derive(Clone, Copy, Debug)]
enum Change {
    None,
    /// It gets another number, and has no vote.
    Renounce,
    /// It was blank, and is of this generation of the site.
    Adopt(SiteGeneration),
}

/// One life of the gateway.
async fn live(
    settings: &Settings,
    change: Change,
    mut shutdown: impl Future<Output = ()> + Send + Unpin,
) -> Result<(), Error> {
    let (mut store, recovered) = Store::open(
        &settings.data_dir,
        &settings.site,
        settings.id,
        clock::wall_clock(),
        log_window(settings.log_keep),
    )?;
    store.keep_log(settings.log_keep);
    let incarnation = recovered.incarnation;
    let (mut found, mut generation) = (recovered.disk, recovered.generation);
    match change {
        Change::None => {}
        Change::Renounce => found = store.renounce(found)?,
        Change::Adopt(of) => {
            store.adopt(of, clock::wall_clock())?;
            generation = of;
        }
    }
    let Identified { disk, doubt } = identify(&mut store, found, settings)?;
    tokio::select! {
        () = &mut shutdown => return Ok(()),
        found = twin::look_for(settings, incarnation) => found?,
    }
    let clock = Clock::start();
    let (results, stored) = mpsc::channel(RESULTS);
    let (inbox, arrivals) = inbox::inbox();
    let file = File { trusted: settings.trust_file, ..recovered.file };
    let witnesses = recovered.witnesses;
    let start = Start { incarnation, disk, doubt, file, generation, witnesses };
    let core = core_settings(settings, start);
    let replica = ReplicaId::new(settings.id.0, disk);
    let driver = Driver {
        id: settings.id,
        generation,
        incarnation,
        rival: Rival::new(incarnation),
        topics: Topics::new(settings.site.clone()),
        contention: settings.contention.then(|| Contention::new(settings.id)),
        core: Gateway::new(core, recovered.house, recovered.paxos, clock.now())?,
        clock,
        peers: Peers::open(settings, (replica, generation), incarnation, &inbox),
        sessions: Sessions::new(settings, inbox),
        snapshots: store::spawn_snapshots(&store, results.clone())?,
        survey: store::spawn_survey(&store, results.clone())?,
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

/// What is known of this life and its file.
struct Start {
    incarnation: u64,
    disk: u64,
    doubt: Option<String>,
    file: File,
    generation: SiteGeneration,
    witnesses: BTreeMap<ReplicaId, Witness>,
}

fn core_settings(settings: &Settings, start: Start) -> gateway_core::Settings {
    let Start { incarnation, disk, doubt, file, generation, witnesses } = start;
    let closes = settings.door_closes_after.map(|after| after.as_millis());
    gateway_core::Settings {
        site: settings.site.clone(),
        id: settings.id,
        incarnation: Incarnation(incarnation),
        disk,
        doubt,
        file,
        generation,
        witnesses,
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
