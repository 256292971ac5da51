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
    for table in tables(connection)? {
        let columns = columns(connection, &table)?;
        let sql = format!(
            "SELECT count(*) FROM \"{table}\" WHERE sum IS NOT {NAME}({})",
            columns.join(", ")
        );
        let wrong: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        if wrong > 0 {
            let rows = if wrong == 1 { "row" } else { "rows" };
            return Err(malformed(
                0,
                format!("{wrong} {rows} of table {table} are not as written"),
            ));
        }
    }
    Ok(())
}

/// Whether a row that was read is as it was written: the value of `sum IS hearth_sum(…)`.
pub(super) fn check_row(row: &Row<'_>, column: usize, table: &str) -> rusqlite::Result<()> {
    if row.get(column)? {
        return Ok(());
    }
    Err(malformed(column, format!("a row of table {table} is not as written")))
}

/// Writes the sums anew, as for rows that had none.
#[cfg(test)]
pub(super) fn write_all(connection: &Connection) -> rusqlite::Result<()> {
    teach(connection)?;
    for table in tables(connection)? {
        let columns = columns(connection, &table)?.join(", ");
        connection.execute(&format!("UPDATE \"{table}\" SET sum = {NAME}({columns})"), [])?;
    }
    Ok(())
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let statement = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let names = statement.column_names().filter(|name| *name != "sum");
    Ok(names.map(str::to_owned).collect())
}
