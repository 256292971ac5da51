//! What gateways remember of each other's files, so that one that was put back to an older state is recognised.

use serde::{Deserialize, Serialize};

/// The last that a gateway knows of another one's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The life that used the file: a random number.
    pub life: u64,
    /// How many commits there were in the file.
    pub age: u64,
}

/// What a gateway tells the others of its own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Its present life.
    pub life: u64,
    /// How old this life found the file.
    pub found: u64,
    /// How old the file is now.
    pub age: u64,
    /// It waits for an answer before it takes part.
    pub asks: bool,
    /// An operator says that there is no newer file of it.
    pub trusted: bool,
}

/// What another gateway remembers of that file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The life that asked.
    pub to: u64,
    /// What was known before; life 0 and age 0 if nothing was.
    pub witness: Witness,
}
