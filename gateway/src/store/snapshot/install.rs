//! Puts a received snapshot in the place of the replicated tables, inside the store's transaction.
//! Rows go from file to file and never through memory.

use gateway_core::snapshots::SnapshotId;
use rusqlite::Connection;

use super::{Snapshots, Way, replicated};

/// Makes the snapshot readable as `incoming`. Neither this nor [`detach`] is possible inside a
/// transaction, nor is switching references off: they were checked in the file, and checking them
/// again would make the deletion of the old rows go one by one.
pub(in super::super) fn attach(
    connection: &Connection,
    files: &Snapshots,
    id: &SnapshotId,
) -> rusqlite::Result<()> {
    let path = files.path(Way::In, id);
    connection.execute("ATTACH ?1 AS incoming", [path.to_string_lossy()])?;
    connection.pragma_update(None, "foreign_keys", false)
}

pub(in super::super) fn detach(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.execute_batch("DETACH incoming")
}

/// Replaces every replicated table.
pub(in super::super) fn install(connection: &Connection) -> rusqlite::Result<()> {
    for table in replicated(connection, "main")? {
        connection.execute(&format!("DELETE FROM main.\"{table}\""), [])?;
        let sql = format!("INSERT INTO main.\"{table}\" SELECT * FROM incoming.\"{table}\"");
        connection.execute(&sql, [])?;
    }
    Ok(())
}
