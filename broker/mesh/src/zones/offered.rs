//! Reports of all holders at the node that claims their zone.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::planted;
use crate::id::Life;
use crate::message::Message;
use crate::wire::{Frame, Refused, Report, Taken, Why};

/// Reports of one zone that its owner has been offered and has not answered. 512: eight nodes' 64 each.
pub const OFFERED: usize = 512;

/// What owners at this node have been offered and have not answered.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    under_way: BTreeMap<Box<str>, BTreeMap<Name, u64>>,
}

/// Which report, among those of a zone.
type Name = (Life, u64);

/// A report for an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The zone.
    pub zone: Box<str>,
    /// The ownership that it is meant for.
    pub epoch: u64,
    /// The broker that holds it.
    pub holder: Life,
    /// Its number among those of the zone there; 0 with QoS 0, which is not answered.
    pub counter: u64,
    /// The one before it that was not acknowledged.
    pub before: u64,
    /// The message.
    pub message: Arc<Message>,
}

/// What an owner says of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is agreed, or was already; or it is refused for good, with this reason code.
    Taken(Option<u8>),
    /// The one before it has not been taken.
    OutOfOrder,
}

/// What is done with a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The owner gets it.
    Offer(Offer),
    /// The owner has it already and will answer.
    Wait,
    /// Its holder is told at once.
    Refuse(Refused),
}

/// An answer for the broker that holds a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Who holds it.
    pub to: Life,
    /// What it is told.
    pub frame: Frame,
}

impl Offered {
    /// A report has come; `open` is the epoch of the session that is open here.
    pub(crate) fn report(&mut self, holder: Life, report: Report, open: Option<u64>) -> Answer {
        let Report { zone, epoch, round, counter, before, message, .. } = report;
        let refuse = |zone, why| Answer::Refuse(Refused { zone, round, counter, why });
        if !planted::is_open(open == Some(epoch), open.is_some()) {
            return refuse(zone, Why::NotOpen);
        }
        if counter > 0 {
            let under_way = self.under_way.entry(zone.clone()).or_default();
            if let Some(earlier) = under_way.get_mut(&(holder, counter)) {
                *earlier = round;
                return Answer::Wait;
            }
            if under_way.len() >= OFFERED {
                return refuse(zone, Why::Full);
            }
            under_way.insert((holder, counter), round);
        }
        Answer::Offer(Offer { zone, epoch, holder, counter, before, message })
    }

    /// The owner has answered; what the holder is told.
    pub(crate) fn settle(
        &mut self,
        zone: &str,
        holder: Life,
        counter: u64,
        outcome: Outcome,
    ) -> Option<Reply> {
        let round = self.under_way.get_mut(zone)?.remove(&(holder, counter))?;
        let zone = zone.into();
        let frame = match outcome {
            Outcome::Taken(refusal) => Taken { zone, counter, refusal }.into(),
            Outcome::OutOfOrder => Refused { zone, round, counter, why: Why::Predecessor }.into(),
        };
        Some(Reply { to: holder, frame })
    }

    /// The zone's session has ended: holders begin again, here or elsewhere.
    pub(crate) fn close(&mut self, zone: &str) -> Vec<Reply> {
        let under_way = self.under_way.remove(zone).unwrap_or_default();
        let reply = |((to, counter), round): (Name, u64)| {
            let refused = Refused { zone: zone.into(), round, counter, why: Why::NotOpen };
            Reply { to, frame: refused.into() }
        };
        under_way.into_iter().map(reply).collect()
    }

    /// A node's life has ended, and with it what it held.
    pub(crate) fn forget(&mut self, over: impl Fn(Life) -> bool) {
        for under_way in self.under_way.values_mut() {
            under_way.retain(|(holder, _), _| !over(*holder));
        }
    }
}
