//! Gateways come and go: one is added, one is replaced, and one comes back without its file.

use std::collections::BTreeSet;

use gateway::inspect;
use serde_json::Value as Json;

use crate::kit::{Home, text};

#[test]
fn a_gateway_that_lost_its_file_gets_its_vote_back_and_counts() {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    home.kill(3);
    for file in files(&home, 3) {
        std::fs::remove_file(file).unwrap();
    }
    home.start_gateway(3);
    // It follows at once, but it votes only once the others have agreed on its new file.
    home.until("gateway 3 votes", |home| {
        home.ask("hearth/home/gateway/3/stats", "")["votes"] == true
    });
    // With another one dead, nothing is agreed without the vote of the one that came back.
    home.kill(1);
    home.publish("home/cellar/meter/report", "2", &[]);
    home.until("both that live are equal", |home| equal(home, &[2, 3]));
}

#[test]
fn a_copied_file_has_no_vote_until_the_others_agree() {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    home.kill(2);
    let file = inspect::file(home.data(), 2);
    let copy = home.data().join("copy");
    std::fs::copy(&file, &copy).unwrap();
    std::fs::rename(&copy, &file).unwrap();
    home.kill(1);
    home.start_gateway(2);
    // Two of three files are here, but one of them may have forgotten what it promised.
    let stats = home.answer("hearth/home/gateway/2/stats", "");
    assert_eq!((&stats["leader"], &stats["votes"]), (&Json::Null, &Json::Bool(false)), "{stats}");
    home.start_gateway(1);
    home.until_alive(2);
    home.publish("home/cellar/meter/report", "2", &[]);
    home.until("all are equal", |home| equal(home, &[1, 2, 3]));
}

#[test]
fn a_gateway_takes_the_place_of_another_while_the_home_runs() {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    let refused = home.hearth(&["voters", "--add", "4"]);
    assert!(text(&refused.stderr).contains("start it first"), "{refused:?}");
    home.start_gateway(4);
    home.until("gateway 4 has the vote of gateway 2", |home| {
        home.hearth(&["voters", "--add", "4", "--remove", "2"]).status.success()
    });
    let shown = home.hearth(&["voters"]);
    assert!(text(&shown.stdout).starts_with("gateways 1, 3, 4 vote"), "{shown:?}");
    home.until_alive(4);
    home.until("gateway 2 serves nothing", |home| {
        home.member(2).is_some_and(|gateway| gateway["alive"] == false)
    });
    home.publish("home/cellar/meter/report", "2", &[]);
    home.until("the one that lost its vote follows still", |home| equal(home, &[1, 2, 3, 4]));
    home.kill(2);
    home.kill(1);
    home.publish("home/cellar/meter/report", "3", &[]);
    home.until("the rest agrees", |home| equal(home, &[3, 4]));
    // Started again, gateway 2 knows that it has no vote.
    home.start_gateway(2);
    home.start_gateway(1);
    home.until("all are equal", |home| equal(home, &[1, 2, 3, 4]));
}

/// The SQLite file of a gateway, and what lies beside it.
fn files(home: &Home, id: u8) -> BTreeSet<std::path::PathBuf> {
    let name = inspect::file(home.data(), id).file_name().unwrap().to_string_lossy().into_owned();
    let entries = std::fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap().path());
    let of_it = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&name))
    };
    entries.filter(of_it).collect()
}

fn equal(home: &Home, ids: &[u8]) -> bool {
    let read = |id: &u8| inspect::read(&inspect::file(home.data(), *id)).unwrap();
    let replicas: Vec<_> = ids.iter().map(read).collect();
    replicas.iter().all(|replica| inspect::differences(&replicas[0], replica).is_empty())
}
