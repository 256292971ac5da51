//! Rows that nobody wrote are found, in a file that is started with them and in one that is used.

use std::process::Stdio;

use gateway::inspect;
use rusqlite::{Connection, params};

use crate::kit::{Home, Process, text};

/// The present row of the only device in a gateway's file, as whoever puts it back later needs it.
struct Row {
    time: i64,
    seq: i64,
    clock: i64,
    state: String,
    sum: i64,
}

fn row(home: &Home, id: u8) -> Row {
    let file = Connection::open(inspect::file(home.data(), id)).unwrap();
    let sql = "SELECT time, seq, clock, state, sum FROM status";
    file.query_row(sql, [], |row| {
        Ok(Row {
            time: row.get(0)?,
            seq: row.get(1)?,
            clock: row.get(2)?,
            state: row.get(3)?,
            sum: row.get(4)?,
        })
    })
    .unwrap()
}

/// As sqlite3 would do it: the row fits its sum.
fn put_back(home: &Home, id: u8, row: &Row) {
    let file = Connection::open(inspect::file(home.data(), id)).unwrap();
    let sql = "UPDATE status SET time = ?1, seq = ?2, clock = ?3, state = ?4, sum = ?5";
    let Row { time, seq, clock, state, sum } = row;
    assert_eq!(file.execute(sql, params![time, seq, clock, state, sum]).unwrap(), 1);
}

/// A home with two reports, and gateway 2's row after the first.
fn with_an_older_row() -> (Home, Row) {
    let home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    let has = |seq: u64| {
        home.until("gateway 2 has it", |home| {
            home.ask("hearth/home/gateway/2/stats", "")["seq"] == seq
        });
    };
    has(1);
    let older = row(&home, 2);
    home.publish("home/cellar/meter/report", "2", &[]);
    has(2);
    (home, older)
}

#[test]
fn an_older_row_in_a_file_is_found_when_its_gateway_starts() {
    let (mut home, older) = with_an_older_row();
    home.kill(2);
    put_back(&home, 2, &older);
    let said = text(&Process::start(home.gateway(2).stderr(Stdio::piped())).end().stderr);
    assert!(said.contains("rows of table status are not those that were written"), "{said}");
    assert!(said.contains("row 2 (cellar/meter) is of change 1"), "{said}");
    assert!(said.contains("fetches everything from the others"), "{said}");
    assert_eq!(home.answer("home/cellar/meter/get", "")["state"], "2");
}

#[test]
fn an_older_row_in_a_file_that_is_used_is_found_on_demand() {
    let (mut home, older) = with_an_older_row();
    let sound = home.hearth(&["verify"]);
    assert!(sound.status.success() && text(&sound.stdout).contains("the same"), "{sound:?}");
    let mut gateway = home.gateways.remove(&2).unwrap();
    put_back(&home, 2, &older);
    let found = home.hearth(&["verify"]);
    let said = text(&found.stderr);
    assert_eq!(found.status.code(), Some(1), "{said}");
    assert!(said.contains("gateway 2 has rows that it never wrote"), "{said}");
    assert!(said.contains("row 2 (cellar/meter) is of change 1"), "{said}");
    home.until("gateway 2 has stopped", |_| !gateway.lives());
    // With an empty file it has everything again.
    for end in ["db", "db-wal", "db-shm", "life"] {
        drop(std::fs::remove_file(home.data().join(format!("gateway-2.{end}"))));
    }
    home.start_gateway(2);
    home.until("gateway 2 votes", |home| {
        home.ask("hearth/home/gateway/2/stats", "")["votes"] == true
    });
    home.until("all are the same", |home| home.hearth(&["verify"]).status.success());
    assert_eq!(home.ask("hearth/home/gateway/2/get", "cellar/meter")["state"], "2");
}
