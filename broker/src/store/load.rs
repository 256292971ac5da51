//! Reads what an earlier life left.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, Row};

use super::StoreError;
use super::error::malformed;
use super::file::File;
use super::writer::{NO_LOCAL, RETAIN_AS_PUBLISHED};
use crate::core::{Memory, StoredMessage, StoredSession};
use crate::protocol::{Filter, Qos, RetainHandling};

/// Everything that is still valid at `now`, in milliseconds since the Unix epoch.
pub(super) fn memory(file: &File, now: i64) -> Result<Memory, StoreError> {
    let File { connection, path, site, .. } = file;
    let read = || {
        Ok(Memory {
            gateways: gateways(connection)? == *site,
            retained: retained(connection, now)?,
            sessions: sessions(connection, now)?,
        })
    };
    read().map_err(|cause| StoreError::of(path, cause))
}

fn gateways(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT gateways FROM broker", [], |row| row.get(0))
}

fn retained(connection: &Connection, now: i64) -> rusqlite::Result<Vec<StoredMessage>> {
    connection.execute("DELETE FROM retained WHERE expires <= ?1", [now])?;
    let sql = "SELECT topic, payload, qos, properties, expires FROM retained";
    let mut query = connection.prepare(sql)?;
    let rows = query.query_map([], |row| {
        Ok(StoredMessage {
            topic: row.get(0)?,
            payload: row.get::<_, Vec<u8>>(1)?.into(),
            qos: qos(row, 2)?,
            properties: row.get::<_, Vec<u8>>(3)?.into(),
            left: left(row, 4, now)?,
        })
    })?;
    rows.collect()
}

fn sessions(connection: &Connection, now: i64) -> rusqlite::Result<Vec<StoredSession>> {
    connection.execute("DELETE FROM sessions WHERE ends <= ?1", [now])?;
    let orphans = "DELETE FROM subscriptions WHERE client NOT IN (SELECT client FROM sessions)";
    connection.execute(orphans, [])?;
    let mut subscriptions = subscriptions(connection)?;
    let mut query = connection.prepare("SELECT client, expiry, ends FROM sessions")?;
    let rows = query.query_map([], |row| {
        let client: Box<str> = row.get(0)?;
        Ok(StoredSession {
            expiry: row.get(1)?,
            left: left(row, 2, now)?,
            subscriptions: subscriptions.remove(&client).unwrap_or_default(),
            client,
        })
    })?;
    rows.collect()
}

type Subscriptions = HashMap<Box<str>, Vec<(Filter, Option<u32>)>>;

fn subscriptions(connection: &Connection) -> rusqlite::Result<Subscriptions> {
    let sql = "SELECT client, filter, qos, options, identifier FROM subscriptions ORDER BY rowid";
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([])?;
    let mut all = Subscriptions::new();
    while let Some(row) = rows.next()? {
        let options: u8 = row.get(3)?;
        let filter = Filter {
            path: row.get(1)?,
            qos: qos(row, 2)?,
            no_local: options & NO_LOCAL != 0,
            retain_as_published: options & RETAIN_AS_PUBLISHED != 0,
            retain_handling: RetainHandling::Never,
        };
        all.entry(row.get(0)?).or_default().push((filter, row.get(4)?));
    }
    Ok(all)
}

fn qos(row: &Row<'_>, column: usize) -> rusqlite::Result<Qos> {
    let bits: u8 = row.get(column)?;
    Qos::from_bits(bits).ok_or_else(|| malformed(column, format!("{bits} is no QoS")))
}

/// What is left until an instant.
fn left(row: &Row<'_>, column: usize, now: i64) -> rusqlite::Result<Option<Duration>> {
    let at: Option<i64> = row.get(column)?;
    Ok(at.map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0))))
}
