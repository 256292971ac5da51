//! A majority of the gateways is lost for ever, and the home goes on with what is left.

use std::path::PathBuf;
use std::process::Stdio;

use gateway::inspect;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::kit::{Home, Process, text};

/// Moves the files of a gateway to another folder.
fn move_files(from: &std::path::Path, to: &std::path::Path, id: u8) {
    for end in ["db", "db-wal", "db-shm", "life"] {
        let name = format!("gateway-{id}.{end}");
        drop(std::fs::remove_file(to.join(&name)));
        if from.join(&name).exists() {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
            std::fs::remove_file(from.join(&name)).unwrap();
        }
    }
}

/// A gateway with an old file says what has happened and what to do, and ends.
fn is_refused(home: &Home, id: u8) {
    let gateway = Process::start(home.gateway(id).args(["--trust-file"]).stderr(Stdio::piped()));
    let ended = gateway.end();
    let said = text(&ended.stderr);
    assert!(!ended.status.success(), "{said}");
    assert!(said.contains("goes on without this file") && said.contains("generation 1"), "{said}");
    assert!(said.contains(&format!("hearth voters --add {id}")), "{said}");
    assert!(!said.contains("leads"), "{said}");
}

#[test]
fn a_home_goes_on_with_one_file_and_old_ones_do_not_disturb() {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    let (old, data) = (TempDir::new().unwrap(), home.data().to_owned());
    let file = inspect::file(&data, 1);
    let recover = |home: &Home, more: &[&str]| {
        let from = ["recover", "--from", file.to_str().unwrap(), "--as-only-voter"];
        home.hearth(&[&from[..], more].concat())
    };
    let running = recover(&home, &["--yes"]);
    assert!(!running.status.success(), "while gateway 1 runs: {running:?}");
    for id in [2, 3, 1] {
        home.kill(id);
    }
    for id in [2, 3] {
        move_files(&data, old.path(), id);
    }
    let unasked = recover(&home, &[]);
    assert_eq!(unasked.status.code(), Some(2), "{unasked:?}");
    let done = recover(&home, &["--yes"]);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{done:?}");
    assert!(
        said.contains("Gateways 2, 3 lose their votes") && said.contains("generation 1"),
        "{said}"
    );
    assert!(said.contains("last agreed change  1,"), "{said}");

    home.start_gateway(1);
    home.publish("home/cellar/meter/report", "2", &[]);
    // The old ones are two of three, and find each other; the site is not theirs any more.
    for id in [2, 3] {
        move_files(old.path(), &data, id);
        is_refused(&home, id);
    }
    home.kill(1);
    let both: Vec<_> = [2, 3]
        .map(|id| Process::start(home.gateway(id).args(["--trust-file"]).stderr(Stdio::piped())))
        .into();
    for gateway in both {
        let said = text(&gateway.end().stderr);
        assert!(said.contains("goes on without this file"), "nobody of the new site lives: {said}");
    }
    home.start_gateway(1);
    home.publish("home/cellar/meter/report", "3", &[]);
    assert_eq!(home.answer("home/cellar/meter/get", "")["state"], "3");

    // With empty files they are new members.
    for id in [2, 3] {
        move_files(&data, old.path(), id);
        home.start_gateway(id);
        home.until(&format!("gateway {id} has a vote"), |home| {
            home.hearth(&["voters", "--add", &id.to_string()]).status.success()
        });
    }
    home.until_alive(2);
    home.until_alive(3);
    home.kill(1);
    home.publish("home/cellar/meter/report", "4", &[]);
    let history = home.answer("hearth/home/api/history", "");
    let changes = history["history"].as_array().unwrap();
    let states: Vec<_> = changes.iter().map(|change| change["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["1", "2", "3", "4"]);
}

#[test]
fn only_a_gateways_file_that_knows_a_site_is_recovered_from() {
    let mut home = Home::start();
    home.kill(2);
    // Everything is in the file itself.
    let file = Connection::open(inspect::file(home.data(), 2)).unwrap();
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let recover = |from: PathBuf| {
        home.hearth(&["recover", "--yes", "--as-only-voter", "--from", from.to_str().unwrap()])
    };
    let renamed = home.data().join("copy.db");
    std::fs::copy(inspect::file(home.data(), 2), &renamed).unwrap();
    for (file, why) in
        [(renamed, "call it gateway-2.db"), (home.data().join("gateway-9.db"), "there is no file")]
    {
        let refused = recover(file);
        assert!(!refused.status.success() && text(&refused.stderr).contains(why), "{refused:?}");
    }
}
