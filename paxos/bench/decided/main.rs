//! Decided entries a second of running time: three replicas in one thread, nothing lost, storage in memory, assertions
//! on.
//!
//! A client keeps some entries in flight at the leader; an entry counts once all three replicas have it as
//! decided. The crate `omnipaxos` gets the same entries, the same queues and the same turns, in alternating
//! rounds of the same run. It is asked only for the index up to which all is decided, and not for the entries;
//! ours hands every replica its entries.
//!
//! `cargo bench -p paxos-bench`, with optional arguments: how many rounds, how many thousand entries a round, how
//! many in flight; and for a profiler the words `ours` or `omni` to leave the other crate out, and `together` or
//! `alone` to leave out the other way of travelling.

mod omni;
mod ours;

use std::sync::Arc;
use std::time::Duration;

use paxos::{Request, SessionId};

const IN_FLIGHT: [usize; 5] = [1, 16, 64, 256, 1024];

/// How entries travel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Travel {
    /// Those that wait together go in one message.
    Together,
    /// Each goes in a message, and ours in a slot, of its own.
    Alone,
}

/// Three replicas with a leader, and the queues between them.
trait Group {
    /// Gives the leader one message's worth of entries.
    fn propose(&mut self, requests: Vec<Request>);
    /// Lets each replica handle all that waits for it and send what follows.
    fn turn(&mut self);
    /// How many entries the leader knows to be decided.
    fn decided_at_leader(&self) -> usize;
    /// How many entries every replica knows to be decided.
    fn decided(&self) -> usize;
    /// How many messages went from one replica to another.
    fn messages(&self) -> usize;
}

struct Outcome {
    rate: f64,
    messages: f64,
}

impl Outcome {
    /// Of a crate that was left out.
    const NONE: Self = Self { rate: f64::NAN, messages: f64::NAN };
}

/// Which crates are measured.
struct Sides {
    ours: bool,
    omni: bool,
}

fn main() {
    let word = |word: &str| std::env::args().any(|given| given == word);
    let sides = Sides { ours: !word("omni"), omni: !word("ours") };
    // Cargo adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let rounds = numbers.next().unwrap_or(5);
    let entries = numbers.next().unwrap_or(400) * 1000;
    let only = numbers.next();
    println!("{entries} entries of 64 bytes a round, {rounds} rounds, three replicas");
    let tables = [
        (Travel::Together, "alone", "entries that wait together share a message"),
        (Travel::Alone, "together", "every entry in a message and a slot of its own"),
    ];
    for (travel, _, title) in tables.into_iter().filter(|(_, other, _)| !word(other)) {
        println!("\n{title}");
        println!(
            "in flight: ours/s, median and best; omnipaxos/s; ratio, median; messages an entry, both"
        );
        for in_flight in
            IN_FLIGHT.into_iter().filter(|count| only.is_none_or(|only| only == *count))
        {
            compare(travel, in_flight, entries, rounds, &sides);
        }
    }
}

fn compare(travel: Travel, in_flight: usize, entries: usize, rounds: usize, sides: &Sides) {
    let (mut our_rates, mut their_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut messages = (0.0, 0.0);
    let ours = || match sides.ours {
        true => run(&mut ours::Ours::new(travel, in_flight), travel, in_flight, entries),
        false => Outcome::NONE,
    };
    let omni = || match sides.omni {
        true => run(&mut omni::Omni::new(travel), travel, in_flight, entries),
        false => Outcome::NONE,
    };
    // One round that does not count finds memory and caches cold.
    ours();
    omni();
    for round in 0..rounds {
        // Each goes first in turn.
        let first = (round % 2 == 0).then(ours);
        let them = omni();
        let us = first.unwrap_or_else(ours);
        our_rates.push(us.rate);
        their_rates.push(them.rate);
        ratios.push(us.rate / them.rate);
        messages = (us.messages, them.messages);
    }
    println!(
        "{in_flight:>9}: {:>9.0} {:>9.0}; {:>9.0} {:>9.0}; {:.2}; {:.3} {:.3}",
        median(&mut our_rates),
        best(&our_rates),
        median(&mut their_rates),
        best(&their_rates),
        median(&mut ratios),
        messages.0,
        messages.1
    );
}

/// Gets `entries` decided, `in_flight` of them at a time.
fn run(group: &mut impl Group, travel: Travel, in_flight: usize, entries: usize) -> Outcome {
    let payload: Arc<[u8]> = Arc::from([7; 64]);
    let mut proposed = 0;
    let sent_before = group.messages();
    let began = running_time();
    while group.decided() < entries {
        let room = in_flight - (proposed - group.decided_at_leader());
        let next = proposed..(proposed + room).min(entries);
        proposed = next.end;
        let mut requests = next.map(|number| Request {
            session: SessionId(1),
            number: number as u64 + 1,
            payload: payload.clone(),
        });
        match travel {
            Travel::Together => group.propose(requests.collect()),
            Travel::Alone => requests.by_ref().for_each(|request| group.propose(vec![request])),
        }
        group.turn();
    }
    let spent = running_time() - began;
    assert_eq!(group.decided(), entries, "more was decided than proposed");
    let messages = (group.messages() - sent_before) as f64;
    Outcome { rate: per_second(entries, spent), messages: messages / entries as f64 }
}

/// How long this thread has run. All the work is done on it, so what else the machine does matters little.
fn running_time() -> Duration {
    let path = "/proc/thread-self/schedstat";
    let spent = std::fs::read_to_string(path).ok();
    let spent = spent.and_then(|text| text.split(' ').next()?.parse().ok());
    Duration::from_nanos(spent.expect("Linux tells how long a thread has run"))
}

fn per_second(count: usize, spent: Duration) -> f64 {
    count as f64 / spent.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What the machine does when nobody else uses it.
fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}
