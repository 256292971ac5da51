//! Claims about messages as they come.

use crate::people::{How, Receipt};
use crate::world::World;

impl World {
    /// The last thing that came to a client is right.
    pub(crate) fn what_came_is_right(&mut self, stay: u64) {
        self.nothing_comes_twice(stay);
        self.order_holds_per_publisher(stay);
    }

    /// Nobody gets a message twice.
    fn nothing_comes_twice(&mut self, stay: u64) {
        let Some((last, before)) = self.stays[stay as usize].received.split_last() else { return };
        let again = |other: &Receipt| other.attempt == last.attempt && other.how == last.how;
        if last.how != How::Retained && before.iter().any(again) {
            let what = format!("{} came twice to {stay}", last.attempt);
            self.fail("nothing_comes_twice", what);
        }
    }

    /// What one client published on one connection comes in that order.
    fn order_holds_per_publisher(&mut self, stay: u64) {
        let Some((last, before)) = self.stays[stay as usize].received.split_last() else { return };
        if last.how != How::Live {
            return;
        }
        let attempt = &self.attempts[last.attempt];
        if attempt.epoch.is_some() {
            return;
        }
        let publisher = attempt.stay;
        let newer = before.iter().rev().find(|other| {
            other.how == How::Live
                && self.attempts[other.attempt].epoch.is_none()
                && self.attempts[other.attempt].stay == publisher
                && other.attempt > last.attempt
        });
        if let Some(newer) = newer {
            let what = format!("{stay} got {} after {}", last.attempt, newer.attempt);
            self.fail("order_holds_per_publisher", what);
        }
    }

    /// A node that has heard of an owner hears of no former one.
    pub(crate) fn no_former_owner_is_heard_after_its_successor(
        &mut self,
        site: usize,
        attempt: usize,
    ) {
        let Some(epoch) = self.attempts[attempt].epoch else { return };
        let topic = self.attempts[attempt].topic.clone();
        let zone = topic.split('/').nth(1).unwrap_or_default();
        let Some(process) = &self.sites[site].process else { return };
        let claimed = process.node.claim_of(zone).map_or(0, |claim| claim.epoch);
        if claimed > epoch {
            let what = format!("{site} delivers {attempt} of epoch {epoch}, claimed is {claimed}");
            self.fail("no_former_owner_is_heard_after_its_successor", what);
        }
    }
}
