//! A total of each table: the sum of its rows' sums. A row that is missing, that is there twice, or that an older
//! state of itself has taken the place of, has a sum that fits to it; the total does not fit any more.
//!
//! Triggers of the connection that writes follow every row, and the totals are written with every commit (table
//! `life`). Every start compares them with the rows, and so does [`survey`](super::survey) while the replica runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_storage::malformed;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::sums;
use crate::inspect::{Fnv, LOCAL_TABLES};

/// A total by the name of its table.
pub(super) type Totals = BTreeMap<String, u64>;

/// The function's name in SQL.
const NAME: &str = "hearth_total";

/// The totals of a connection that writes.
#[derive(Clone, Debug)]
pub(super) struct Running {
    tables: Arc<[Table]>,
}

#[derive(Debug)]
struct Table {
    name: String,
    total: AtomicU64,
}

impl Running {
    /// Follows the rows of every table from these totals on.
    pub(super) fn follow(connection: &Connection, totals: Totals) -> rusqlite::Result<Self> {
        let table = |(name, total): (String, u64)| Table { name, total: AtomicU64::new(total) };
        let tables: Arc<[Table]> = totals.into_iter().map(table).collect();
        let seen = Arc::clone(&tables);
        connection.create_scalar_function(NAME, 3, FunctionFlags::SQLITE_UTF8, move |row| {
            let number = |column| row.get::<i64>(column).map(i64::cast_unsigned);
            let (before, after) = (number(1)?, number(2)?);
            if let Some(table) = usize::try_from(number(0)?).ok().and_then(|at| seen.get(at)) {
                table.total.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
            }
            Ok(rusqlite::types::Null)
        })?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        for (at, Table { name, .. }) in tables.iter().enumerate() {
            for (event, before, after) in [
                ("INSERT", "0", "new.sum"),
                ("UPDATE", "old.sum", "new.sum"),
                ("DELETE", "old.sum", "0"),
            ] {
                connection.execute_batch(&format!(
                    "CREATE TEMP TRIGGER \"{event} {name}\" AFTER {event} ON main.\"{name}\"
                     BEGIN SELECT {NAME}({at}, {before}, {after}); END"
                ))?;
            }
        }
        Ok(Self { tables })
    }

    /// A digest of the totals of the replicated tables: equal on all replicas at equal slot.
    pub(super) fn digest(&self) -> u64 {
        let mut digest = Fnv::new();
        for Table { name, total } in &*self.tables {
            if !LOCAL_TABLES.contains(&name.as_str()) {
                digest.add(name.as_bytes());
                digest.add(&total.load(Ordering::Relaxed).to_le_bytes());
            }
        }
        digest.0
    }

    /// The totals with every change so far, as text.
    pub(super) fn text(&self) -> String {
        let totals = self.tables.iter();
        text(totals.map(|table| (&*table.name, table.total.load(Ordering::Relaxed))))
    }
}

/// Looks at every row of every table, and gives the totals.
///
/// # Errors
/// The first table with a row that is not what was written.
pub(super) fn of(connection: &Connection) -> rusqlite::Result<Totals> {
    let mut totals = Totals::new();
    for table in sums::tables(connection)? {
        // Its own row says what the totals are.
        if table != "life" {
            let total = sums::total(connection, &table)?;
            totals.insert(table, total);
        }
    }
    Ok(totals)
}

/// Compares the totals that were written with those of the rows.
///
/// # Errors
/// The first table whose rows are not those that were written.
pub(super) fn compare(
    connection: &Connection,
    written: &Totals,
    found: &Totals,
) -> rusqlite::Result<()> {
    match found.iter().find(|(name, total)| written.get(*name).is_some_and(|w| w != *total)) {
        None => Ok(()),
        Some((name, _)) => Err(malformed(0, differ(connection, name)?)),
    }
}

/// What is wrong with a table whose rows are not those that were written.
pub(super) fn differ(connection: &Connection, table: &str) -> rusqlite::Result<String> {
    let suspects = suspects(connection, table)?;
    let found = if suspects.is_empty() { "one is missing, or older".to_owned() } else { suspects };
    Ok(format!("the rows of table {table} are not those that were written: {found}"))
}

/// The rows that cannot be right beside the others: the status of a device is its last change in history, and history
/// has no holes.
fn suspects(connection: &Connection, table: &str) -> rusqlite::Result<String> {
    let sql = match table {
        "status" => {
            "SELECT 'row ' || node || ' (' || zone || '/' || name || ') is of change ' || seq
                || ', and the last one of this device is ' || last
             FROM status JOIN devices USING (node) JOIN
                (SELECT node, max(seq) AS last FROM history GROUP BY node) USING (node)
             WHERE seq <> last ORDER BY node LIMIT 5"
        }
        "history" => {
            "SELECT 'row ' || (seq + 1) || ' is missing' FROM history
             WHERE seq + 1 NOT IN (SELECT seq FROM history) AND seq < (SELECT max(seq) FROM history)
             ORDER BY seq LIMIT 5"
        }
        _ => return Ok(String::new()),
    };
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<Vec<String>>>()?.join("; "))
}

/// The totals that were written; none in a file that has none yet.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Totals>> {
    connection.query_row("SELECT totals FROM life", [], |row| {
        let Some(text) = row.get::<_, Option<String>>(0)? else { return Ok(None) };
        let parsed = parse(&text).ok_or_else(|| malformed(0, format!("life.totals is {text:?}")));
        parsed.map(Some)
    })
}

/// Totals as text that people can read.
pub(super) fn text<'a>(totals: impl Iterator<Item = (&'a str, u64)>) -> String {
    totals.fold(String::new(), |mut text, (name, total)| {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a text never fails.
        let _ = write!(text, "{space}{name}:{total:016x}");
        text
    })
}

fn parse(text: &str) -> Option<Totals> {
    let total = |part: &str| {
        let (name, total) = part.split_once(':')?;
        Some((name.to_owned(), u64::from_str_radix(total, 16).ok()?))
    };
    text.split(' ').filter(|part| !part.is_empty()).map(total).collect()
}
