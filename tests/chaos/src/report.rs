//! What a run says in the end.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::board::Kind;
use crate::judge::{Fault, Verdict};
use crate::ledger::{Entry, Fate, Gap, Sort};

/// Everything about a run.
#[derive(Debug)]
pub struct Report {
    /// The seed that drew the faults.
    pub seed: u64,
    /// How long the faults went on.
    pub seconds: u64,
    /// All messages.
    pub entries: Vec<Entry>,
    /// `zone/device` and the longest time without an acknowledgement, longest first.
    pub gaps: Vec<(String, Gap)>,
    /// How often each kind of fault struck.
    pub faults: Vec<(Kind, u64)>,
    /// Reports of loud devices: said, and in history.
    pub loud: u64,
    /// What was left out, and why.
    pub skipped: Vec<String>,
    /// What must not be.
    pub verdict: Verdict,
    /// How long it took until all was whole, after the faults.
    pub healed: Duration,
}

impl Report {
    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdict.counts.is_empty()
    }

    fn count(&self, is_meant: impl Fn(&&Entry) -> bool) -> usize {
        self.entries.iter().filter(is_meant).count()
    }

    fn acknowledged(&self, sort: Sort, qos: u8) -> usize {
        self.count(|entry| {
            entry.fate == Fate::Acknowledged
                && entry.message.sort == sort
                && entry.message.qos == qos
        })
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Json {
        let count = |fault| self.verdict.count(fault);
        let faults = self.faults.iter().map(|(kind, times)| (format!("{kind:?}"), json!(times)));
        let wrong = self.verdict.counts.iter();
        let wrong = wrong.map(|(fault, times)| (format!("{fault:?}"), json!(times)));
        let gaps = self.gaps.iter().map(|(place, gap)| {
            (
                place.clone(),
                json!({"seconds": gap.length.as_secs_f64(), "at": gap.at.as_secs_f64()}),
            )
        });
        json!({
            "seed": self.seed,
            "seconds": self.seconds,
            "messages": self.entries.len(),
            "acknowledged": {
                "qos1": self.acknowledged(Sort::Report, 1),
                "qos2": self.acknowledged(Sort::Report, 2),
                "sets": self.acknowledged(Sort::Set, 1),
            },
            "refused": self.count(|entry| entry.fate == Fate::Refused),
            "given_up": self.count(|entry| entry.fate == Fate::GivenUp && entry.message.qos > 0),
            "qos0": self.count(|entry| entry.message.qos == 0),
            "flood": self.loud,
            "lost": count(Fault::Lost),
            "doubled": count(Fault::Doubled),
            "carried_out_twice": count(Fault::CarriedOutTwice),
            "wrong": wrong.collect::<serde_json::Map<_, _>>(),
            "examples": self.verdict.examples,
            "gaps": gaps.collect::<serde_json::Map<_, _>>(),
            "faults": faults.collect::<serde_json::Map<_, _>>(),
            "skipped": self.skipped,
            "healed_seconds": self.healed.as_secs_f64(),
            "good": self.is_good(),
        })
    }

    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        let mut text = String::new();
        let count = |fault| self.verdict.count(fault);
        let _ = writeln!(
            text,
            "seed {}, {} s: {} messages; acknowledged {} reports at QoS 1, {} at QoS 2, {} orders; {} refused, {} \
             given up; {} at QoS 0 and {} of loud devices",
            self.seed,
            self.seconds,
            self.entries.len(),
            self.acknowledged(Sort::Report, 1),
            self.acknowledged(Sort::Report, 2),
            self.acknowledged(Sort::Set, 1),
            self.count(|entry| entry.fate == Fate::Refused),
            self.count(|entry| entry.fate == Fate::GivenUp && entry.message.qos > 0),
            self.count(|entry| entry.message.qos == 0),
            self.loud,
        );
        let _ = writeln!(
            text,
            "{} lost, {} doubled, {} carried out twice (counted at every gateway)",
            count(Fault::Lost),
            count(Fault::Doubled),
            count(Fault::CarriedOutTwice)
        );
        let gaps = self.gaps.iter().take(3);
        let gaps = gaps.map(|(place, gap)| {
            format!("{place} {:.1} s at {:.0} s", gap.length.as_secs_f64(), gap.at.as_secs_f64())
        });
        let _ = writeln!(text, "longest gaps: {}", gaps.collect::<Vec<_>>().join(", "));
        let faults = self.faults.iter().map(|(kind, times)| format!("{kind:?} {times}"));
        let _ = writeln!(text, "faults: {}", faults.collect::<Vec<_>>().join(", "));
        let _ = writeln!(text, "whole again {:.1} s after the last", self.healed.as_secs_f64());
        for skipped in &self.skipped {
            let _ = writeln!(text, "skipped: {skipped}");
        }
        for (fault, times) in &self.verdict.counts {
            let _ = writeln!(text, "WRONG: {fault:?}, {times} times");
        }
        for example in &self.verdict.examples {
            let _ = writeln!(text, "  {example}");
        }
        text
    }
}
