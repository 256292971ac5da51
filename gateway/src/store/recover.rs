//! Rebuilds what a replica knew from its file.

use std::collections::BTreeMap;

use gateway_core::house::{Change, DeviceRow, House, Member, OpenOrder, Receipt, Timer, ZoneRow};
use gateway_core::id::Incarnation;
use gateway_core::witness::Witness;
use hearth_storage::malformed;
use paxos::{ReplicaId, Slot, Voters};
use rusqlite::{Connection, Row};
use wire::{
    Clock, Device, Epoch, GatewayId, Kind, NodeId, OrderNumber, Seq, State, UnixMillis, Zone,
};

use super::read::{optional_unsigned, parsed, rows, unsigned};
use super::{log, text};

/// The house as its last applied entry left it.
pub(super) fn house(connection: &Connection) -> rusqlite::Result<House> {
    let mut house = House::new();
    for row in values(connection)?.into_iter().chain(tables(connection)?) {
        house.restore(row);
    }
    house.restore(Change::Voters(voters(connection)?));
    Ok(house)
}

/// The slot up to which the tables are applied.
pub(super) fn applied(connection: &Connection) -> rusqlite::Result<Slot> {
    connection.query_row("SELECT applied FROM replica", [], |row| unsigned(row, 0).map(Slot))
}

/// No acceptor takes a slot so far above what is chosen: its windows are some thousand slots.
const AHEAD: u64 = 1 << 20;

/// What Paxos starts again from, with `window` chosen entries for replicas that are a little late.
pub(super) fn paxos(connection: &Connection, window: u64) -> rusqlite::Result<paxos::Recovered> {
    let (promised, chosen) = log::acceptor(connection)?;
    let applied = applied(connection)?;
    if applied > chosen {
        return Err(malformed(0, format!("slot {applied} is applied, and only {chosen} chosen")));
    }
    let below = Slot(chosen.0.saturating_sub(window)).min(applied);
    let accepted = log::entries(connection, below.next(), Slot(u64::MAX), usize::MAX)?;
    if let Some(far) = accepted.last().filter(|entry| entry.slot.above(chosen) > AHEAD) {
        let detail = format!("slot {} was accepted, and only {chosen} are chosen", far.slot);
        return Err(malformed(0, detail));
    }
    let to_apply = |slot: Slot| applied < slot && slot <= chosen;
    let found = accepted.iter().filter(|entry| to_apply(entry.slot)).count();
    if found as u64 != chosen.above(applied) {
        let detail =
            format!("slots {} to {chosen} are chosen, and some are missing", applied.next());
        return Err(malformed(0, detail));
    }
    let (founders, voters) = (log::founders(connection)?, paxos_voters(connection)?);
    Ok(paxos::Recovered { promised, accepted, chosen, applied, founders, voters })
}

/// Who votes after what is applied.
pub(super) fn paxos_voters(connection: &Connection) -> rusqlite::Result<Voters> {
    let voters = voters(connection)?;
    if voters.is_empty() { log::founders(connection) } else { Ok(voters) }
}

/// Who votes, if the log ever said so.
fn voters(connection: &Connection) -> rusqlite::Result<Voters> {
    let id = |row: &Row<'_>| unsigned(row, 0).map(ReplicaId);
    let ids = rows(connection, "SELECT replica FROM voters", [], id)?;
    Voters::try_from(ids).map_err(|error| malformed(0, format!("voters: {error}")))
}

/// What is remembered of the other gateways' files.
pub(super) fn witnesses(connection: &Connection) -> rusqlite::Result<BTreeMap<ReplicaId, Witness>> {
    let witness = |row: &Row<'_>| {
        let witness = Witness { life: unsigned(row, 1)?, age: unsigned(row, 2)? };
        Ok((ReplicaId(unsigned(row, 0)?), witness))
    };
    let found = rows(connection, "SELECT replica, life, age FROM witnesses", [], witness)?;
    Ok(found.into_iter().collect())
}

/// Counters, agreed settings and presence, and how zones came about; nothing in a file to which nothing was applied.
fn values(connection: &Connection) -> rusqlite::Result<Vec<Change>> {
    let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let values = rows(connection, "SELECT name, value FROM house", [], pair)?;
    let values: BTreeMap<String, String> = values.into_iter().collect();
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let made = values.iter().filter_map(|(name, value)| text::parse_made(name, value));
    let all: Result<Vec<_>, _> = made.chain([text::parse_house(&values)]).collect();
    all.map_err(|detail| malformed(0, detail))
}

type ReadRow = fn(&Row<'_>) -> rusqlite::Result<Change>;

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Change>> {
    const TABLES: [(&str, ReadRow); 6] = [
        ("SELECT gateway, alive, serves, caches, incarnation FROM gateways", gateway),
        ("SELECT zone, owner, home, epoch, next FROM zones", zone),
        ("SELECT node, zone, name, kind, registered, orders, cached FROM devices", device),
        ("SELECT node, number, state, clock FROM orders", order),
        ("SELECT name, generation, due FROM timers", timer),
        ("SELECT zone, key, at, node, seq, ordered FROM seen", saw),
    ];
    let mut found = Vec::new();
    for (sql, read) in TABLES {
        found.extend(rows(connection, sql, [], read)?);
    }
    Ok(found)
}

fn gateway(row: &Row<'_>) -> rusqlite::Result<Change> {
    let member = Member {
        alive: row.get(1)?,
        serves: row.get(2)?,
        caches: row.get(3)?,
        incarnation: Incarnation(unsigned(row, 4)?),
    };
    Ok(Change::Gateway(GatewayId(row.get(0)?), member))
}

fn zone(row: &Row<'_>) -> rusqlite::Result<Change> {
    let zone = ZoneRow {
        owner: GatewayId(row.get(1)?),
        home: GatewayId(row.get(2)?),
        epoch: Epoch(unsigned(row, 3)?),
        next: unsigned(row, 4)?,
    };
    Ok(Change::Zone(parsed(row, 0, "zones.zone", str::parse::<Zone>)?, zone))
}

fn device(row: &Row<'_>) -> rusqlite::Result<Change> {
    let device = DeviceRow {
        zone: parsed(row, 1, "devices.zone", str::parse::<Zone>)?,
        name: parsed(row, 2, "devices.name", str::parse::<Device>)?,
        kind: parsed(row, 3, "devices.kind", str::parse::<Kind>)?,
        registered: UnixMillis(unsigned(row, 4)?),
        orders: OrderNumber(unsigned(row, 5)?),
        cached: row.get(6)?,
    };
    Ok(Change::Device(NodeId(row.get(0)?), device))
}

fn order(row: &Row<'_>) -> rusqlite::Result<Change> {
    let order = OpenOrder {
        number: OrderNumber(unsigned(row, 1)?),
        state: parsed(row, 2, "orders.state", str::parse::<State>)?,
        clock: Clock(unsigned(row, 3)?),
    };
    Ok(Change::Order(NodeId(row.get(0)?), Some(order)))
}

fn timer(row: &Row<'_>) -> rusqlite::Result<Change> {
    let timer = Timer { generation: unsigned(row, 1)?, due: UnixMillis(unsigned(row, 2)?) };
    Ok(Change::Timer(parsed(row, 0, "timers.name", text::parse_timer)?, Some(timer)))
}

fn saw(row: &Row<'_>) -> rusqlite::Result<Change> {
    let zone = parsed(row, 0, "seen.zone", str::parse::<Zone>)?;
    let key = parsed(row, 1, "seen.key", |text| text::parse_seen(zone, text))?;
    let receipt = Receipt {
        node: NodeId(row.get(3)?),
        seq: Seq(unsigned(row, 4)?),
        order: optional_unsigned(row, 5)?.map(OrderNumber),
    };
    let place = unsigned(row, 2)?;
    Ok(Change::Saw(key, place, receipt))
}
