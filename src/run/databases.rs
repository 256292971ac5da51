//! Whether the gateways' files say the same at the end of a run.

use std::path::Path;
use std::time::Duration;

use gateway::inspect::{self, Replica};
use tokio::time::{Instant, sleep};

/// The files, and what differs between them.
pub(crate) struct Databases {
    /// By gateway, or why the file cannot be read.
    pub(crate) files: Vec<(u8, Result<Replica, String>)>,
    pub(crate) differences: Vec<String>,
}

/// How long the living gateways may take to apply the last slot.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// Reads the files of all gateways once the living ones have applied the same, and compares.
pub(crate) async fn compare(data_dir: &Path, living: &[u8], dead: &[u8]) -> Databases {
    let give_up = Instant::now() + CATCHING_UP;
    let mut files = read(data_dir, living);
    while !at_one_slot(&files) && Instant::now() < give_up {
        sleep(Duration::from_millis(50)).await;
        files = read(data_dir, living);
    }
    let mut differences = Vec::new();
    if !at_one_slot(&files) {
        differences.push(format!("the living gateways have not caught up: {}", slots(&files)));
    }
    files.extend(read(data_dir, dead));
    differences.extend(between(&files));
    files.sort_by_key(|(id, _)| *id);
    Databases { files, differences }
}

fn read(data_dir: &Path, gateways: &[u8]) -> Vec<(u8, Result<Replica, String>)> {
    let file = |id: u8| inspect::read(&inspect::file(data_dir, id));
    gateways.iter().map(|id| (*id, file(*id).map_err(|error| error.to_string()))).collect()
}

fn at_one_slot(files: &[(u8, Result<Replica, String>)]) -> bool {
    let applied = |(_, file): &(u8, Result<Replica, String>)| {
        file.as_ref().ok().map(|replica| replica.applied)
    };
    let first = files.first().and_then(applied);
    first.is_some() && files.iter().all(|file| applied(file) == first)
}

fn slots(files: &[(u8, Result<Replica, String>)]) -> String {
    let slot = |(id, file): &(u8, Result<Replica, String>)| match file {
        Ok(replica) => format!("gateway {id} is at slot {}", replica.applied),
        Err(why) => format!("gateway {id}: {why}"),
    };
    files.iter().map(slot).collect::<Vec<_>>().join(", ")
}

/// What differs between the first, a living one, and all others.
fn between(files: &[(u8, Result<Replica, String>)]) -> Vec<String> {
    let mut differences = Vec::new();
    let mut readable = Vec::new();
    for (id, file) in files {
        match file {
            Ok(replica) => readable.push(replica),
            Err(why) => differences.push(format!("gateway {id}: {why}")),
        }
    }
    if let Some((first, others)) = readable.split_first() {
        differences.extend(others.iter().flat_map(|other| inspect::differences(first, other)));
    }
    differences
}
