//! What durations are in a home in which all is well but its clocks, and one gateway that dies.

use serde_json::json;

use super::claims;
use super::class::Class;
use super::world::{MS, World};
use crate::verdict::claim;

/// How long an order may take to be over that nobody carries out.
const EXPIRES: u64 = 1000;

/// By how much a duration may be too long: clocks drift, and what is due is to be agreed. Where the leader dies
/// meanwhile another one begins to lead first, and the owner's successor serves the zone.
fn too_long(duration: u64, crash: bool) -> u64 {
    duration / 10 + if crash { 3000 } else { 500 } * MS
}

impl World {
    /// A door and an order take as long as they should, over a change of leader too, and the time of day becomes right.
    pub(crate) fn durations_are_exact(&mut self) {
        if !self.plan.classes.has(Class::Clocks) {
            return;
        }
        for id in self.processes.keys().copied().collect::<Vec<_>>() {
            self.set_a_clock(id);
        }
        let began = self.now;
        let door = self.plan.door_closes_after.filter(|after| *after > 0);
        if door.is_some() {
            self.open_the_door_anew("d/door");
        }
        let order = self.order_what_nobody_does("e/sensor", EXPIRES);
        self.run(100 * MS);
        let crash = self.dice.chance(50);
        if let Some(leader) = self.leader().filter(|_| crash) {
            self.crash(leader);
        }
        let longest = EXPIRES.max(door.unwrap_or(0)) * MS;
        self.run(longest + too_long(longest, crash));
        if let Some(after) = door {
            let closed = self.watch.closed.get("d/door").filter(|closed| **closed >= began);
            let latest = began + after * MS + too_long(after * MS, crash);
            let in_time = closed.is_some_and(|closed| *closed <= latest);
            let closed = closed.map(|closed| (closed - began) / MS);
            claim!(
                in_time,
                "a duration is as long as it was asked to be",
                "d/door is told to close after {closed:?} ms, not {after} ms"
            );
        }
        let ended = self.letters.asked[&order].answers.iter();
        let ended = ended.filter(|answer| *answer.get("fulfilled") == json!(false)).count();
        // An answer may get lost with its owner.
        claim!(
            ended > 0 || crash,
            "a duration is as long as it was asked to be",
            "an order of {EXPIRES} ms has no end"
        );
        let since = self.now;
        self.within("the time of day is the median of the clocks", since, Self::is_the_right_day);
    }

    fn is_the_right_day(&self) -> bool {
        let mut wrong: Vec<i64> = self.processes.values().map(|process| process.skew).collect();
        wrong.sort_unstable();
        let (low, high) = (wrong[(wrong.len() - 1) / 2], wrong[wrong.len() / 2]);
        self.processes.values().all(|process| {
            let moment = process.clock.shows(self.now);
            let time = process.core.as_ref().and_then(|core| core.time_of_day(moment));
            let off = time.map(|time| claims::off_by(time, self.now));
            off.is_some_and(|off| (low - claims::DAY_OFF..=high + claims::DAY_OFF).contains(&off))
        })
    }
}
