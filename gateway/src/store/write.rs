//! Writes records and changes, in the order in which they come, inside the caller's transaction.

use gateway_core::house::{
    Change, DeviceRow, Member, OpenOrder, Receipt, Register, SeenKey, StatusRow, Timer, ZoneRow,
};
use gateway_core::witness::Witness;
use paxos::{Record, ReplicaId, Slot, Voters};
use rusqlite::{Connection, Params, params};
use wire::{Clock, GatewayId, NodeId, Seq, UnixMillis, Zone};

use super::text::{self, HouseValues};
use super::{log, read};

/// Writes Paxos' records, except how far everything is chosen: that is one row, written by
/// [`log::choose`] once for all of them.
pub(super) fn records(connection: &Connection, records: &[Record]) -> rusqlite::Result<()> {
    for record in records {
        match record {
            Record::Promised(ballot) => log::promise(connection, *ballot)?,
            Record::Accepted { slot, ballot, value } => {
                log::accept(connection, *slot, *ballot, value)?;
            }
            Record::Founded(founders) => log::found(connection, founders)?,
            Record::Chosen(_) => {}
            Record::Installed(slot) => log::trim(connection, *slot)?,
        }
    }
    Ok(())
}

/// Writes the changes and gives the rows of [`Change::Status`], in order. `house` is what table
/// `house` holds; most entries change two or three of its rows.
pub(super) fn changes(
    connection: &Connection,
    changes: &[Change],
    house: &mut HouseValues,
) -> rusqlite::Result<Vec<StatusRow>> {
    let mut rows = Vec::new();
    let mut last = None;
    for change in changes {
        match change {
            // It replaces the one before as a whole, so only the last one matters.
            Change::House(counters, agreed, presence) => {
                last = Some(text::house(*counters, *agreed, *presence));
            }
            Change::Voters(voters) => write_voters(connection, voters)?,
            Change::Gateway(id, member) => gateway(connection, *id, *member)?,
            Change::Zone(name, row) => zone(connection, name, *row)?,
            Change::Device(node, row) => device(connection, *node, row)?,
            Change::Status { node, seq, time, clock, owner, register, note } => {
                let at = At { node: *node, seq: *seq, time: *time, clock: *clock };
                rows.push(status(connection, at, register)?);
                history(connection, at, *owner, register, note.as_deref())?;
            }
            Change::Order(node, open) => order(connection, *node, open.as_ref())?,
            Change::Timer(name, set) => timer(connection, &text::timer(*name), *set)?,
            Change::Saw(key, at, receipt) => {
                saw(connection, key, *at, *receipt)?;
            }
            Change::Forgot(key) => {
                let sql = "DELETE FROM seen WHERE zone = ?1 AND key = ?2";
                execute(connection, sql, (key.zone().as_str(), text::seen(key)))?;
            }
            Change::Made(zone, made) => {
                let sql = "INSERT INTO house (name, value, sum) VALUES (?1, ?2, hearth_sum(?1, ?2))
                    ON CONFLICT DO UPDATE SET value = ?2, sum = excluded.sum";
                execute(connection, sql, (text::made_name(zone), text::made(made)))?;
            }
            Change::Removed(zone) => {
                let sql = "DELETE FROM house WHERE name = ?1";
                execute(connection, sql, [text::made_name(zone)])?;
                execute(connection, "DELETE FROM zones WHERE zone = ?1", [zone.as_str()])?;
            }
        }
    }
    if let Some(values) = last {
        write_house(connection, house, values)?;
    }
    Ok(rows)
}

/// Writes what is to be remembered of other gateways' files.
pub(super) fn witnesses(
    connection: &Connection,
    witnesses: &[(ReplicaId, Option<Witness>)],
) -> rusqlite::Result<()> {
    for (file, witness) in witnesses {
        let file = file.0.cast_signed();
        let Some(Witness { life, age }) = witness else {
            execute(connection, "DELETE FROM witnesses WHERE replica = ?1", [file])?;
            continue;
        };
        let sql = "INSERT INTO witnesses (replica, life, age, sum)
            VALUES (?1, ?2, ?3, hearth_sum(?1, ?2, ?3))
            ON CONFLICT DO UPDATE SET life = ?2, age = ?3, sum = excluded.sum";
        execute(connection, sql, [file, life.cast_signed(), age.cast_signed()])?;
    }
    Ok(())
}

/// Writes the slot up to which the tables are applied.
pub(super) fn applied(connection: &Connection, slot: Slot) -> rusqlite::Result<()> {
    let sql = "UPDATE replica SET applied = ?1,
        sum = hearth_sum(id, site, gateway, incarnation, ?1, disk, inode, born)";
    execute(connection, sql, [slot.0.cast_signed()])
}

/// Writes how many commits there were, with this one, and the totals of all tables after it.
pub(super) fn life(connection: &Connection, age: u64, totals: &str) -> rusqlite::Result<()> {
    let sql = "UPDATE life SET age = ?1, totals = ?2,
        sum = hearth_sum(id, mark, ?1, before, fault, ?2)";
    execute(connection, sql, params![age.cast_signed(), totals])
}

/// Where a change of a register stands.
#[derive(Clone, Copy)]
struct At {
    node: NodeId,
    seq: Seq,
    time: UnixMillis,
    clock: Clock,
}

fn write_house(
    connection: &Connection,
    written: &mut HouseValues,
    values: HouseValues,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO house (name, value, sum) VALUES (?1, ?2, hearth_sum(?1, ?2))
        ON CONFLICT DO UPDATE SET value = ?2, sum = excluded.sum";
    for (name, value) in values.iter().filter(|(name, value)| written.get(*name) != Some(value)) {
        execute(connection, sql, (name, value))?;
    }
    *written = values;
    Ok(())
}

fn write_voters(connection: &Connection, voters: &Voters) -> rusqlite::Result<()> {
    execute(connection, "DELETE FROM voters", [])?;
    for id in voters.iter() {
        let sql = "INSERT INTO voters (gateway, replica, sum) VALUES (?1, ?2, hearth_sum(?1, ?2))";
        execute(connection, sql, params![id.number(), id.0.cast_signed()])?;
    }
    Ok(())
}

fn gateway(connection: &Connection, id: GatewayId, member: Member) -> rusqlite::Result<()> {
    let Member { alive, serves, caches, incarnation } = member;
    let sql = "INSERT INTO gateways (gateway, serves, alive, incarnation, caches, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, hearth_sum(?1, ?2, ?3, ?4, ?5))
        ON CONFLICT DO UPDATE
        SET serves = ?2, alive = ?3, incarnation = ?4, caches = ?5, sum = excluded.sum";
    execute(connection, sql, params![id.0, serves, alive, incarnation.0.cast_signed(), caches])
}

fn zone(connection: &Connection, name: &Zone, row: ZoneRow) -> rusqlite::Result<()> {
    let ZoneRow { owner, home, epoch, next } = row;
    let (epoch, next) = (epoch.0.cast_signed(), next.cast_signed());
    let sql = "INSERT INTO zones (zone, owner, home, epoch, next, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, hearth_sum(?1, ?2, ?3, ?4, ?5))
        ON CONFLICT DO UPDATE SET owner = ?2, home = ?3, epoch = ?4, next = ?5, sum = excluded.sum";
    execute(connection, sql, params![name.as_str(), owner.0, home.0, epoch, next])
}

fn device(connection: &Connection, node: NodeId, row: &DeviceRow) -> rusqlite::Result<()> {
    let DeviceRow { zone, name, kind, registered, orders, cached } = row;
    let (time, orders) = (registered.0.cast_signed(), orders.0.cast_signed());
    let sql = "INSERT INTO devices (node, zone, name, kind, registered, orders, cached, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, hearth_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7))
        ON CONFLICT (node) DO UPDATE
        SET zone = ?2, name = ?3, kind = ?4, registered = ?5, orders = ?6, cached = ?7,
        sum = excluded.sum";
    let names = (zone.as_str(), name.as_str(), kind.name());
    execute(connection, sql, params![node.0, names.0, names.1, names.2, time, orders, cached])?;
    let sql = "INSERT INTO status (node, time, seq, clock, sum)
        VALUES (?1, ?2, 0, 0, hearth_sum(?1, ?2, 0, 0, NULL, NULL, NULL))
        ON CONFLICT DO NOTHING";
    execute(connection, sql, params![node.0, time])
}

/// Writes one register of a device, and gives both.
fn status(connection: &Connection, at: At, register: &Register) -> rusqlite::Result<StatusRow> {
    let At { node, seq, time, clock } = at;
    let (seq, time, clock) = (seq.0.cast_signed(), time.0.cast_signed(), clock.0.cast_signed());
    match register {
        Register::State(state, _) => connection
            .prepare_cached(
                "INSERT INTO status (node, time, seq, clock, state, sum)
                 VALUES (?1, ?2, ?3, ?4, ?5, hearth_sum(?1, ?2, ?3, ?4, ?5, NULL, NULL))
                 ON CONFLICT DO UPDATE SET time = ?2, seq = ?3, clock = ?4, state = ?5,
                 sum = hearth_sum(?1, ?2, ?3, ?4, ?5, desired, ordered)
                 RETURNING node, time, seq, clock, state, desired, ordered,
                 sum IS hearth_sum(node, time, seq, clock, state, desired, ordered)",
            )?
            .query_row(params![node.0, time, seq, clock, state.as_str()], read::status_row),
        Register::Desired(state, number) => connection
            .prepare_cached(
                "INSERT INTO status (node, time, seq, clock, desired, ordered, sum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, hearth_sum(?1, ?2, ?3, ?4, NULL, ?5, ?6))
                 ON CONFLICT DO UPDATE
                 SET time = ?2, seq = ?3, clock = ?4, desired = ?5, ordered = ?6,
                 sum = hearth_sum(?1, ?2, ?3, ?4, state, ?5, ?6)
                 RETURNING node, time, seq, clock, state, desired, ordered,
                 sum IS hearth_sum(node, time, seq, clock, state, desired, ordered)",
            )?
            .query_row(
                params![node.0, time, seq, clock, state.as_str(), number.0.cast_signed()],
                read::status_row,
            ),
    }
}

fn history(
    connection: &Connection,
    at: At,
    owner: GatewayId,
    register: &Register,
    note: Option<&str>,
) -> rusqlite::Result<()> {
    let At { node, seq, time, clock } = at;
    let (seq, time, clock) = (seq.0.cast_signed(), time.0.cast_signed(), clock.0.cast_signed());
    let (register, value, ordered) = match register {
        Register::State(state, fulfilled) => ("state", state.as_str(), *fulfilled),
        Register::Desired(state, number) => ("desired", state.as_str(), Some(*number)),
    };
    let ordered = ordered.map(|number| number.0.cast_signed());
    let sql =
        "INSERT INTO history (seq, time, node, register, value, ordered, clock, owner, note, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
        hearth_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9))";
    let values = params![seq, time, node.0, register, value, ordered, clock, owner.0, note];
    execute(connection, sql, values)
}

fn order(connection: &Connection, node: NodeId, open: Option<&OpenOrder>) -> rusqlite::Result<()> {
    let Some(OpenOrder { number, state, clock }) = open else {
        return execute(connection, "DELETE FROM orders WHERE node = ?1", [node.0]);
    };
    let (number, clock) = (number.0.cast_signed(), clock.0.cast_signed());
    let sql = "INSERT INTO orders (node, number, state, clock, sum)
        VALUES (?1, ?2, ?3, ?4, hearth_sum(?1, ?2, ?3, ?4))
        ON CONFLICT DO UPDATE SET number = ?2, state = ?3, clock = ?4, sum = excluded.sum";
    execute(connection, sql, params![node.0, number, state.as_str(), clock])
}

fn timer(connection: &Connection, name: &str, set: Option<Timer>) -> rusqlite::Result<()> {
    let Some(Timer { generation, due }) = set else {
        return execute(connection, "DELETE FROM timers WHERE name = ?1", [name]);
    };
    let sql = "INSERT INTO timers (name, generation, due, sum)
        VALUES (?1, ?2, ?3, hearth_sum(?1, ?2, ?3))
        ON CONFLICT DO UPDATE SET generation = ?2, due = ?3, sum = excluded.sum";
    execute(connection, sql, params![name, generation.cast_signed(), due.0.cast_signed()])
}

fn saw(connection: &Connection, key: &SeenKey, at: u64, receipt: Receipt) -> rusqlite::Result<()> {
    let Receipt { node, seq, order } = receipt;
    let (zone, key) = (key.zone().as_str(), text::seen(key));
    let (at, seq) = (at.cast_signed(), seq.0.cast_signed());
    let ordered = order.map(|number| number.0.cast_signed());
    let sql = "INSERT INTO seen (zone, key, at, node, seq, ordered, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, hearth_sum(?1, ?2, ?3, ?4, ?5, ?6))
        ON CONFLICT DO UPDATE SET at = ?3, node = ?4, seq = ?5, ordered = ?6, sum = excluded.sum";
    execute(connection, sql, params![zone, key, at, node.0, seq, ordered])
}

fn execute(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
