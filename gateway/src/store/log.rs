//! Paxos' part of the file: the acceptor's row and the log.

use hearth_storage::malformed;
use paxos::{Ballot, Entry, ReplicaId, Slot, Value, Voters};
use rusqlite::{Connection, Row, params};

use super::read::parsed;
use super::{sums, text};

/// First byte of every value, so that a later form of it can be told apart.
const VERSION: u8 = 1;

/// Raises the promise.
pub(super) fn promise(connection: &Connection, ballot: Ballot) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE acceptor SET promised_round = ?1, promised_gateway = ?2,
             sum = hearth_sum(id, ?1, ?2, chosen, founders)",
        )?
        .execute(params![ballot.round.cast_signed(), ballot.replica.0.cast_signed()])
        .map(drop)
}

/// Writes who founded the group.
pub(super) fn found(connection: &Connection, founders: &Voters) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE acceptor SET founders = ?1,
             sum = hearth_sum(id, promised_round, promised_gateway, chosen, ?1)",
        )?
        .execute([text::voters(founders)])
        .map(drop)
}

/// Who founded the group; nobody in a blank file.
pub(super) fn founders(connection: &Connection) -> rusqlite::Result<Voters> {
    connection.query_row("SELECT founders FROM acceptor", [], |row| {
        parsed(row, 0, "acceptor.founders", text::parse_voters)
    })
}

/// Writes how far everything is chosen.
pub(super) fn choose(connection: &Connection, slot: Slot) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE acceptor SET chosen = ?1,
             sum = hearth_sum(id, promised_round, promised_gateway, ?1, founders)",
        )?
        .execute([slot.0.cast_signed()])
        .map(drop)
}

/// Writes what was accepted in a slot.
pub(super) fn accept(
    connection: &Connection,
    slot: Slot,
    ballot: Ballot,
    value: &Value,
) -> rusqlite::Result<()> {
    let (round, gateway) = (ballot.round.cast_signed(), ballot.replica.0.cast_signed());
    connection
        .prepare_cached(
            "INSERT INTO log (slot, round, gateway, value, sum)
             VALUES (?1, ?2, ?3, ?4, hearth_sum(?1, ?2, ?3, ?4))
             ON CONFLICT DO UPDATE SET round = ?2, gateway = ?3, value = ?4, sum = excluded.sum",
        )?
        .execute(params![slot.0.cast_signed(), round, gateway, encode(value)?])
        .map(drop)
}

/// The lowest slot that the log holds; none when it is empty.
pub(super) fn first(connection: &Connection) -> rusqlite::Result<Option<Slot>> {
    let slot = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
    let first = connection.query_row("SELECT min(slot) FROM log", [], slot)?;
    Ok(first.map(|slot| Slot(slot.cast_unsigned())))
}

/// Deletes the log up to a slot.
pub(super) fn trim(connection: &Connection, to: Slot) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM log WHERE slot <= ?1")?
        .execute([to.0.cast_signed()])
        .map(drop)
}

/// The promise, and how far everything is chosen.
pub(super) fn acceptor(connection: &Connection) -> rusqlite::Result<(Ballot, Slot)> {
    let sql = "SELECT promised_round, promised_gateway, chosen FROM acceptor";
    connection.query_row(sql, [], |row| {
        Ok((ballot(row, 0, 1)?, Slot(row.get::<_, i64>(2)?.cast_unsigned())))
    })
}

/// At most `limit` entries in `from ..= to`, ascending.
pub(super) fn entries(
    connection: &Connection,
    from: Slot,
    to: Slot,
    limit: usize,
) -> rusqlite::Result<Vec<Entry>> {
    // A slot beyond SQLite's range stands for "no end".
    let bound = |slot: Slot| i64::try_from(slot.0).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT slot, round, gateway, value, sum IS hearth_sum(slot, round, gateway, value)
             FROM log WHERE slot BETWEEN ?1 AND ?2 ORDER BY slot LIMIT ?3",
        )?
        .query_map(params![bound(from), bound(to), limit], entry)?
        .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    sums::check_row(row, 4, "log")?;
    let slot = Slot(row.get::<_, i64>(0)?.cast_unsigned());
    let bytes = row.get_ref(3)?.as_blob()?;
    let value = decode(bytes)
        .ok_or_else(|| malformed(3, format!("slot {slot} of the log holds no value we know")))?;
    Ok(Entry { slot, ballot: ballot(row, 1, 2)?, value })
}

fn ballot(row: &Row<'_>, round: usize, replica: usize) -> rusqlite::Result<Ballot> {
    let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(Ballot { round: number(round)?, replica: ReplicaId(number(replica)?) })
}

fn encode(value: &Value) -> rusqlite::Result<Vec<u8>> {
    postcard::to_extend(value, vec![VERSION])
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn decode(bytes: &[u8]) -> Option<Value> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((value, [])) => Some(value),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paxos::{Request, SessionId};

    #[test]
    fn values_come_back_and_damaged_ones_do_not() {
        let request = Request { session: SessionId(1), number: 300, payload: [1, 2, 3].into() };
        for value in [Value::NoOp, Value::Batch([request.clone(), request].into())] {
            let bytes = encode(&value).unwrap();
            assert_eq!(decode(&bytes), Some(value));
            for length in 0..bytes.len() {
                assert_eq!(decode(&bytes[..length]), None, "cut to {length}");
            }
            assert_eq!(decode(&[&bytes[..], &[0]].concat()), None, "too long");
            assert_eq!(decode(&[&[VERSION + 1], &bytes[1..]].concat()), None, "another version");
        }
    }
}
