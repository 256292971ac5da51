//! The broker is killed at random moments under load: whatever a stock client saw acknowledged is in every
//! replica's history.
//!
//! The moments follow from a seed, which is printed; `HEARTH_DEATHS=100 HEARTH_SEED=7` in front of
//! `cargo test --test system broker_is_killed -- --nocapture` makes a longer run of it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use gateway::inspect::{self, Replica};

use crate::kit::{Home, PATIENCE, Process};

/// How often the broker dies, unless `HEARTH_DEATHS` says otherwise.
const DEATHS: u64 = 4;

/// Lines that a publisher has not seen acknowledged: as many as mosquitto_pub has under way at a time.
const AHEAD: usize = 20;

/// Line numbers of one publisher stay below this, so that no packet id is used twice.
const LINES: u64 = 60_000;

/// Who publishes, each to a device of its own.
const PUBLISHERS: [Kind; 4] = [
    Kind { name: "named1", qos: "1", with_id: true },
    Kind { name: "named2", qos: "2", with_id: true },
    Kind { name: "plain1", qos: "1", with_id: false },
    Kind { name: "plain2", qos: "2", with_id: false },
];

#[test]
fn while_the_broker_is_killed_under_load_no_acknowledged_report_is_lost_and_none_with_an_id_doubled()
 {
    let (deaths, seed) = (setting("HEARTH_DEATHS").unwrap_or(DEATHS), seed());
    println!("HEARTH_DEATHS={deaths} HEARTH_SEED={seed}");
    let mut home = Home::start();
    let publishers: Vec<Publisher> =
        PUBLISHERS.iter().map(|kind| Publisher::start(&home, *kind)).collect();
    let mut dice = seed;
    for _ in 0..deaths {
        // Each publisher gets on, so every death meets a home at work.
        for publisher in &publishers {
            dice = next(dice);
            publisher.until_acknowledged_more(1 + (dice >> 33) % 100);
        }
        home.kill_broker();
        home.start_broker();
    }
    let published: Vec<Published> = publishers.into_iter().map(Publisher::end).collect();
    for replica in replicas(&mut home) {
        for what in &published {
            what.check(&replica);
        }
    }
    let acknowledged: usize = published.iter().map(|one| one.acknowledged.len()).sum();
    println!("{deaths} deaths, {acknowledged} acknowledged reports, all in all three histories");
}

#[test]
fn a_full_window_of_unacknowledged_reports_blocks_neither_queries_nor_the_broker() {
    let mut home = Home::start();
    home.publish("home/hallway/door/report", "1", &[]);
    home.until("the hallway is served", |home| {
        home.ask("home/hallway/door/get", "")["state"] == "1"
    });
    // Two of three are gone: nothing can be agreed, and reports wait for their acknowledgement.
    home.kill(2);
    home.kill(3);
    let publisher = Publisher::start(&home, Kind { name: "door", qos: "1", with_id: false });
    publisher.until_sent(AHEAD);
    // The broker and what is left of the home answer all the same.
    let local = home.answer("hearth/home/gateway/1/get", "hallway/door");
    assert_eq!(local["state"], "1", "{local}");
    let mut others = home.listen(&["other/topic"]);
    home.publish("other/topic", "passes", &[]);
    assert_eq!(others.next("other/topic").1, "passes");
    assert_eq!(publisher.acknowledged(), 0, "nothing is acknowledged that only one disk has");
    // With a majority everything that waited is agreed.
    home.start_gateway(2);
    publisher.until_acknowledged_more(AHEAD as u64);
    publisher.end();
}

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    qos: &'static str,
    with_id: bool,
}

impl Kind {
    /// Every line is a state that no other line has.
    fn line(self, number: u64) -> String {
        match self.with_id {
            true => format!(r#"{{"state":{number},"id":"{}-{number}"}}"#, self.name),
            false => number.to_string(),
        }
    }
}

/// `mosquitto_pub -l -d`: a stock client that says what it sends and what is acknowledged.
struct Publisher {
    kind: Kind,
    process: Process,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    feeder: Option<JoinHandle<()>>,
    reader: JoinHandle<()>,
}

/// What a publisher's log says, by the number of the line, which is mosquitto's packet id.
#[derive(Default)]
struct Seen {
    sent: BTreeMap<u64, u64>,
    acknowledged: BTreeMap<u64, u64>,
    fed: u64,
    stopping: bool,
}

impl Publisher {
    fn start(home: &Home, kind: Kind) -> Self {
        let topic = format!("home/hallway/{}/report", kind.name);
        // Without stdbuf its words would gather in a buffer of its own.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_pub", "-h", "127.0.0.1", "-p", &home.port.to_string()]);
        command.args(["-l", "-d", "-q", kind.qos, "-i", kind.name, "-t", &topic]);
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (mut input, output) = process.pipes();
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let (feeding, reading) = (seen.clone(), seen.clone());
        let feeder = Some(std::thread::spawn(move || {
            for number in 1..LINES {
                let (seen, changed) = &*feeding;
                let ahead = |seen: &mut Seen| {
                    !seen.stopping && (seen.fed as usize) >= seen.acknowledged.len() + AHEAD
                };
                let mut seen = changed.wait_while(seen.lock().unwrap(), ahead).unwrap();
                if seen.stopping {
                    return;
                }
                seen.fed = number;
                drop(seen);
                writeln!(input, "{}", kind.line(number)).unwrap();
            }
        }));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let (seen, changed) = &*reading;
                seen.lock().unwrap().note(&line);
                changed.notify_all();
            }
        });
        Self { kind, process, seen, feeder, reader }
    }

    fn acknowledged(&self) -> u64 {
        self.seen.0.lock().unwrap().acknowledged.len() as u64
    }

    fn until_acknowledged_more(&self, more: u64) {
        let goal = self.acknowledged() + more;
        self.until(|seen| seen.acknowledged.len() as u64 >= goal);
    }

    fn until_sent(&self, count: usize) {
        self.until(|seen| seen.sent.len() >= count);
    }

    fn until(&self, so: impl Fn(&Seen) -> bool) {
        let (seen, changed) = &*self.seen;
        let waited = changed.wait_timeout_while(seen.lock().unwrap(), PATIENCE, |seen| !so(seen));
        assert!(!waited.unwrap().1.timed_out(), "{} does not get on", self.kind.name);
    }

    /// Lets everything that was fed be acknowledged, and ends mosquitto_pub.
    fn end(mut self) -> Published {
        self.seen.0.lock().unwrap().stopping = true;
        self.seen.1.notify_all();
        // mosquitto_pub ends by itself when its input has ended and all is acknowledged.
        self.feeder.take().unwrap().join().unwrap();
        self.until(|seen| seen.acknowledged.len() as u64 == seen.fed);
        let output = self.process.end();
        assert!(output.status.success(), "{output:?}");
        self.reader.join().unwrap();
        let Seen { sent, acknowledged, .. } = std::mem::take(&mut *self.seen.0.lock().unwrap());
        Published { kind: self.kind, sent, acknowledged }
    }
}

impl Seen {
    fn note(&mut self, line: &str) {
        let number = |after: &str| {
            let (_, rest) = line.split_once(after)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        };
        if line.contains(" sending PUBLISH ") {
            *self.sent.entry(number(", m").unwrap()).or_default() += 1;
        } else if line.contains(" received PUBACK ") || line.contains(" received PUBREC ") {
            *self.acknowledged.entry(number("Mid: ").unwrap()).or_default() += 1;
        }
    }
}

/// What one publisher had to do with the broker in all.
struct Published {
    kind: Kind,
    sent: BTreeMap<u64, u64>,
    acknowledged: BTreeMap<u64, u64>,
}

impl Published {
    fn check(&self, replica: &Replica) {
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        let mine =
            |row: &&inspect::HistoryRow| row.name == self.kind.name && row.register == "state";
        for row in replica.history.iter().filter(mine) {
            *times.entry(row.state.parse().unwrap()).or_default() += 1;
        }
        let (gateway, name) = (replica.gateway, self.kind.name);
        for number in self.acknowledged.keys() {
            let found = times.get(number).copied().unwrap_or(0);
            assert!(found > 0, "gateway {gateway} lacks report {number} of {name}, acknowledged");
            // Without an id a repetition to another life of the broker is a new report.
            let most = if self.kind.with_id { 1 } else { self.sent[number] };
            assert!(found <= most, "gateway {gateway} has report {number} of {name} {found} times");
        }
        for number in times.keys() {
            assert!(self.sent.contains_key(number), "nobody sent report {number} of {name}");
        }
    }
}

/// The files of all gateways, once all have everything.
fn replicas(home: &mut Home) -> Vec<Replica> {
    let read = |home: &Home, id| inspect::read(&inspect::file(home.data(), id)).unwrap();
    let mut all = Vec::new();
    home.until("all gateways have the same history", |home| {
        all = (1..=3).map(|id| read(home, id)).collect();
        all.windows(2).all(|pair| pair[0].history == pair[1].history)
    });
    all
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn seed() -> u64 {
    let fresh = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    setting("HEARTH_SEED").unwrap_or_else(fresh)
}

/// Knuth's linear congruential generator; its upper bits are random enough for moments.
fn next(dice: u64) -> u64 {
    dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}
