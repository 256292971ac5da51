//! Reads what an earlier life left.

use std::collections::HashMap;
use std::time::Duration;

use hearth_storage::malformed;
use rusqlite::{Connection, Row};

use super::StoreError;
use super::apply::{NO_LOCAL, RELEASED, RETAIN, RETAIN_AS_PUBLISHED, STORED};
use super::file::{FORMAT, File};
use broker_core::protocol::{Filter, Properties, Publish, Qos, RetainHandling, Will};
use broker_core::{Memory, Sent, StoredMessage, StoredSession, StoredWaiting, StoredWill};

/// Everything that is still valid at `now`, in milliseconds since the Unix epoch.
pub(super) fn memory(file: &File, now: i64) -> Result<Memory, StoreError> {
    let File { connection, path, site, .. } = file;
    let read = || {
        Ok(Memory {
            gateways: gateways(connection)? == *site,
            retained: retained(connection, now)?,
            sessions: sessions(connection, now)?,
            messages: messages(connection, now)?,
            wills: wills(connection, now)?,
        })
    };
    Ok(read().map_err(|cause| FORMAT.error(path, cause))?)
}

fn gateways(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT gateways FROM broker", [], |row| row.get(0))
}

fn retained(connection: &Connection, now: i64) -> rusqlite::Result<Vec<StoredMessage>> {
    connection.execute("DELETE FROM retained WHERE expires <= ?1", [now])?;
    let sql = "SELECT topic, payload, qos, properties, expires, owner FROM retained";
    let mut query = connection.prepare(sql)?;
    let rows = query.query_map([], |row| {
        Ok(StoredMessage {
            order: 0,
            topic: row.get(0)?,
            payload: row.get::<_, Vec<u8>>(1)?.into(),
            qos: qos(row, 2)?,
            properties: row.get::<_, Vec<u8>>(3)?.into(),
            left: left(row, 4, now)?,
            owner: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn sessions(connection: &Connection, now: i64) -> rusqlite::Result<Vec<StoredSession>> {
    connection.execute("DELETE FROM sessions WHERE ends <= ?1", [now])?;
    let orphans = "DELETE FROM subscriptions WHERE client NOT IN (SELECT client FROM sessions)";
    connection.execute(orphans, [])?;
    let orphans = "DELETE FROM waiting WHERE client NOT IN (SELECT client FROM sessions)";
    connection.execute(orphans, [])?;
    let mut subscriptions = subscriptions(connection)?;
    let mut waiting = waiting(connection)?;
    let mut query =
        connection.prepare("SELECT client, user, expiry, ends, received FROM sessions")?;
    let rows = query.query_map([], |row| {
        let client: Box<str> = row.get(0)?;
        Ok(StoredSession {
            user: row.get(1)?,
            expiry: row.get(2)?,
            left: left(row, 3, now)?,
            subscriptions: subscriptions.remove(&client).unwrap_or_default(),
            waiting: waiting.remove(&client).unwrap_or_default(),
            received: numbers(row, 4, u16::from_be_bytes)?,
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

fn messages(connection: &Connection, now: i64) -> rusqlite::Result<Vec<StoredMessage>> {
    let sql = "SELECT id, topic, payload, qos, properties, expires FROM messages";
    let mut query = connection.prepare(sql)?;
    let rows = query.query_map([], |row| {
        Ok(StoredMessage {
            order: row.get::<_, i64>(0)?.unsigned_abs(),
            topic: row.get(1)?,
            payload: row.get::<_, Vec<u8>>(2)?.into(),
            qos: qos(row, 3)?,
            properties: row.get::<_, Vec<u8>>(4)?.into(),
            left: left(row, 5, now)?,
            owner: None,
        })
    })?;
    rows.collect()
}

type Waiting = HashMap<Box<str>, Vec<StoredWaiting>>;

fn waiting(connection: &Connection) -> rusqlite::Result<Waiting> {
    let sql = "SELECT client, number, message, qos, flags, identifiers, pid FROM waiting
        ORDER BY client, number";
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([])?;
    let mut all = Waiting::new();
    while let Some(row) = rows.next()? {
        let flags: u8 = row.get(4)?;
        let pid: Option<u16> = row.get(6)?;
        let waiting = StoredWaiting {
            number: row.get(1)?,
            order: row.get::<_, i64>(2)?.unsigned_abs(),
            qos: qos(row, 3)?,
            retain: flags & RETAIN != 0,
            stored: flags & STORED != 0,
            ids: numbers(row, 5, u32::from_be_bytes)?.into(),
            sent: pid.map(|pid| Sent { pid, released: flags & RELEASED != 0 }),
        };
        all.entry(row.get(0)?).or_default().push(waiting);
    }
    Ok(all)
}

fn wills(connection: &Connection, now: i64) -> rusqlite::Result<Vec<StoredWill>> {
    let sql = "SELECT client, user, topic, payload, qos, retain, properties, expiry, delay, due FROM wills";
    let mut query = connection.prepare(sql)?;
    let rows = query.query_map([], |row| {
        let forwarded = row.get::<_, Vec<u8>>(6)?.into();
        let publish = Publish {
            dup: false,
            qos: qos(row, 4)?,
            retain: row.get(5)?,
            pid: 0,
            topic: row.get(2)?,
            payload: row.get::<_, Vec<u8>>(3)?.into(),
            properties: Properties { forwarded, expiry: row.get(7)? },
        };
        Ok(StoredWill {
            client: row.get(0)?,
            user: row.get(1)?,
            will: Will { publish, delay: row.get(8)? },
            left: left(row, 9, now)?,
        })
    })?;
    rows.collect()
}

/// Numbers of a fixed length in a blob.
fn numbers<T, const N: usize>(
    row: &Row<'_>,
    column: usize,
    number: fn([u8; N]) -> T,
) -> rusqlite::Result<Vec<T>> {
    let bytes: Vec<u8> = row.get(column)?;
    let (chunks, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(malformed(column, format!("{} bytes are no list of numbers", bytes.len())));
    }
    Ok(chunks.iter().map(|chunk| number(*chunk)).collect())
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
