//! Makes a file the only voter, after a majority was lost for ever; and which generation of the site it is of.
//!
//! What the others decided without this replica is not in its log, so from here on there are two histories. The old
//! one must never be heard again: every recovery begins a new generation of the site, and whoever is of another one is
//! refused.
//!
//! ```text
//!  before   slots … 812 chosen │ 813 accepted │ 814 nothing │ 815 accepted
//!  after    slots … 812        │ 813          │ 814 no-op   │ 815            │ 816: gateway 1 alone votes   all chosen
//! ```
//!
//! What it accepted and does not know to be chosen is kept: it may have been acknowledged.

use paxos::{Ballot, ReplicaId, Slot, Value, Voters};
use rusqlite::{Connection, params};
use wire::{GatewayId, SiteGeneration, UnixMillis};

use super::disk::{self, Disk, Found};
use super::read::unsigned;
use super::{log, recover};

/// What a recovery did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The generation that begins.
    pub generation: SiteGeneration,
    /// Who votes no more.
    pub struck: Vec<GatewayId>,
}

/// Makes the replica in this file the only voter.
pub(super) fn stand_alone(
    connection: &Connection,
    gateway: GatewayId,
    now: UnixMillis,
) -> rusqlite::Result<Recovery> {
    let generation = SiteGeneration(generation(connection)?.0 + 1);
    let number = disk::random();
    disk::renumber(connection, Disk { number, found: Found::Known })?;
    let me = ReplicaId::new(gateway.0, number);
    let struck = voters_but(connection, gateway)?;
    close_the_log(connection, me)?;
    let names = struck.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    write(connection, generation, now, &names)?;
    Ok(Recovery { generation, struck })
}

/// Everything that was accepted is chosen, and behind it this replica alone votes.
fn close_the_log(connection: &Connection, me: ReplicaId) -> rusqlite::Result<()> {
    let (promised, chosen) = log::acceptor(connection)?;
    let ballot = Ballot { round: promised.round + 1, replica: me };
    let accepted = log::entries(connection, chosen.next(), Slot(u64::MAX), usize::MAX)?;
    let last = accepted.last().map_or(chosen, |entry| entry.slot);
    for slot in (chosen.0 + 1..=last.0).map(Slot) {
        if accepted.binary_search_by_key(&slot, |entry| entry.slot).is_err() {
            log::accept(connection, slot, ballot, &Value::NoOp)?;
        }
    }
    let alone = Voters::new([me]).unwrap_or_default();
    log::accept(connection, last.next(), ballot, &Value::Voters(alone.clone().into()))?;
    log::promise(connection, ballot)?;
    log::found(connection, &alone)?;
    log::choose(connection, last.next())
}

/// Who votes beside this gateway, by what the file holds.
pub(super) fn voters_but(
    connection: &Connection,
    gateway: GatewayId,
) -> rusqlite::Result<Vec<GatewayId>> {
    let voters = recover::paxos_voters(connection)?;
    let numbers = voters.iter().map(|id| GatewayId(id.number()));
    Ok(numbers.filter(|id| *id != gateway).collect())
}

/// Of which generation of the site a file is.
pub(super) fn generation(connection: &Connection) -> rusqlite::Result<SiteGeneration> {
    let sql = "SELECT ifnull(max(generation), 0) FROM recoveries";
    let number = connection.query_row(sql, [], |row| unsigned(row, 0))?;
    Ok(SiteGeneration(u32::try_from(number).unwrap_or(u32::MAX)))
}

/// A file of this generation from here on.
pub(super) fn write(
    connection: &Connection,
    generation: SiteGeneration,
    now: UnixMillis,
    struck: &str,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO recoveries (generation, time, struck, sum)
        VALUES (?1, ?2, ?3, hearth_sum(?1, ?2, ?3)) ON CONFLICT DO NOTHING";
    connection.execute(sql, params![generation.0, now.0.cast_signed(), struck]).map(drop)
}
