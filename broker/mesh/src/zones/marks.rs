//! What an owner has taken of a zone, as part of what is agreed: apply asks it of every report.
//!
//! One high-water mark for each life of a broker recognises a repetition however late it comes. It only works because
//! every report names the one before it that is not acknowledged: without that, "n refused, n+1 taken" would make n look
//! like a repetition, and lose it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::planted;
use crate::id::{Life, NodeId};
use crate::message::Publisher;

/// Lives of one node that are remembered. 16: what an earlier life held died with it, so only what it had sent can still
/// come, within a moment.
pub const INCARNATIONS: usize = 16;

/// What was taken of one zone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// For each node its lives, the one that was heard last at the end.
    marks: BTreeMap<NodeId, Vec<(Life, u64)>>,
    /// Who published last for each device that is registered, so their number is bounded.
    publishers: BTreeMap<Box<str>, Publisher>,
}

/// The name of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The broker that holds it.
    pub holder: Life,
    /// Its number there.
    pub counter: u64,
    /// The one before it that was not acknowledged when it was sent; 0 if there was none.
    pub before: u64,
}

/// What is to be done with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken.
    New,
    /// It was taken before, and is acknowledged.
    Repeated,
    /// The one before it was not: the holder has to begin again.
    OutOfOrder,
    /// Its client has since published at another node: an old report must not overwrite a newer one. It is refused for
    /// good, and nobody was promised that it would count.
    Superseded,
}

impl Marks {
    /// Takes a report of a device.
    pub fn take(&mut self, mark: Mark, device: &str, publisher: Option<&Publisher>) -> Verdict {
        let Mark { holder, counter, before } = mark;
        let seen = self.seen(holder);
        if planted::is_repeated(counter <= seen) {
            return Verdict::Repeated;
        }
        if planted::is_out_of_order(before > seen) {
            return Verdict::OutOfOrder;
        }
        let Some(publisher) = publisher else {
            self.set(holder, counter);
            return Verdict::New;
        };
        let last = self.publishers.get(device).filter(|last| last.client == publisher.client);
        if planted::is_superseded(last.is_some_and(|last| last.since > publisher.since)) {
            // It is not taken, so the mark stays: if this answer is lost, the next one must not say that it was.
            return Verdict::Superseded;
        }
        self.set(holder, counter);
        self.publishers.insert(device.into(), publisher.clone());
        Verdict::New
    }

    fn seen(&self, holder: Life) -> u64 {
        let lives = self.marks.get(&holder.node).into_iter().flatten();
        lives.filter(|(life, _)| *life == holder).map(|(_, counter)| *counter).next().unwrap_or(0)
    }

    fn set(&mut self, holder: Life, counter: u64) {
        let lives = self.marks.entry(holder.node).or_default();
        lives.retain(|(life, _)| *life != holder);
        if lives.len() >= INCARNATIONS {
            lives.remove(0);
        }
        lives.push((holder, counter));
    }
}
