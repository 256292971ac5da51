//! What the gateways' files say in the end, beside what the clients were told.
//!
//! | a message | is in every gateway's history |
//! |---|---|
//! | that was acknowledged, or answered | at least once |
//! | that has an id, or that every life of the broker but one never heard | at most once |
//! | any other | any number of times |

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::ledger::{Entry, Fate, Ledger, Sort};
use crate::level::is_mark;
use crate::people::{LOUD, ZONES};

/// Kinds of what must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Acknowledged, and not in a history.
    Lost,
    /// Twice in a history, and recognisable.
    Doubled,
    /// A device carried an order with an id out twice.
    CarriedOutTwice,
    /// A set was answered with other numbers than history has.
    OtherNumbers,
    /// In a history, and said by no client.
    NeverSaid,
    /// Two gateways have different histories.
    Differs,
    /// Not acknowledged although everything was whole again for long.
    NotAnswered,
    /// The home did not become whole.
    NotWhole,
    /// A process ended that nobody had ended.
    EndedByItself,
    /// Fewer faults of a kind than asked for.
    TooFewFaults,
}

/// Everything that must not be, with the first few of each kind in words.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many of each kind.
    pub counts: BTreeMap<Fault, u64>,
    /// Some of them in words.
    pub examples: Vec<String>,
    per_kind: BTreeMap<Fault, usize>,
}

/// Examples of each kind.
const EXAMPLES: usize = 5;

impl Verdict {
    /// Adds one that must not be.
    pub fn add(&mut self, fault: Fault, words: impl FnOnce() -> String) {
        self.add_many(fault, 1, words);
    }

    /// Adds several at once.
    pub fn add_many(&mut self, fault: Fault, count: u64, words: impl FnOnce() -> String) {
        *self.counts.entry(fault).or_default() += count;
        let told = self.per_kind.entry(fault).or_default();
        if *told < EXAMPLES {
            *told += 1;
            self.examples.push(format!("{fault:?}: {}", words()));
        }
    }

    /// How many of a kind.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.counts.get(&fault).copied().unwrap_or(0)
    }
}

/// What one gateway has agreed to.
#[derive(Debug)]
pub struct History {
    gateway: u8,
    /// How often each message is there; message 1 first.
    times: Vec<u8>,
    /// The order and change of each set.
    orders: BTreeMap<u64, (i64, i64)>,
    /// How often each report of the loud devices is there.
    loud: [Vec<u8>; ZONES.len()],
    /// Values that no client said.
    never_said: Vec<String>,
    rows: u64,
    /// A sum of all rows, in their order.
    sum: u64,
}

impl History {
    /// Reads a gateway's file.
    ///
    /// # Errors
    /// If SQLite cannot read it.
    pub fn read(
        gateway: u8,
        file: &Path,
        ledger: &Ledger,
        entries: &[Entry],
    ) -> rusqlite::Result<Self> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut devices = connection.prepare("SELECT node, zone || '/' || name FROM devices")?;
        let devices = devices.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let devices: BTreeMap<i64, String> = devices.collect::<Result<_, _>>()?;
        let mut it = Self {
            gateway,
            times: vec![0; entries.len()],
            orders: BTreeMap::new(),
            loud: Default::default(),
            never_said: Vec::new(),
            rows: 0,
            sum: 0,
        };
        let sql = "SELECT seq, node, register, value, ordered FROM history ORDER BY seq";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, node): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (register, value): (String, String) = (row.get(2)?, row.get(3)?);
            let order: Option<i64> = row.get(4)?;
            it.add_to_sum(&format!("{seq} {node} {register} {value} {order:?}"));
            let place = devices.get(&node).map_or("", String::as_str);
            it.take(seq, place, &register, &value, order, (ledger, entries));
        }
        Ok(it)
    }

    fn take(
        &mut self,
        seq: i64,
        place: &str,
        register: &str,
        value: &str,
        order: Option<i64>,
        (ledger, entries): (&Ledger, &[Entry]),
    ) {
        let number = value.parse::<u64>().ok();
        if let Some((zone, LOUD)) = place.split_once('/') {
            let zone = ZONES.iter().position(|name| *name == zone);
            if let (Some(zone), Some(number)) = (zone, number) {
                count(&mut self.loud[zone], number);
            }
            return;
        }
        if is_mark(place) {
            return;
        }
        let entry = number.and_then(|number| entries.get((number as usize).checked_sub(1)?));
        let here = entry.filter(|entry| ledger.places[usize::from(entry.message.place)] == place);
        match (here.map(|entry| entry.message.sort), register, number) {
            (Some(Sort::Report), "state", Some(number)) => count(&mut self.times, number),
            (Some(Sort::Set), "desired", Some(number)) => {
                count(&mut self.times, number);
                self.orders.entry(number).or_insert((order.unwrap_or(0), seq));
            }
            // A lamp says what it was told, and 0 when it comes.
            (Some(Sort::Set), "state", _) | (None, "state", Some(0)) => {}
            _ => self.never_said.push(format!("{place} {register} {value}")),
        }
    }

    fn add_to_sum(&mut self, row: &str) {
        self.rows += 1;
        for byte in row.bytes() {
            self.sum = (self.sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Counts one more of number `number`, from 1.
fn count(times: &mut Vec<u8>, number: u64) {
    let place = (number as usize).saturating_sub(1);
    if times.len() <= place {
        times.resize(place + 1, 0);
    }
    times[place] = times[place].saturating_add(1);
}

/// Compares what the clients were told with every gateway's history.
pub fn judge(verdict: &mut Verdict, ledger: &Ledger, entries: &[Entry], histories: &[History]) {
    for history in histories {
        for (place, entry) in entries.iter().enumerate() {
            message(verdict, ledger, place, entry, history);
        }
        for (zone, times) in history.loud.iter().enumerate() {
            for (place, times) in times.iter().enumerate().filter(|(_, times)| **times > 1) {
                verdict.add(Fault::Doubled, || {
                    let (gateway, zone, value) = (history.gateway, ZONES[zone], place + 1);
                    format!("gateway {gateway} has report {value} of {zone}/{LOUD} {times} times (QoS 0)")
                });
            }
        }
        for words in &history.never_said {
            verdict.add(Fault::NeverSaid, || format!("gateway {} has {words}", history.gateway));
        }
    }
    for pair in histories.windows(2) {
        let (one, other) = (&pair[0], &pair[1]);
        if (one.rows, one.sum) != (other.rows, other.sum) {
            verdict.add(Fault::Differs, || {
                let (one, other) = ((one.gateway, one.rows), (other.gateway, other.rows));
                format!("gateway {} has {} rows, gateway {} has {}", one.0, one.1, other.0, other.1)
            });
        }
    }
    for (place, entry) in entries.iter().enumerate() {
        if entry.carried_out > 1 && entry.is_once() {
            verdict.add(Fault::CarriedOutTwice, || {
                format!("{} {} times", words(ledger, place, entry), entry.carried_out)
            });
        }
    }
}

fn message(verdict: &mut Verdict, ledger: &Ledger, place: usize, entry: &Entry, history: &History) {
    let (times, gateway) = (history.times.get(place).copied().unwrap_or(0), history.gateway);
    let words = || format!("{}: {times} times at gateway {gateway}", words(ledger, place, entry));
    if entry.fate == Fate::Acknowledged && times == 0 {
        verdict.add(Fault::Lost, words);
    }
    if times > 1 && entry.is_once() {
        verdict.add(Fault::Doubled, words);
    }
    if let Some(receipt) = entry.receipt {
        let agreed = history.orders.get(&(place as u64 + 1));
        if agreed.is_some_and(|agreed| *agreed != receipt) {
            verdict
                .add(Fault::OtherNumbers, || format!("{}: {agreed:?}, told {receipt:?}", words()));
        }
    }
}

fn words(ledger: &Ledger, place: usize, entry: &Entry) -> String {
    let message = entry.message;
    let name = if message.named { "with an id" } else { "without id" };
    let later = if entry.outlived_a_broker { ", to two lives of the broker" } else { "" };
    format!(
        "{:?} {} of {}, QoS {} {name}, sent {} times{later}, {:?}",
        message.sort,
        place + 1,
        ledger.places[usize::from(message.place)],
        message.qos,
        entry.sends,
        entry.fate
    )
}
