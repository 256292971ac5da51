//! A gateway that was away for longer than the others keep their logs.

use gateway::inspect::{self, Replica};

use crate::kit::Home;

const KEEP: &str = "32";

fn replica(home: &Home, id: u8) -> Replica {
    inspect::read(&inspect::file(home.data(), id)).unwrap()
}

/// The lowest slot in a gateway's log.
fn log_from(home: &Home, id: u8) -> u64 {
    replica(home, id).log.first().map_or(u64::MAX, |row| row.slot)
}

fn report(home: &Home, value: u64) {
    home.publish("home/hallway/doorSensor/report", &format!("{value}.5"), &[]);
}

#[test]
fn a_gateway_that_was_away_for_long_gets_a_snapshot_while_reports_go_on() {
    let mut home = Home::with(&["--log-keep", KEEP]);
    report(&home, 0);
    home.until("gateway 3 has it", |home| replica(home, 3).history.len() == 1);
    home.kill(3);
    let missing = replica(&home, 3).applied + 1;
    let mut value = 0;
    while (1..=2).any(|id| log_from(&home, id) <= missing + 32) {
        value += 1;
        report(&home, value);
    }
    home.start_gateway(3);
    home.until("gateway 3 has caught up", |home| {
        value += 1;
        report(home, value);
        replica(home, 3).applied > missing
    });
    home.until_alive(3);
    assert!(log_from(&home, 3) > missing, "it came by the log");
    let last = value + 1;
    report(&home, last);
    home.until("everyone has the last report", |home| {
        let told = format!("{last}.5");
        let has = |id| replica(home, id).history.last().is_some_and(|row| row.state == told);
        (1..=3).all(has)
    });
    for id in 1..=3 {
        let history = replica(&home, id).history;
        assert_eq!(history.len() as u64, last + 1, "gateway {id} has every report once");
        for other in 1..id {
            let differences = inspect::differences(&replica(&home, other), &replica(&home, id));
            assert!(differences.is_empty(), "{differences:?}");
        }
    }
    let stats = home.answer("hearth/home/gateway/3/stats", "");
    assert!(stats["snapshot"].is_null(), "{stats}");
}
