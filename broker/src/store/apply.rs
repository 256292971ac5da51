//! What a change means for the tables.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};

use broker_core::protocol::{Filter, Properties, Publish, Will};
use broker_core::{Keep, LastWill, Lasting, Waiting};
use broker_core::{Message, Moment};

/// Flags of a subscription's options.
pub(super) const NO_LOCAL: u8 = 1;
pub(super) const RETAIN_AS_PUBLISHED: u8 = 2;
/// Flags of what waits for a session.
pub(super) const RETAIN: u8 = 1;
pub(super) const STORED: u8 = 2;
pub(super) const RELEASED: u8 = 4;

/// Tells instants of the broker's own time in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    now: Moment,
    unix: i64,
}

impl Clock {
    /// The present is about `now`. The wall clock is read for every transaction, so one that was set right meanwhile
    /// does no lasting harm.
    pub(super) fn at(now: Moment) -> Self {
        Self { now, unix: unix_millis() }
    }

    fn wall(self, at: Moment) -> i64 {
        let millis = |moment: Moment| i64::try_from(moment.0.as_millis()).unwrap_or(i64::MAX);
        self.unix.saturating_add(millis(at).saturating_sub(millis(self.now)))
    }
}

pub(super) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn apply(
    connection: &Connection,
    site: &str,
    clock: Clock,
    change: &Keep,
) -> rusqlite::Result<()> {
    match change {
        Keep::Retained(message) => retain(connection, clock, message),
        Keep::Cleared(topic) => {
            execute(connection, "DELETE FROM retained WHERE topic = ?1", [topic])
        }
        Keep::Session(lasting) => session(connection, clock, lasting),
        Keep::SessionEnded(client) => {
            execute(connection, "DELETE FROM subscriptions WHERE client = ?1", [client])?;
            execute(connection, "DELETE FROM waiting WHERE client = ?1", [client])?;
            execute(connection, "DELETE FROM sessions WHERE client = ?1", [client])
        }
        Keep::Subscribed(client, filter, id) => subscribe(connection, client, filter, *id),
        Keep::Unsubscribed(client, filter) => {
            let sql = "DELETE FROM subscriptions WHERE client = ?1 AND filter = ?2";
            execute(connection, sql, params![client, filter])
        }
        Keep::Asleep(client, waiting, received) => {
            execute(connection, "DELETE FROM waiting WHERE client = ?1", [client])?;
            for waiting in waiting {
                wait(connection, clock, client, waiting)?;
            }
            let received: Vec<u8> = received.iter().flat_map(|id| id.to_be_bytes()).collect();
            let sql = "UPDATE sessions SET received = ?2 WHERE client = ?1";
            execute(connection, sql, params![client, received])
        }
        Keep::Awake(client) => {
            execute(connection, "UPDATE sessions SET received = x'' WHERE client = ?1", [client])
        }
        Keep::Received(client, id) => {
            // || would make a text of it.
            let sql =
                "UPDATE sessions SET received = CAST(received || ?2 AS BLOB) WHERE client = ?1";
            execute(connection, sql, params![client, id.to_be_bytes()])
        }
        Keep::Waiting(client, waiting) => wait(connection, clock, client, waiting),
        Keep::Delivered(client, number) => {
            let sql = "DELETE FROM waiting WHERE client = ?1 AND number = ?2";
            execute(connection, sql, params![client, number])
        }
        Keep::Will(last) => will(connection, clock, last),
        Keep::WillOver(client) => {
            execute(connection, "DELETE FROM wills WHERE client = ?1", [client])
        }
        Keep::Gateways => execute(connection, "UPDATE broker SET gateways = ?1", [site]),
    }
}

fn retain(connection: &Connection, clock: Clock, message: &Message) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO retained (topic, payload, qos, properties, expires, owner)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Message { topic, payload, qos, properties, expires, owner, .. } = message;
    let expires = expires.map(|at| clock.wall(at));
    let values = params![topic, &payload[..], *qos as u8, &properties[..], expires, owner];
    execute(connection, sql, values)
}

fn session(connection: &Connection, clock: Clock, lasting: &Lasting) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sessions (client, user, expiry, ends) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET user = ?2, expiry = ?3, ends = ?4";
    let ends = lasting.ends_at.map(|at| clock.wall(at));
    execute(connection, sql, params![lasting.client, lasting.user, lasting.expiry, ends])
}

fn subscribe(
    connection: &Connection,
    client: &str,
    filter: &Filter,
    id: Option<u32>,
) -> rusqlite::Result<()> {
    // An update keeps the place among the others.
    let sql = "INSERT INTO subscriptions (client, filter, qos, options, identifier)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET qos = ?3, options = ?4, identifier = ?5";
    let no_local = if filter.no_local { NO_LOCAL } else { 0 };
    let as_published = if filter.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
    let options = no_local | as_published;
    execute(connection, sql, params![client, filter.path, filter.qos as u8, options, id])
}

fn wait(
    connection: &Connection,
    clock: Clock,
    client: &str,
    waiting: &Waiting,
) -> rusqlite::Result<()> {
    let Waiting { number, message, qos, retain, stored, ids, sent } = waiting;
    let sql = "INSERT INTO waiting (client, number, message, qos, flags, identifiers, pid)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT DO UPDATE SET flags = ?5, pid = ?7";
    let released = sent.is_some_and(|sent| sent.released);
    let flags = [(*retain, RETAIN), (*stored, STORED), (released, RELEASED)];
    let flags: u8 = flags.iter().map(|(set, flag)| u8::from(*set) * flag).sum();
    let ids: Vec<u8> = ids.iter().flat_map(|id| id.to_be_bytes()).collect();
    let pid = sent.map(|sent| sent.pid);
    let id = message.order.cast_signed();
    execute(connection, sql, params![client, number, id, *qos as u8, flags, ids, pid])?;
    // Whoever waits, the message stands there once.
    let sql = "INSERT OR IGNORE INTO messages (id, topic, payload, qos, properties, expires)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Message { topic, payload, qos, properties, expires, .. } = &**message;
    let expires = expires.map(|at| clock.wall(at));
    let values = params![id, topic, &payload[..], *qos as u8, &properties[..], expires];
    execute(connection, sql, values)
}

fn will(connection: &Connection, clock: Clock, last: &LastWill) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO wills
        (client, user, topic, payload, qos, retain, properties, expiry, delay, due)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let LastWill { client, user, will: Will { publish, delay }, due } = last;
    let Publish { topic, payload, qos, retain, properties, .. } = publish;
    let Properties { forwarded, expiry } = properties;
    let due = due.map(|at| clock.wall(at));
    let (payload, qos, forwarded) = (&payload[..], *qos as u8, &forwarded[..]);
    let values = params![client, user, topic, payload, qos, retain, forwarded, expiry, delay, due];
    execute(connection, sql, values)
}

fn execute(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
