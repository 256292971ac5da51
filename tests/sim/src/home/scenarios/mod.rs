//! Scenarios of whole gateways, one fault at a time.

mod agreed;
mod membership;
mod ownership;
mod queries;
mod snapshots;
mod time;
mod upgrades;

use super::world::{MS, World};

impl World {
    /// Runs until something is so; panics when it is not within the time. Gives the milliseconds that it took.
    #[track_caller]
    fn until(&mut self, what: &str, millis: u64, is_so: impl Fn(&Self) -> bool) -> u64 {
        let (start, end) = (self.now, self.now + millis * MS);
        while !is_so(self) {
            assert!(self.step(end), "within {millis} ms: {what}");
        }
        (self.now - start) / MS
    }

    fn server(&self, zone: &str) -> Option<u8> {
        self.server_of(&zone.parse().expect("a name"))
    }

    /// A home with one sensor in every zone, whose first report is agreed.
    fn furnish(&mut self, places: &[&str]) {
        self.until("someone leads", 3000, |world| world.leader().is_some());
        let all = self.nodes.len();
        self.until("everyone has joined", 1000, |world| world.joined().len() == all);
        for place in places {
            let stamp = self.report(place);
            self.until("a report is agreed", 2000, |world| world.is_acknowledged(stamp));
        }
    }
}
