//! Looks into a replica's SQLite file from outside, also while the gateway runs: for dumps, for
//! reports, and to prove that replicas agree.
//!
//! It only reads, all of it in one transaction, and it never repairs: a file that is missing,
//! foreign or damaged is an error that says so.

mod compare;
mod error;
mod hash;
mod recovery;

pub use compare::differences;
pub use error::Error;
pub(crate) use hash::Fnv;
pub use recovery::{Prospect, prospect};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use crate::store::FORMAT;

/// Tables that belong to one replica; every other table is replicated, also one that a later
/// version adds, so that nothing is left out of a comparison by oversight.
pub(crate) const LOCAL_TABLES: [&str; 6] =
    ["acceptor", "life", "log", "recoveries", "replica", "witnesses"];

/// What a replica's file holds, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The site.
    pub site: String,
    /// Whose file this is.
    pub gateway: u8,
    /// Which life of the gateway wrote last.
    pub incarnation: u64,
    /// The last slot that the replicated tables contain.
    pub applied: u64,
    /// The last slot that the replica knows to be chosen, with all before it.
    pub chosen: u64,
    /// The ballot that it promised.
    pub promised: Ballot,
    /// The log, by slot; older slots may have been trimmed.
    pub log: Vec<LogRow>,
    /// The zones, by name.
    pub zones: Vec<ZoneRow>,
    /// The registered devices, by node id.
    pub devices: Vec<DeviceRow>,
    /// The current status, by node id.
    pub status: Vec<StatusRow>,
    /// The agreed changes, by seq.
    pub history: Vec<HistoryRow>,
    /// Rows and hash of every replicated table.
    pub tables: BTreeMap<String, TableHash>,
}

/// A ballot of Paxos: round first, then the gateway that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    /// The round.
    pub round: u64,
    /// The gateway.
    pub gateway: u8,
}

/// One slot of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// The slot.
    pub slot: u64,
    /// The ballot under which the value was accepted.
    pub ballot: Ballot,
    /// The value's bytes.
    pub value: Vec<u8>,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneRow {
    /// Its name.
    pub zone: String,
    /// The gateway that owns it.
    pub owner: u8,
    /// The ownership's number.
    pub epoch: u64,
}

/// One registered device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its number.
    pub node: u32,
    /// Its zone.
    pub zone: String,
    /// Its name.
    pub name: String,
    /// What it is, as in payloads.
    pub kind: String,
}

/// The current status of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// Number of the device.
    pub node: u32,
    /// Its name.
    pub name: String,
    /// What it is, as in payloads.
    pub kind: String,
    /// Milliseconds since the Unix epoch, of the last change.
    pub time: u64,
    /// Number of the last change.
    pub seq: u64,
    /// The last agreed report.
    pub state: Option<String>,
    /// The last agreed order.
    pub desired: Option<String>,
}

/// One agreed change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// Its number.
    pub seq: u64,
    /// Milliseconds since the Unix epoch.
    pub time: u64,
    /// Number of the device.
    pub node: u32,
    /// Name of the device; empty when it is not registered.
    pub name: String,
    /// What it is, as in payloads; empty when it is not registered.
    pub kind: String,
    /// `state` or `desired`.
    pub register: String,
    /// What was said or ordered.
    pub state: String,
    /// Number of the order that this is, or that it fulfils.
    pub order: Option<u64>,
    /// Lamport clock.
    pub clock: u64,
    /// The gateway that proposed it.
    pub owner: u8,
    /// What a rule concluded.
    pub note: Option<String>,
}

/// What a table holds, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableHash {
    /// Its rows.
    pub rows: u64,
    /// Hash of its rows in order.
    pub hash: u64,
}

/// The file of gateway `id` in `data_dir`.
#[must_use]
pub fn file(data_dir: &Path, id: u8) -> PathBuf {
    data_dir.join(format!("gateway-{id}.db"))
}

/// Reads a replica's file.
///
/// # Errors
/// When the file is missing, is no replica's file, has another version, or is damaged.
pub fn read(path: &Path) -> Result<Replica, Error> {
    if !path.is_file() {
        return Err(Error::Missing(path.to_owned()));
    }
    read_tables(path).map_err(|cause| Error::of(path, cause))
}

impl Replica {
    /// One hash over all replicated tables: equal on all replicas at equal `applied`.
    #[must_use]
    pub fn hash(&self) -> u64 {
        hash::of_tables(&self.tables)
    }

    /// The names and numbers of the devices in the zones of each owner.
    #[must_use]
    pub fn registrations(&self) -> BTreeMap<u8, Vec<&DeviceRow>> {
        let owner_of =
            |zone: &str| self.zones.iter().find(|row| row.zone == zone).map(|row| row.owner);
        let mut tables: BTreeMap<u8, Vec<&DeviceRow>> = BTreeMap::new();
        for device in &self.devices {
            if let Some(owner) = owner_of(&device.zone) {
                tables.entry(owner).or_default().push(device);
            }
        }
        tables
    }
}

/// What went wrong below, before it is known to the reader which file it was.
#[derive(Debug)]
enum Cause {
    Version(i64),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn read_tables(path: &Path) -> Result<Replica, Cause> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    // A checkpoint of the running gateway takes milliseconds; five seconds also cover a slow card.
    connection.busy_timeout(Duration::from_secs(5))?;
    let connection = connection.transaction()?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // What is read here is the same in every version.
    if !(1..=i64::from(FORMAT.version().0)).contains(&version) {
        return Err(Cause::Version(version));
    }
    let (site, gateway, incarnation, applied) = connection.query_row(
        "SELECT site, gateway, incarnation, applied FROM replica",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, unsigned(row, 2)?, unsigned(row, 3)?)),
    )?;
    let (promised, chosen) = acceptor(&connection)?;
    Ok(Replica {
        site,
        gateway,
        incarnation,
        applied,
        chosen,
        promised,
        log: rows(&connection, "SELECT slot, round, gateway, value FROM log ORDER BY slot", log)?,
        zones: rows(&connection, "SELECT zone, owner, epoch FROM zones ORDER BY zone", zone)?,
        devices: rows(
            &connection,
            "SELECT node, zone, name, kind FROM devices ORDER BY node",
            device,
        )?,
        status: rows(&connection, STATUS, status)?,
        history: rows(&connection, HISTORY, history)?,
        tables: hash::tables(&connection, &LOCAL_TABLES)?,
    })
}

const STATUS: &str = "SELECT node, devices.name, time, seq, state, desired, kind
    FROM status JOIN devices USING (node) ORDER BY node";

const HISTORY: &str =
    "SELECT seq, time, node, coalesce(devices.name, ''), register, value, ordered,
    clock, owner, note, coalesce(devices.kind, '') FROM history LEFT JOIN devices USING (node) ORDER BY seq";

/// The acceptor's row; a replica that never voted has none.
fn acceptor(connection: &Connection) -> rusqlite::Result<(Ballot, u64)> {
    let sql = "SELECT promised_round, promised_gateway, chosen FROM acceptor";
    let found = rows(connection, sql, |row| {
        Ok((Ballot { round: unsigned(row, 0)?, gateway: number(row, 1)? }, unsigned(row, 2)?))
    })?;
    Ok(found.first().copied().unwrap_or((Ballot { round: 0, gateway: 0 }, 0)))
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], read)?.collect()
}

fn log(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    let ballot = Ballot { round: unsigned(row, 1)?, gateway: number(row, 2)? };
    Ok(LogRow { slot: unsigned(row, 0)?, ballot, value: row.get(3)? })
}

fn zone(row: &Row<'_>) -> rusqlite::Result<ZoneRow> {
    Ok(ZoneRow { zone: row.get(0)?, owner: row.get(1)?, epoch: unsigned(row, 2)? })
}

fn device(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow { node: row.get(0)?, zone: row.get(1)?, name: row.get(2)?, kind: row.get(3)? })
}

fn status(row: &Row<'_>) -> rusqlite::Result<StatusRow> {
    Ok(StatusRow {
        node: row.get(0)?,
        name: row.get(1)?,
        time: unsigned(row, 2)?,
        seq: unsigned(row, 3)?,
        state: row.get(4)?,
        desired: row.get(5)?,
        kind: row.get(6)?,
    })
}

fn history(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    let order: Option<i64> = row.get(6)?;
    Ok(HistoryRow {
        seq: unsigned(row, 0)?,
        time: unsigned(row, 1)?,
        node: row.get(2)?,
        name: row.get(3)?,
        register: row.get(4)?,
        state: row.get(5)?,
        order: order.map(i64::cast_unsigned),
        clock: unsigned(row, 7)?,
        owner: row.get(8)?,
        note: row.get(9)?,
        kind: row.get(10)?,
    })
}

/// The gateway that a replica's id names; the rest of it tells its disk.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u8> {
    unsigned(row, column).map(|id| id.to_le_bytes()[0])
}

/// SQLite has signed integers only; ours are never negative.
fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

#[cfg(test)]
mod tests;
