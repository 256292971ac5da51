//! A sum in every row, so that a disk that gives back other bytes than it was given is noticed.
//!
//! SQLite checks how its pages hang together, not what is in them: a bit that flips inside a value is another value,
//! and this replica would tell it to people and to the other replicas. So every table has a column `sum`, which is
//! `hearth_sum` of the other columns in their order; every start looks at every row, and what is read later is
//! looked at again. It finds faults of a disk; it does not withstand forgery.

use hearth_storage::malformed;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Row};

use crate::inspect::Fnv;

/// The function's name in SQL.
const NAME: &str = "hearth_sum";

/// Makes the function known to a connection.
pub(super) fn teach(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(NAME, -1, flags, |columns| Ok(sum(columns)))
}

fn sum(columns: &Context<'_>) -> i64 {
    let mut sum = Fnv::new();
    for at in 0..columns.len() {
        sum.column(columns.get_raw(at));
    }
    sum.0.cast_signed()
}

/// Looks at every row of every table.
///
/// # Errors
/// The first table with a row that is not what was written.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    tables(connection)?.iter().try_for_each(|table| total(connection, table).map(drop))
}

/// Looks at every row of a table, and gives the sum of their sums.
///
/// # Errors
/// When rows are not what was written.
pub(super) fn total(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let columns = columns(connection, table)?.join(", ");
    let sql = format!("SELECT sum, sum IS {NAME}({columns}) FROM \"{table}\"");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut total, mut wrong) = (0_u64, 0_u64);
    while let Some(row) = rows.next()? {
        total = total.wrapping_add(row.get::<_, i64>(0)?.cast_unsigned());
        wrong += u64::from(!row.get::<_, bool>(1)?);
    }
    match wrong {
        0 => Ok(total),
        1 => Err(malformed(0, format!("1 row of table {table} is not as written"))),
        _ => Err(malformed(0, format!("{wrong} rows of table {table} are not as written"))),
    }
}

/// Whether a row that was read is as it was written: the value of `sum IS hearth_sum(…)`.
pub(super) fn check_row(row: &Row<'_>, column: usize, table: &str) -> rusqlite::Result<()> {
    if row.get(column)? {
        return Ok(());
    }
    Err(malformed(column, format!("a row of table {table} is not as written")))
}

/// Writes the sums anew, as for rows that had none, and forgets the totals.
#[cfg(test)]
pub(super) fn write_all(connection: &Connection) -> rusqlite::Result<()> {
    teach(connection)?;
    let life = "SELECT 1 FROM sqlite_schema WHERE name = 'life'";
    if connection.prepare(life)?.exists([])? {
        connection.execute("UPDATE life SET totals = NULL", [])?;
    }
    for table in tables(connection)? {
        let columns = columns(connection, &table)?.join(", ");
        connection.execute(&format!("UPDATE \"{table}\" SET sum = {NAME}({columns})"), [])?;
    }
    Ok(())
}

/// Every table.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// The columns of a table's key.
pub(super) fn keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
    connection.prepare_cached(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// The columns of a table without its sum, in their order.
pub(super) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    // As rows, for a name that a disk has spoilt may be no text.
    let sql = "SELECT name FROM pragma_table_info(?1) WHERE name <> 'sum'";
    connection.prepare_cached(sql)?.query_map([table], |row| row.get(0))?.collect()
}
