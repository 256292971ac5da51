//! Makes a snapshot: the replicated tables at one slot, copied on a connection of its own.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gateway_core::snapshots::SnapshotId;
use hearth_storage::{Fault, create_private};
use paxos::Slot;

use super::{Snapshots, Way, hash_of, replicated};
use crate::store::open::{FORMAT, REPLICATED};
use crate::store::read::unsigned;
use crate::store::{StoreError, sums};

/// Makes one and pins the log to it; gives its name.
///
/// The copy is one read transaction of the replica's file, so it is of one slot, and commits go on
/// meanwhile; the write-ahead log grows by what they write. `closing` ends it early.
pub(super) fn make(files: &Snapshots, closing: &Arc<AtomicBool>) -> Result<SnapshotId, StoreError> {
    let part = files.part();
    let unusable = |cause| FORMAT.refuse(&part, Fault::Unusable(cause));
    remove_if_there(&part).map_err(unusable)?;
    create_private(&part).map_err(unusable)?;
    // Until its slot is known, nothing may be trimmed at all.
    files.shared.pin(Slot::ZERO);
    let slot = copy(files, closing).map_err(|cause| FORMAT.error(&part, cause))?;
    // Its name will vouch for it, also after a power failure.
    fs::File::open(&part).and_then(|file| file.sync_all()).map_err(unusable)?;
    let bytes = fs::metadata(&part).map_err(unusable)?.len();
    let go_on = || !closing.load(Ordering::Acquire);
    let id = SnapshotId { slot, bytes, hash: hash_of(&part, go_on).map_err(unusable)? };
    fs::rename(&part, files.path(Way::Out, &id)).map_err(unusable)?;
    Ok(id)
}

fn remove_if_there(path: &std::path::Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy(files: &Snapshots, closing: &Arc<AtomicBool>) -> rusqlite::Result<Slot> {
    let mut connection = FORMAT.connect(&files.part())?;
    // A copy that fails is deleted, and one that is done is synced once.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    sums::teach(&connection)?;
    FORMAT.lay_out(&mut connection)?;
    // Whoever installs it has the index itself.
    connection.execute_batch("DROP INDEX history_of_node; DROP TABLE life")?;
    // An older program reads it too, as long as the replicated tables are those that it knows.
    connection.pragma_update(None, "user_version", REPLICATED.0)?;
    let closing = Arc::clone(closing);
    connection.progress_handler(10_000, Some(move || closing.load(Ordering::Acquire)))?;
    let database = files.database();
    connection.execute("ATTACH ?1 AS source", [database.to_string_lossy()])?;
    let transaction = connection.transaction()?;
    let sql = "SELECT applied FROM source.replica";
    let slot = Slot(transaction.query_row(sql, [], |row| unsigned(row, 0))?);
    files.shared.pin(slot);
    for table in replicated(&transaction, "source")? {
        let sql = format!("INSERT INTO main.\"{table}\" SELECT * FROM source.\"{table}\"");
        transaction.execute(&sql, [])?;
    }
    // Of no gateway and no life, so that equal states make equal files.
    let sql = "INSERT INTO main.replica (id, site, gateway, incarnation, applied, sum)
        SELECT 1, site, 0, 0, applied, hearth_sum(1, site, 0, 0, applied, 0, 0, 0)
        FROM source.replica";
    transaction.execute(sql, [])?;
    // What a disk has spoilt is not handed on.
    sums::check(&transaction)?;
    transaction.commit()?;
    Ok(slot)
}
