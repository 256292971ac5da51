//! The search, and what came of it.

use std::fmt;
use std::time::{Duration, Instant};

use stateright::{Checker, CheckerBuilder, Expectation, HasDiscoveries, Model};

use crate::bounds::Bounds;
use crate::world::World;

/// The machine this is for has two cores.
const THREADS: usize = 2;

/// What a search has seen.
#[derive(Debug)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Steps from a state to a state.
    pub steps: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// The most messages that were under way in one state.
    pub messages: usize,
    /// Claims that do not hold, each with the way to a state in which it fails.
    pub broken: Vec<Found>,
    /// What may happen and did, so that the search is known to go that far.
    pub reached: Vec<Found>,
    /// What should have happened somewhere and did not.
    pub missing: Vec<&'static str>,
    /// How long it took.
    pub took: Duration,
}

/// A state of interest.
#[derive(Debug)]
pub struct Found {
    /// What is true there, or what is claimed and false.
    pub what: &'static str,
    /// How the group gets there, an event a line.
    pub story: Vec<String>,
}

impl Report {
    /// Whether every claim holds everywhere, and the search has seen what it is for.
    pub const fn passes(&self) -> bool {
        self.broken.is_empty() && self.missing.is_empty()
    }
}

/// Visits every state.
pub fn check(bounds: Bounds) -> Report {
    let searched = World::new(bounds).checker();
    search(searched)
}

/// Goes on until one of these claims fails.
pub fn find(bounds: Bounds, claims: &[&'static str]) -> Report {
    let until = HasDiscoveries::AnyOf(claims.iter().copied().collect());
    search(World::new(bounds).checker().finish_when(until))
}

fn search(checker: CheckerBuilder<World>) -> Report {
    let began = Instant::now();
    let checker = checker.threads(THREADS).spawn_bfs().join();
    let world = checker.model();
    let (mut broken, mut reached, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut discoveries = checker.discoveries();
    for property in world.properties() {
        let path = discoveries.remove(property.name);
        let found = path.map(|path| Found { what: property.name, story: world.story(path) });
        match (property.expectation, found) {
            (Expectation::Sometimes, Some(found)) => reached.push(found),
            (Expectation::Sometimes, None) => missing.push(property.name),
            (Expectation::Always | Expectation::Eventually, found) => broken.extend(found),
        }
    }
    Report {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        messages: world.most_messages(),
        broken,
        reached,
        missing,
        took: began.elapsed(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} steps, depth {}", self.states, self.steps, self.depth)?;
        write!(f, ", at most {} messages under way", self.messages)?;
        write!(f, ", {:.1} s", self.took.as_secs_f64())
    }
}
