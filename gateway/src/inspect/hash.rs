//! Hashes of the replicated tables.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::TableHash;

/// FNV-1a, 64 bits (Fowler, Noll, Vo): it finds differences, it does not withstand forgery.
pub(crate) struct Fnv(pub(crate) u64);

impl Fnv {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// A value of SQLite's.
    pub(crate) fn column(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.value(b'0', &[]),
            ValueRef::Integer(number) => self.value(b'i', &number.to_le_bytes()),
            ValueRef::Real(number) => self.value(b'r', &number.to_bits().to_le_bytes()),
            ValueRef::Text(text) => self.value(b't', text),
            ValueRef::Blob(bytes) => self.value(b'b', bytes),
        }
    }

    /// Type and length go in front, so that no two different rows give the same bytes.
    fn value(&mut self, tag: u8, bytes: &[u8]) {
        self.add(&[tag]);
        self.add(&(bytes.len() as u64).to_le_bytes());
        self.add(bytes);
    }
}

/// Rows and hash of every table that is not in `local`.
pub(super) fn tables(
    connection: &Connection,
    local: &[&str],
) -> rusqlite::Result<BTreeMap<String, TableHash>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut names = connection.prepare(sql)?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let replicated = names.into_iter().filter(|name| !local.contains(&name.as_str()));
    replicated.map(|name| Ok((name.clone(), table(connection, &name)?))).collect()
}

/// One hash over all of `tables`.
pub(super) fn of_tables(tables: &BTreeMap<String, TableHash>) -> u64 {
    let mut hash = Fnv::new();
    for (name, table) in tables {
        hash.value(b'n', name.as_bytes());
        hash.add(&table.rows.to_le_bytes());
        hash.add(&table.hash.to_le_bytes());
    }
    hash.0
}

fn table(connection: &Connection, name: &str) -> rusqlite::Result<TableHash> {
    // Ordered by every column: two replicas may have inserted the same rows in different order.
    let columns = connection.prepare(&format!("SELECT * FROM \"{name}\""))?.column_count();
    let order: Vec<String> = (1..=columns).map(|column| column.to_string()).collect();
    let sql = format!("SELECT * FROM \"{name}\" ORDER BY {}", order.join(", "));
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query([])?;
    let (mut hash, mut rows) = (Fnv::new(), 0);
    while let Some(row) = found.next()? {
        rows += 1;
        for column in 0..columns {
            hash.column(row.get_ref(column)?);
        }
    }
    Ok(TableHash { rows, hash: hash.0 })
}
