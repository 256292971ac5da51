//! What is broken now, and what has been broken.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// kill -9 of a gateway, and a new start.
    Kill,
    /// SIGTERM of a gateway, and a new start.
    Restart,
    /// SIGSTOP and SIGCONT of a gateway.
    Stop,
    /// A gateway runs with a wrong time of day.
    WrongClock,
    /// A gateway dies, and its folder is emptied.
    WipedFiles,
    /// A gateway dies, and an older copy is written over its file.
    PutBackFile,
    /// A network is cut.
    Cut,
    /// A network is cut on the way to the broker.
    Mute,
    /// A network is cut on the way from the broker.
    Deaf,
    /// Connections break, and new ones are refused.
    Refuse,
    /// kill -9 of the broker, and a new start.
    BrokerKill,
    /// SIGTERM of the broker, and a new start.
    BrokerRestart,
    /// A device floods its zone at QoS 0.
    Flood,
    /// A device that keeps its session starts again.
    ClientRestart,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Kill,
        Self::Restart,
        Self::Stop,
        Self::WrongClock,
        Self::WipedFiles,
        Self::PutBackFile,
        Self::Cut,
        Self::Mute,
        Self::Deaf,
        Self::Refuse,
        Self::BrokerKill,
        Self::BrokerRestart,
        Self::Flood,
        Self::ClientRestart,
    ];

    /// How many of a kind a run of ten minutes must have.
    ///
    /// A gateway without its files, or with old ones, is healed before the next one may lose its own, since two at a
    /// time may lose what only they had. Each of these takes 10 to 30 seconds with its copy, so there are fewer.
    #[must_use]
    pub const fn in_ten_minutes(self) -> u64 {
        match self {
            Self::WipedFiles | Self::PutBackFile => 6,
            _ => 30,
        }
    }
}

/// The board, which also writes a log.
#[derive(Debug)]
pub struct Board {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    log: File,
    next: u64,
    broken: BTreeMap<u64, String>,
    counts: BTreeMap<Kind, u64>,
}

impl Board {
    /// One with nothing on it. Its log counts seconds from `began`.
    pub fn new(log: &Path, began: Instant) -> Self {
        let (broken, counts) = (BTreeMap::new(), BTreeMap::new());
        let log = File::create(log).unwrap();
        Self { began, state: Mutex::new(State { log, next: 0, broken, counts }) }
    }

    /// Something is broken until the result is dropped.
    #[must_use]
    pub fn broken(&self, kind: Kind, what: &impl fmt::Display) -> Broken<'_> {
        let mut state = self.state();
        *state.counts.entry(kind).or_default() += 1;
        state.next += 1;
        let number = state.next;
        let words = format!("{kind:?} {what}");
        let _ = writeln!(state.log, "{:8.3} {words}", self.began.elapsed().as_secs_f64());
        state.broken.insert(number, words);
        Broken { board: self, number }
    }

    /// What is broken now.
    pub fn now(&self) -> Vec<String> {
        self.state().broken.values().cloned().collect()
    }

    /// How often each kind struck.
    pub fn counts(&self) -> BTreeMap<Kind, u64> {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fault that lasts.
#[derive(Debug)]
pub struct Broken<'a> {
    board: &'a Board,
    number: u64,
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        let mut state = self.board.state();
        if let Some(words) = state.broken.remove(&self.number) {
            let _ = writeln!(
                state.log,
                "{:8.3} over: {words}",
                self.board.began.elapsed().as_secs_f64()
            );
        }
    }
}
