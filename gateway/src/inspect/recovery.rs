//! What a file would bring along as the only voter of its site, for whoever decides that.

use std::path::Path;

use rusqlite::OptionalExtension as _;

use super::{Connection, Error, FORMAT, OpenFlags, acceptor, rows, unsigned};

/// A file as a person has to look at it before the others are given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// The site.
    pub site: String,
    /// Whose file this is.
    pub gateway: u8,
    /// Who votes, by this file.
    pub voters: Vec<u8>,
    /// Of which generation of the site it is.
    pub generation: u32,
    /// The last slot that it knows to be chosen.
    pub chosen: u64,
    /// The last slot that it has accepted; it may be chosen or not.
    pub accepted: u64,
    /// The last agreed change in it: seq, and the time of day in milliseconds.
    pub last: Option<(u64, u64)>,
}

/// Looks at a file, without changing it.
///
/// # Errors
/// When it is no gateway's file, of a version that is not this program's, or damaged.
pub fn prospect(path: &Path) -> Result<Prospect, Error> {
    if !path.exists() {
        return Err(Error::Missing(path.to_owned()));
    }
    look(path).map_err(|cause| Error::of(path, cause))
}

fn look(path: &Path) -> Result<Prospect, super::Cause> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // Who votes stands in a file since version 3.
    if !(3..=i64::from(FORMAT.version().0)).contains(&version) {
        return Err(super::Cause::Version(version));
    }
    let number = |sql: &str| connection.query_row(sql, [], |row| unsigned(row, 0));
    let (site, gateway) = connection
        .query_row("SELECT site, gateway FROM replica", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (_, chosen) = acceptor(&connection)?;
    let has_recoveries = version >= 7;
    let generation = "SELECT ifnull(max(generation), 0) FROM recoveries";
    let generation = if has_recoveries { number(generation)? } else { 0 };
    let last = "SELECT seq, time FROM history ORDER BY seq DESC LIMIT 1";
    let last = connection.query_row(last, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)));
    Ok(Prospect {
        site,
        gateway,
        voters: voters(&connection)?,
        generation: u32::try_from(generation).unwrap_or(u32::MAX),
        chosen,
        accepted: number("SELECT ifnull(max(slot), 0) FROM log")?.max(chosen),
        last: last.optional()?,
    })
}

/// Who votes; before the log says so, the founders.
fn voters(connection: &Connection) -> rusqlite::Result<Vec<u8>> {
    let of_the_log =
        rows(connection, "SELECT gateway FROM voters ORDER BY gateway", |row| row.get(0))?;
    if !of_the_log.is_empty() {
        return Ok(of_the_log);
    }
    let founders: String =
        connection.query_row("SELECT founders FROM acceptor", [], |row| row.get(0))?;
    let ids = founders.split(',').filter_map(|id| id.parse::<u64>().ok());
    Ok(ids.map(|id| id.to_le_bytes()[0]).collect())
}
