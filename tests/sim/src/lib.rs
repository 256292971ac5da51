//! Hearth's simulator. A run is one seed: it draws a world and everything that goes wrong in it, plays it on one
//! thread in virtual time, and checks every claim after every event. The same seed is the same run, every time.
//!
//! | module | what it is |
//! |---|---|
//! | `group` | a Paxos group: replicas with disks and clocks, a broker between them, clients |
//! | `home` | whole gateways: the same with a store, sessions, owners, leases and snapshots, and people who use them |
//! | `system` | gateways and a broker, both with their real cores, and devices and people as the broker's clients |
//! | [`fleet`] | ranges of seeds on all cores |
//!
//! What it is not: it knows no sockets, files or SQLite, so it says nothing about the shells around the cores.

pub mod fleet;

pub use system::class::{Class, Classes, UnknownClass};

mod attic;
mod clock;
mod dice;
mod group;
mod home;
mod mistake;
mod queue;
mod summary;
mod system;
mod trace;
mod verdict;

pub use mistake::Mistake;
pub use summary::Summary;
pub use trace::Trace;
pub use verdict::Violation;

/// How to run a seed.
#[derive(Default)]
pub struct Options {
    /// Leave out the checks of single messages, to see what the outcome alone proves.
    pub blind: bool,
    /// Who wants to read what happens.
    pub trace: Trace,
    /// A mistake to make on purpose.
    pub mistake: Option<Mistake>,
    /// The classes of trouble that a whole system has.
    pub classes: Classes,
}

/// Plays one seed of a Paxos group.
///
/// # Errors
/// The claim that was broken, or the replica's own assertion that failed.
pub fn run_group(seed: u64, options: Options) -> Result<Summary, Violation> {
    Mistake::make(options.mistake);
    verdict::judge(seed, || group::run(seed, options))
}

/// Plays one seed of a whole home.
///
/// # Errors
/// The claim that was broken, or a gateway's own assertion that failed.
pub fn run_home(seed: u64, options: Options) -> Result<Summary, Violation> {
    Mistake::make(options.mistake);
    verdict::judge(seed, || home::run(seed, options))
}

/// Plays one seed of a whole system.
///
/// # Errors
/// The claim that was broken, or an assertion of a core that failed.
pub fn run_system(seed: u64, options: Options) -> Result<Summary, Violation> {
    Mistake::make(options.mistake);
    verdict::judge(seed, || system::run(seed, options))
}
