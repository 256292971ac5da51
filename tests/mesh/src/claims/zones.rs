//! Claims about reports.

use crate::world::World;

impl World {
    /// A report is applied once, and never after a newer one of its device.
    pub(crate) fn what_is_applied_is_new(&mut self, zone: usize, attempt: usize) {
        let applied = &self.home.zones[zone].applied;
        let (last, before) = applied.split_last().expect("it was applied");
        if before.contains(last) {
            return self.fail("no_report_is_applied_twice", format!("{attempt}"));
        }
        let of = |attempt: usize| self.attempts[attempt].report.expect("a report");
        let (device, number) = of(attempt);
        let newer = before.iter().find(|other| {
            let (its, its_number) = of(**other);
            its == device && its_number > number
        });
        if let Some(newer) = newer {
            let what = format!("{attempt} (number {number}) after {newer} of {device}");
            self.fail("no_report_is_applied_after_a_newer_one", what);
        }
    }

    /// A report that was acknowledged was agreed.
    pub(crate) fn an_acknowledged_report_is_applied(&mut self, attempt: usize) {
        if !self.home.zones.iter().any(|zone| zone.applied.contains(&attempt)) {
            self.fail("an_acknowledged_report_is_applied", format!("{attempt}"));
        }
    }
}
