//! What every client said, and what it was told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A device's report.
    Report,
    /// An order to a device.
    Set,
}

/// A message as its sender means it.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Which of the ledger's places it is about.
    pub place: u16,
    /// What it asks for.
    pub sort: Sort,
    /// How it is sent.
    pub qos: u8,
    /// Whether its payload has an id.
    pub named: bool,
}

/// What a client knows of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet.
    Open,
    /// It was acknowledged or, as a set, answered.
    Acknowledged,
    /// It was refused.
    Refused,
    /// The client has forgotten it.
    GivenUp,
}

/// A message and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// What its sender knows.
    pub fate: Fate,
    /// How often it was sent as a new message.
    pub sends: u16,
    /// The broker's life in which it was sent first.
    life: u32,
    /// Whether it was sent, as a new message or again, to a later life of the broker, too.
    pub outlived_a_broker: bool,
    /// How often a device carried it out.
    pub carried_out: u8,
    /// What a set was answered: number of the order and of the change.
    pub receipt: Option<(i64, i64)>,
}

impl Entry {
    /// Whether it must not be applied twice: it has an id, or the broker could recognise every copy of it.
    #[must_use]
    pub const fn is_once(&self) -> bool {
        self.message.named || (self.sends <= 1 && !self.outlived_a_broker)
    }
}

/// The longest time in which nothing of a place was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// How long.
    pub length: Duration,
    /// When it ended, from the beginning of the run.
    pub at: Duration,
    last: Instant,
}

/// Everything that was said. A message is known by its value: that of its state, counted from 1.
#[derive(Debug)]
pub struct Ledger {
    /// `zone/device` of each place.
    pub places: Vec<String>,
    began: Instant,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    entries: Vec<Entry>,
    gaps: Vec<Gap>,
    acknowledged: u64,
}

impl Ledger {
    /// An empty one.
    #[must_use]
    pub fn new(places: Vec<String>) -> Self {
        let began = Instant::now();
        let gap = Gap { length: Duration::ZERO, at: Duration::ZERO, last: began };
        let gaps = vec![gap; places.len()];
        let book = Mutex::new(Book { entries: Vec::new(), gaps, acknowledged: 0 });
        Self { places, began, book }
    }

    /// A new message; gives its value.
    pub fn add(&self, message: Message, life: u32) -> u64 {
        let mut book = self.book();
        book.entries.push(Entry {
            message,
            fate: Fate::Open,
            sends: 0,
            life,
            outlived_a_broker: false,
            carried_out: 0,
            receipt: None,
        });
        book.entries.len() as u64
    }

    /// It is sent, as a new message or as a repetition, to this life of the broker.
    pub fn sent(&self, value: u64, again: bool, life: u32) {
        self.change(value, |entry| {
            entry.sends += u16::from(!again);
            if entry.sends == 1 && !again {
                entry.life = life;
            }
            entry.outlived_a_broker |= entry.life != life;
        });
    }

    /// It is acknowledged.
    pub fn acknowledged(&self, value: u64) {
        let now = Instant::now();
        let mut book = self.book();
        let Some(entry) = book.entry(value) else { return };
        if entry.fate == Fate::Acknowledged {
            return;
        }
        entry.fate = Fate::Acknowledged;
        let place = usize::from(entry.message.place);
        book.acknowledged += 1;
        let gap = &mut book.gaps[place];
        let length = now - gap.last;
        if length > gap.length {
            (gap.length, gap.at) = (length, now - self.began);
        }
        gap.last = now;
    }

    /// A set is answered with the numbers of its order and of the change.
    pub fn answered(&self, value: u64, order: i64, seq: i64) {
        self.acknowledged(value);
        self.change(value, |entry| entry.receipt = Some((order, seq)));
    }

    /// It is refused, or given up.
    pub fn closed(&self, value: u64, fate: Fate) {
        self.change(value, |entry| {
            if entry.fate == Fate::Open {
                entry.fate = fate;
            }
        });
    }

    /// A device carries an order out.
    pub fn carried_out(&self, value: u64) {
        self.change(value, |entry| entry.carried_out = entry.carried_out.saturating_add(1));
    }

    /// How many messages were acknowledged, and how many there are.
    pub fn counts(&self) -> (u64, u64) {
        let book = self.book();
        (book.acknowledged, book.entries.len() as u64)
    }

    /// How long nothing of any place has been acknowledged, and of which.
    pub fn silence(&self) -> Option<(Duration, &str)> {
        let book = self.book();
        let gaps = book.gaps.iter().zip(&self.places).filter(|(gap, _)| gap.last > self.began);
        let longest = gaps.min_by_key(|(gap, _)| gap.last)?;
        Some((longest.0.last.elapsed(), longest.1))
    }

    /// Since when everything is counted.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// All messages, in the order of their values, and the gaps of all places.
    pub fn close(&self) -> (Vec<Entry>, Vec<Gap>) {
        let mut book = self.book();
        (std::mem::take(&mut book.entries), book.gaps.clone())
    }

    fn change(&self, value: u64, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.book().entry(value) {
            change(entry);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn entry(&mut self, value: u64) -> Option<&mut Entry> {
        let place = usize::try_from(value).ok()?.checked_sub(1)?;
        self.entries.get_mut(place)
    }
}
