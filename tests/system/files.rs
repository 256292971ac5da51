//! What people do to files: they put backups back, copy folders and move them.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use gateway::inspect;
use rusqlite::Connection;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::kit::{Home, PATIENCE, Process, hearth, root, text};

/// A home whose gateway 2 has been killed and started again since this copy of its file was made.
fn with_a_backup() -> (Home, PathBuf) {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    home.kill(2);
    let backup = home.data().join("backup");
    move_the_log(&inspect::file(home.data(), 2));
    std::fs::copy(inspect::file(home.data(), 2), &backup).unwrap();
    home.start_gateway(2);
    home.publish("home/cellar/meter/report", "2", &[]);
    home.until("gateway 2 is back", |home| home.ask("hearth/home/gateway/2/stats", "")["seq"] == 2);
    home.kill(2);
    (home, backup)
}

/// Everything is in the file itself.
fn move_the_log(file: &Path) {
    let connection = Connection::open(file).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// Without its file as it left it, gateway 2 has no vote, says why, and gets its vote back from the others.
fn has_no_vote_and_rejoins(mut home: Home) {
    home.kill(1);
    home.start_gateway(2);
    let stats = home.answer("hearth/home/gateway/2/stats", "");
    assert_eq!((&stats["leader"], &stats["votes"]), (&Json::Null, &Json::Bool(false)), "{stats}");
    let why = stats["trouble"].as_str().unwrap();
    assert!(why.contains("older state") && why.contains("--trust-file"), "{why}");
    let health = home.hearth(&["health", "--id", "2"]);
    let said = text(&health.stderr);
    assert!(!health.status.success() && said.contains("nobody leads"), "{health:?}");
    assert!(said.contains("older state"), "{said}");
    home.start_gateway(1);
    home.until("gateway 2 votes", |home| {
        home.ask("hearth/home/gateway/2/stats", "")["votes"] == true
    });
    home.publish("home/cellar/meter/report", "3", &[]);
    let history = home.answer("hearth/home/api/history", "");
    let changes = history["history"].as_array().unwrap();
    let states: Vec<_> = changes.iter().map(|change| change["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["1", "2", "3"]);
}

#[test]
fn a_backup_that_is_copied_over_a_gateways_file_has_no_vote() {
    let (home, backup) = with_a_backup();
    let file = inspect::file(home.data(), 2);
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{end}", file.display())));
    }
    // As `cp` does it: into the file that is there.
    std::fs::write(&file, std::fs::read(backup).unwrap()).unwrap();
    has_no_vote_and_rejoins(home);
}

/// A folder that goes back as a whole takes along what tells its state, as the disk of a virtual machine does.
#[test]
fn a_folder_that_was_put_back_is_found_out_by_the_others() {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    home.kill(2);
    let (backup, folder) = (TempDir::new().unwrap(), home.data().to_owned());
    let copy = |from: &Path, to: &Path| {
        move_the_log(&inspect::file(from, 2));
        for name in ["gateway-2.db", "gateway-2.life"] {
            // Into the file that is there, so that its inode tells nothing either.
            std::fs::write(to.join(name), std::fs::read(from.join(name)).unwrap()).unwrap();
        }
    };
    copy(&folder, backup.path());
    home.start_gateway(2);
    home.publish("home/cellar/meter/report", "2", &[]);
    home.until("gateway 2 is back", |home| home.ask("hearth/home/gateway/2/stats", "")["seq"] == 2);
    let number = |id: u8, sql: &str| -> i64 {
        let file = Connection::open(inspect::file(&folder, id)).unwrap();
        file.query_row(sql, [], |row| row.get(0)).unwrap_or(0)
    };
    // It tells its age ten times a second, so one that is killed sooner has not told the last.
    let known = |id| number(id, "SELECT max(age) FROM witnesses WHERE replica & 255 = 2");
    home.until("the others have written down how old it is", |_| {
        let age = number(2, "SELECT age FROM life");
        age > 0 && [1, 3].into_iter().all(|id| known(id) == age)
    });
    home.kill(2);
    move_the_log(&inspect::file(&folder, 2));
    [1, 3].into_iter().for_each(|id| home.kill(id));
    copy(backup.path(), &folder);
    // With gateway 1 it would be a majority. Gateway 1 has only what it has written down.
    home.start_gateway(1);
    let mut gateway = home.gateway(2);
    let mut gateway = Process::start(gateway.stderr(Stdio::piped()));
    let mut lines = BufReader::new(gateway.stderr()).lines().map_while(Result::ok);
    let found = lines.find(|line| line.contains("remembers the file of gateway 2"));
    assert!(found.is_some_and(|line| line.contains("gives its vote up")));
    let _ = std::thread::spawn(move || lines.count());
    home.gateways.insert(2, gateway);
    home.start_gateway(3);
    home.until("gateway 2 votes", |home| {
        home.ask("hearth/home/gateway/2/stats", "")["votes"] == true
    });
    home.publish("home/cellar/meter/report", "3", &[]);
    let history = home.answer("hearth/home/gateway/2/log", "");
    assert!(history.to_string().contains('3'), "{history}");
}

#[test]
fn a_backup_that_is_restored_into_a_gateways_file_has_no_vote() {
    if Command::new("sqlite3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no sqlite3 here");
        return;
    }
    let (home, backup) = with_a_backup();
    move_the_log(&inspect::file(home.data(), 2));
    let restore = format!(".restore {}", backup.display());
    let restored =
        Command::new("sqlite3").arg(inspect::file(home.data(), 2)).arg(restore).output().unwrap();
    assert!(restored.status.success(), "{restored:?}");
    has_no_vote_and_rejoins(home);
}

#[test]
fn moved_files_are_given_their_votes_back_also_after_a_start_without_them() {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    for id in 1..=3 {
        home.kill(id);
    }
    // The files of the whole home come to lie elsewhere, as on another disk.
    for id in 1..=3 {
        let file = inspect::file(home.data(), id);
        move_the_log(&file);
        let moved = home.data().join("moved");
        std::fs::copy(&file, &moved).unwrap();
        std::fs::rename(&moved, &file).unwrap();
    }
    for _ in 0..2 {
        for id in 1..=3 {
            home.start_gateway(id);
        }
        let status = home.hearth(&["status"]);
        let said = text(&status.stderr);
        assert!(!status.status.success(), "{status:?}");
        assert!(said.contains("nobody leads") && said.contains("gateway 3: its file"), "{said}");
        assert!(said.contains("--trust-file"), "{said}");
        for id in 1..=3 {
            home.kill(id);
        }
    }
    for id in 1..=3 {
        home.start_gateway_with(id, &["--trust-file"]);
    }
    for id in 1..=3 {
        home.until_alive(id);
    }
    home.publish("home/cellar/meter/report", "2", &[]);
    for id in 1..=3 {
        home.kill(id);
    }
    // From now on they need no word.
    for id in 1..=3 {
        home.start_gateway(id);
    }
    for id in 1..=3 {
        home.until_alive(id);
    }
}

/// The home that a program before versions left behind.
#[test]
fn a_home_of_f4fe4dd_is_up_again_with_everything_in_it() {
    let folder = TempDir::new().unwrap();
    for (place, names) in [
        ("gateway", &["gateway-1.db", "gateway-2.db", "gateway-3.db"][..]),
        ("broker", &["broker-1.db"]),
    ] {
        for name in names {
            let golden = root().join(place).join("tests/golden/f4fe4dd").join(name);
            std::fs::copy(golden, folder.path().join(name)).unwrap();
        }
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let up = |more: &[&str]| {
        let mut command = hearth();
        command.args(["up", "--bind", &format!("127.0.0.1:{port}"), "--data-dir"]);
        Up::start(command.arg(folder.path()).args(more))
    };
    let moved = up(&[]);
    moved.until("nobody leads");
    moved.until("gateway 3: its file lies elsewhere");
    moved.end();
    let home = up(&["--trust-file"]);
    home.until("is up");
    let ask = |arguments: &[&str]| {
        let url = format!("mqtt://127.0.0.1:{port}");
        let output = hearth().args(["--json", "--broker", &url]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Json>(&output.stdout).unwrap()
    };
    let devices = ask(&["devices"]);
    let fan = devices.as_array().unwrap().iter().find(|device| device["name"] == "fan");
    assert_eq!(fan.map(|fan| (&fan["zone"], &fan["node"])), Some((&"attic".into(), &9.into())));
    let history = ask(&["history", "--limit", "1000"]);
    assert_eq!(history.as_array().unwrap().len(), 69);
    home.end();
}

/// A running `hearth up`.
pub(crate) struct Up {
    pub(crate) process: Process,
    /// It stops when this ends.
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Up {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.arg("--stop-with-stdin").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let (stdin, stdout) = process.pipes();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Ends with the process.
            BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .for_each(|line| drop(sender.send(line)));
        });
        Self { process, stdin, lines }
    }

    /// Reads what it prints up to a line with these words.
    #[track_caller]
    pub(crate) fn until(&self, words: &str) {
        let next = || self.lines.recv_timeout(PATIENCE).expect(words);
        while !next().contains(words) {}
    }

    pub(crate) fn end(self) {
        let Self { process, stdin, lines: _ } = self;
        drop(stdin);
        assert!(process.end().status.success());
    }
}
