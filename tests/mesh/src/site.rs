//! A node with a broker around it, as plain as it can be, and its disk.

use std::collections::BTreeMap;

use mesh::{Change, DiskId, Key, Life, Moment, Node, NodeId, Record, SiteTime, Token, Version};

/// One box.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) id: NodeId,
    pub(crate) disk: Disk,
    /// Its process, while it runs.
    pub(crate) process: Option<Process>,
    /// Parts of a thousand by which its clock is fast.
    pub(crate) drift: i64,
    /// What its wall clock shows at the beginning, in milliseconds.
    pub(crate) wall: u64,
}

/// What outlives a process.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) id: Option<DiskId>,
    pub(crate) records: BTreeMap<Key, Record>,
    pub(crate) highest: SiteTime,
}

/// One life of a node.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) life: Life,
    pub(crate) node: Node,
    /// When it began, in true microseconds.
    pub(crate) born: u64,
    /// It stands still until it is told to go on.
    pub(crate) paused: bool,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) tokens: BTreeMap<Token, Waits>,
    pub(crate) last_token: u64,
    /// Changes that the disk has not yet.
    pub(crate) unwritten: Vec<Written>,
    /// Sessions whose end it has not noticed.
    pub(crate) left: Vec<u64>,
    /// The next wake-up that is in the queue.
    pub(crate) wakes: Option<u64>,
    /// Open sessions of owners, with their epochs.
    pub(crate) owners: BTreeMap<usize, u64>,
}

/// What goes to the disk.
#[derive(Debug)]
pub(crate) enum Written {
    Change(Box<Change>),
    Gone(Key),
    Anew(DiskId),
}

/// A client at a broker.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) since: Version,
    pub(crate) filters: Vec<String>,
}

/// Who waits for an answer of the node.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Waits {
    /// A publish: which attempt.
    Publish(usize),
    /// A report: which attempt.
    Report(usize),
    /// A SUBSCRIBE of this session: which of its filters.
    Subscribe(u64, usize),
}

impl Site {
    /// A life in which the process runs and is not standing still.
    pub(crate) fn runs(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.paused)
    }

    pub(crate) fn life(&self) -> Option<Life> {
        self.process.as_ref().map(|process| process.life)
    }

    /// The node's own time.
    pub(crate) fn local(&self, now: u64) -> Moment {
        let born = self.process.as_ref().map_or(0, |process| process.born);
        let true_micros = (now - born) as i64;
        let micros = true_micros + true_micros * self.drift / 1_000;
        Moment(std::time::Duration::from_micros(micros as u64))
    }

    /// True time of one of its own moments, rounded up.
    pub(crate) fn true_time(&self, moment: Moment) -> u64 {
        let born = self.process.as_ref().map_or(0, |process| process.born);
        let micros = moment.0.as_micros() as i64;
        born + (micros * 1_000 / (1_000 + self.drift)) as u64 + 2
    }

    /// Writes what is due.
    pub(crate) fn write(&mut self) {
        let Some(process) = &mut self.process else { return };
        for written in process.unwritten.drain(..) {
            match written {
                Written::Change(change) => {
                    let record = change.record;
                    self.disk.highest = self.disk.highest.max(record.version.time);
                    self.disk.records.insert(record.key.clone(), record);
                    process.node.stored(change.number);
                }
                Written::Gone(key) => drop(self.disk.records.remove(&key)),
                Written::Anew(disk) => {
                    self.disk.id = Some(disk);
                    self.disk.records.clear();
                }
            }
        }
    }
}

impl Process {
    pub(crate) fn token(&mut self, waits: Waits) -> Token {
        self.last_token += 1;
        let token = Token(self.last_token);
        self.tokens.insert(token, waits);
        token
    }
}
