#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

const FIRST: Format = Format {
    owner: "diary",
    table: "days",
    migrations: &["CREATE TABLE days (day INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"],
    durability: Durability::Commit,
    statements: 4,
    advice: |_| None,
};

/// The same with one more version.
const SECOND: Format = Format {
    migrations: &[FIRST.migrations[0], "ALTER TABLE days ADD COLUMN mood TEXT"],
    durability: Durability::Checkpoint,
    advice: |fault| matches!(fault, Fault::Damaged(_)).then_some("write it anew"),
    ..FIRST
};

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("diary.db")
}

fn open(format: Format, path: &Path) -> Result<Connection, Error> {
    let begin = |file: &Connection| file.execute_batch("INSERT INTO days VALUES (1, 'born')");
    format.open(path)?.upgrade(begin)
}

fn refusal(format: Format, path: &Path) -> Error {
    open(format, path).map(drop).unwrap_err()
}

fn pragma(connection: &Connection, name: &str) -> String {
    let value = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
    match connection.pragma_query_value(None, name, value).unwrap() {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_as_durable_as_its_format_says() {
    let folder = TempDir::new().unwrap();
    for (format, synchronous, version) in [(FIRST, "2", "1"), (SECOND, "1", "2")] {
        let connection = open(format, &file(&folder)).unwrap();
        let found = ["journal_mode", "synchronous", "wal_autocheckpoint", "user_version"]
            .map(|name| pragma(&connection, name));
        assert_eq!(found, ["wal", synchronous, "0", version]);
    }
}

#[test]
fn nobody_but_its_owner_may_read_a_new_file() {
    let folder = TempDir::new().unwrap();
    let connection = open(FIRST, &file(&folder)).unwrap();
    connection.execute_batch("UPDATE days SET text = 'secret'").unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 3, "the file, its write-ahead log and that log's index");
}

#[test]
fn an_older_file_keeps_its_rows_and_a_newer_one_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    open(FIRST, &path).unwrap().execute_batch("UPDATE days SET text = 'kept'").unwrap();
    assert_eq!(FIRST.open(&path).unwrap().version(), Version(1));
    let connection = open(SECOND, &path).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: (String, Option<String>) =
        connection.query_row("SELECT text, mood FROM days", [], row).unwrap();
    assert_eq!(found, ("kept".to_owned(), None));
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    let error = refusal(FIRST, &path);
    assert!(matches!(error.fault(), Fault::Newer { found: 2, known: Version(1) }), "{error:?}");
    let said = format!("{} has version 2, and this program knows versions up to 1", path.display());
    assert!(error.to_string().starts_with(&said), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn another_programs_file_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    for (name, version) in [("no-version", 0), ("same-version", 1), ("negative", -1)] {
        let path = folder.path().join(name);
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE other (x)").unwrap();
        other.pragma_update(None, "user_version", version).unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        let error = refusal(FIRST, &path);
        assert!(matches!(error.fault(), Fault::Foreign), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn damage_is_found_and_comes_with_the_advice_of_the_format() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    std::fs::write(&path, "a letter of more than sixteen bytes").unwrap();
    let error = refusal(SECOND, &path);
    assert!(matches!(error.fault(), Fault::Damaged(_)), "{error:?}");
    assert!(error.to_string().ends_with("; write it anew"), "{error}");
    std::fs::remove_file(&path).unwrap();
    drop(open(SECOND, &path).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..4296].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let error = refusal(SECOND, &path);
    assert!(matches!(error.fault(), Fault::Damaged(_)), "{error:?}");
}

#[test]
fn a_migration_that_fails_leaves_the_version_before() {
    const BROKEN: Format =
        Format { migrations: &[FIRST.migrations[0], "CREATE TABLE days (x)"], ..FIRST };
    let folder = TempDir::new().unwrap();
    let error = refusal(BROKEN, &file(&folder));
    assert!(error.to_string().contains("already exists"), "{error}");
    assert_eq!(FIRST.open(&file(&folder)).unwrap().version(), Version(1));
}

#[test]
fn the_lock_is_for_one_and_names_its_holder() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/diary.lock");
    let lock = FIRST.lock(&path).unwrap();
    let error = FIRST.lock(&path).unwrap_err();
    let holder = format!("process {}", std::process::id());
    assert!(
        matches!(error.fault(), Fault::Locked { holder: Some(found), .. } if *found == holder),
        "{error:?}"
    );
    assert!(error.to_string().contains(&format!("is held by another diary ({holder})")), "{error}");
    drop(lock);
    assert!(FIRST.lock(&path).is_ok());
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let letter = folder.path().join("letter");
    std::fs::write(&letter, "not a folder").unwrap();
    let error = FIRST.lock(&letter.join("diary.lock")).unwrap_err();
    assert_eq!(error.path(), letter);
    assert!(matches!(error.fault(), Fault::Unusable(_)), "{error:?}");
    std::fs::create_dir(file(&folder)).unwrap();
    let error = refusal(FIRST, &file(&folder));
    assert!(matches!(error.fault(), Fault::Unwritable(_)), "{error:?}");
}

#[test]
fn facts_beside_a_file_are_there_as_a_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let side = FIRST.side_file(folder.path().join("diary.life"));
    assert_eq!(side.read().unwrap(), None);
    let facts = Facts::from(
        [("mark", "7"), ("place", "a machine /a b")]
            .map(|(word, fact)| (word.to_owned(), fact.to_owned())),
    );
    side.write(&Facts::new()).unwrap();
    side.write(&facts).unwrap();
    assert_eq!(side.read().unwrap(), Some(facts));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half file is left");
    let mode = std::fs::metadata(side.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    for damaged in ["", "hearth", "hearth one\nmark 7\n", "\u{0}\u{0}"] {
        std::fs::write(side.path(), damaged).unwrap();
        assert_eq!(side.read().unwrap(), None, "{damaged:?}");
    }
    std::fs::write(side.path(), "hearth 2\nmark 7\n").unwrap();
    let error = side.read().unwrap_err();
    assert!(error.to_string().contains("diary.life has version 2"), "{error}");
}
