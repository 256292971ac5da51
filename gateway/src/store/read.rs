//! Answers what a step wants read, after what it wanted written.

use std::fmt::Display;

use gateway_core::event::{HistoryRow, Read, Stored};
use gateway_core::house::StatusRow;
use hearth_storage::malformed;
use paxos::Slot;
use rusqlite::{Connection, Params, Row, params};
use wire::{Clock, Desired, GatewayId, NodeId, OrderNumber, Seq, State, UnixMillis};

use super::{log, sums, text};

/// The answer. Nothing after `chosen` is given to a late replica: it might not be chosen.
pub(super) fn answer(
    connection: &Connection,
    read: &Read,
    chosen: Slot,
) -> rusqlite::Result<Stored> {
    match read {
        Read::Status(node, ticket) => {
            let sql = "SELECT node, time, seq, clock, state, desired, ordered,
                sum IS hearth_sum(node, time, seq, clock, state, desired, ordered)
                FROM status WHERE node = ?1";
            let rows = rows(connection, sql, [node.0], status_row)?;
            Ok(Stored::Status(rows.into_iter().next(), *ticket))
        }
        Read::Zone(zone) => {
            let sql = "SELECT node, time, seq, clock, state, desired, ordered,
                status.sum IS hearth_sum(node, time, seq, clock, state, desired, ordered)
                FROM status JOIN devices USING (node) WHERE zone = ?1 ORDER BY node";
            let rows = rows(connection, sql, [zone.as_str()], status_row)?;
            Ok(Stored::Zone(zone.clone(), rows))
        }
        Read::Everything(ticket) => {
            let sql = "SELECT node, time, seq, clock, state, desired, ordered,
                sum IS hearth_sum(node, time, seq, clock, state, desired, ordered)
                FROM status ORDER BY node";
            Ok(Stored::Everything(rows(connection, sql, [], status_row)?, *ticket))
        }
        Read::History { node, from, limit, ticket } => {
            Ok(Stored::History(history(connection, *node, *from, *limit)?, *ticket))
        }
        Read::Log(fetch) => {
            let mut entries = log::entries(connection, fetch.from, chosen, fetch.limit)?;
            // Behind a hole the entries are of no use, and a late replica must not take them for
            // what comes next.
            let whole =
                entries.iter().zip(fetch.from.0..).take_while(|(e, slot)| e.slot.0 == *slot);
            let whole = whole.count();
            entries.truncate(whole);
            Ok(Stored::Log { to: fetch.to, entries })
        }
    }
}

/// The columns node, time, seq, clock, state, desired, ordered, and whether the row is as it was written.
pub(super) fn status_row(row: &Row<'_>) -> rusqlite::Result<StatusRow> {
    sums::check_row(row, 7, "status")?;
    let desired = optional_state(row, 5, "status.desired")?;
    let ordered = optional_unsigned(row, 6)?.map(OrderNumber);
    Ok(StatusRow {
        node: NodeId(row.get(0)?),
        time: UnixMillis(unsigned(row, 1)?),
        seq: Seq(unsigned(row, 2)?),
        clock: Clock(unsigned(row, 3)?),
        state: optional_state(row, 4, "status.state")?,
        desired: match (desired, ordered) {
            (Some(state), Some(order)) => Some(Desired { state, order }),
            (None, None) => None,
            _ => return Err(malformed(6, "status holds half an order")),
        },
    })
}

/// A row's number. SQLite has signed integers only; ours keep their bits.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// A row's number, if it has one.
pub(super) fn optional_unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<i64>>(column).map(|number| number.map(i64::cast_unsigned))
}

/// A row's text as what it stands for; `place` says where it is.
pub(super) fn parsed<T, E: Display>(
    row: &Row<'_>,
    column: usize,
    place: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).map_err(|error| malformed(column, text::unreadable(place, text, error)))
}

/// All rows of a query.
pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(values, read)?.collect()
}

fn optional_state(row: &Row<'_>, column: usize, place: &str) -> rusqlite::Result<Option<State>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => parsed(row, column, place, str::parse::<State>).map(Some),
    }
}

/// From a change on, or the newest ones; either way in the order in which they were agreed.
fn history(
    connection: &Connection,
    node: Option<NodeId>,
    from: Option<Seq>,
    limit: u32,
) -> rusqlite::Result<Vec<HistoryRow>> {
    let whose = match node {
        // Or else SQLite may walk the history of all devices for that of one.
        Some(_) => "INDEXED BY history_of_node WHERE node = ?1 AND seq >= ?2",
        None => "WHERE ?1 IS NULL AND seq >= ?2",
    };
    let direction = if from.is_some() { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT seq, time, node, register, value, ordered, clock, owner, note,
         sum IS hearth_sum(seq, time, node, register, value, ordered, clock, owner, note)
         FROM history {whose} ORDER BY seq {direction} LIMIT ?3"
    );
    let from_seq = from.map_or(0, |seq| i64::try_from(seq.0).unwrap_or(i64::MAX));
    let values = params![node.map(|node| node.0), from_seq, limit];
    let mut found = rows(connection, &sql, values, history_row)?;
    if from.is_none() {
        found.reverse();
    }
    Ok(found)
}

fn history_row(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    sums::check_row(row, 9, "history")?;
    Ok(HistoryRow {
        seq: Seq(unsigned(row, 0)?),
        time: UnixMillis(unsigned(row, 1)?),
        node: NodeId(row.get(2)?),
        register: row.get(3)?,
        state: parsed(row, 4, "history.value", str::parse::<State>)?,
        ordered: optional_unsigned(row, 5)?,
        clock: Clock(unsigned(row, 6)?).0,
        owner: GatewayId(row.get(7)?),
        note: row.get(8)?,
    })
}
