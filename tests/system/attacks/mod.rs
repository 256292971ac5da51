//! Attacks on a whole home with users: while they run, and after a restart of everything, others' logins, reports,
//! orders and subscriptions go on, the attacker is refused, the log names it once, and memory and files stay small.
//!
//! `broker/tests/attacks` does more of them, to a broker alone.

mod attackers;
mod raw;

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::kit::{Home, Listener, Process, text};

const DOOR: &str = "hall/door";

/// An attack.
struct Attack {
    name: &'static str,
    /// The attacker has a name of its own, so that what an earlier one has left is not in its way.
    run: fn(&Home, user: &str),
    role: &'static str,
    /// By how many MiB the broker may grow at most.
    memory: usize,
    /// What the log says of it, once; nothing if it is no refusal.
    log: &'static str,
}

const MIB: usize = 1 << 20;

/// What the allocator keeps, and a login's argon2: 19 MiB.
const SLACK: usize = 32 * MIB;
/// By how much the files may grow in an attack.
const FILES: u64 = 24 * MIB as u64;

/// Small bounds, so that their budgets are reached soon.
const LIMITS: [(&str, &str); 5] = [
    ("HEARTH_BROKER__LIMITS__SESSIONS", "2000"),
    ("HEARTH_BROKER__LIMITS__SESSION_BYTES", "8388608"),
    ("HEARTH_BROKER__LIMITS__WILDCARD_FILTERS", "1000"),
    ("HEARTH_BROKER__LIMITS__WAITING_BYTES", "33554432"),
    ("HEARTH_BROKER__LIMITS__LARGE_BYTES", "33554432"),
];

#[test]
fn nobody_is_hurt_by_somebody_else() {
    let names: Vec<String> =
        (0..attackers::ALL.len()).map(|number| format!("attacker/{number}")).collect();
    let attackers = names.iter().zip(&attackers::ALL);
    let mut users: Vec<_> = attackers.map(|(name, attack)| (&**name, attack.role)).collect();
    users.push((DOOR, "device"));
    let mut home = Home::guarded_within(&LIMITS, &[], &users);
    let mut others = Others::of(&home);
    others.go_on(&home);
    for (user, attack) in names.iter().zip(attackers::ALL) {
        let (files, memory) = (bytes(&home), home.broker_memory("VmRSS"));
        home.forget_peak_memory();
        let mut longest = Duration::ZERO;
        std::thread::scope(|scope| {
            let attacking = scope.spawn(|| (attack.run)(&home, user));
            while !attacking.is_finished() {
                longest = longest.max(others.go_on(&home));
            }
            attacking.join().expect(attack.name);
        });
        longest = longest.max(others.go_on(&home));
        let grown = home.broker_memory("VmHWM").saturating_sub(memory);
        let written = bytes(&home).saturating_sub(files);
        println!(
            "{}: a report, an order and a query took {longest:?} at most; {} KiB of memory, {} KiB of files",
            attack.name,
            grown >> 10,
            written >> 10
        );
        assert!(grown <= attack.memory * MIB + SLACK, "{}: {grown} bytes of memory", attack.name);
        assert!(written <= FILES, "{}: {written} bytes of files", attack.name);
        is_named_once(&home, &attack);
    }
    restart(&mut home);
    let mut others = Others::of(&home);
    let took = others.go_on(&home);
    println!("after a restart of everything it took {took:?}");
    assert!(home.all_live());
}

/// While no gateway is there, orders and reports are held.
#[test]
fn what_is_held_for_a_zone_is_not_one_users_alone() {
    let mut home = Home::guarded(&[], &[("eve", "person"), (DOOR, "device")]);
    Others::of(&home).go_on(&home);
    (1..=3).for_each(|id| home.kill(id));
    let refused = attackers::orders(&home, "eve");
    // A quarter of 4,096 is hers.
    assert_eq!(refused, 4500 - 1024);
    std::thread::scope(|scope| {
        let mut report = home.mosquitto_as("pub", DOOR);
        report.args(["-V", "5", "-d", "-q", "1", "-t", "home/hall/door/report", "-m", "open"]);
        let report = scope.spawn(move || report.output().unwrap());
        home.until("the report is held as well", |home| held(home) == 1024 + 1);
        let gateways: Vec<_> =
            (1..=3).map(|id| Process::start(home.gateway(id).stdout(Stdio::null()))).collect();
        let told = text(&report.join().unwrap().stdout);
        assert!(told.contains("RC:0"), "{told}");
        drop(gateways);
    });
}

/// Publishes whose acknowledgement is withheld.
fn held(home: &Home) -> u64 {
    let mut command = home.mosquitto("sub");
    command.args(["-C", "1", "-W", "2", "-t", "$SYS/broker/hearth/acknowledgements/withheld"]);
    text(&command.output().unwrap().stdout).trim().parse().unwrap_or(0)
}

/// The log names the attacker, in two lines a minute at most.
fn is_named_once(home: &Home, attack: &Attack) {
    if attack.log.is_empty() {
        return;
    }
    // A client may be told before the line is written.
    home.until(&format!("the log tells of {}", attack.name), |home| {
        home.broker_log().contains(attack.log)
    });
    let log = home.broker_log();
    let lines = log.lines().filter(|line| line.contains(attack.log));
    assert!(lines.count() <= 6, "{}: the log says it again and again", attack.name);
}

/// Those who live here.
struct Others {
    states: Listener,
    said: u32,
}

impl Others {
    fn of(home: &Home) -> Self {
        Self { states: home.listen(&["home/hall/door/state"]), said: 0 }
    }

    /// The door logs in and reports, which a subscriber hears; somebody asks for it, and orders something. Gives how
    /// long all of it took.
    fn go_on(&mut self, home: &Home) -> Duration {
        let began = Instant::now();
        self.said += 1;
        let word = format!("w{}", self.said);
        let mut report = home.mosquitto_as("pub", DOOR);
        report.args(["-q", "1", "-t", "home/hall/door/report", "-m", &word]);
        assert!(report.status().unwrap().success());
        self.states.next_where("state", |state| state.contains(&word));
        assert_eq!(home.answer("home/hall/door/get", "")["state"], *word);
        assert_eq!(home.answer("home/hall/door/set", "closed")["status"], "ok");
        began.elapsed()
    }
}

/// Of all databases of the home.
fn bytes(home: &Home) -> u64 {
    let files = std::fs::read_dir(home.data()).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "db"));
    files.map(|file| file.metadata().map_or(0, |file| file.len())).sum()
}

/// kill -9 of everything, and a new life.
fn restart(home: &mut Home) {
    home.kill_broker();
    (1..=3).for_each(|id| home.kill(id));
    home.start_broker();
    for id in 1..=3 {
        home.start_gateway(id);
    }
    (1..=3).for_each(|id| home.until_alive(id));
}
