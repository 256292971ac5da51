//! Zones are made on somebody's account, and go when they have had no devices for some time.

use wire::{Account, Epoch, Maker, UnixMillis, Zone};

use super::change::Change;
use super::outcome::{Outcome, Refusal, Verdict};
use super::rows::Made;
use super::state::House;
use crate::planted::house as planted;

/// How long a zone may be without devices, in milliseconds of elapsed time. Ten minutes: a device whose first report
/// could not be taken has been looked at by then.
const EMPTY_FOR: u64 = 10 * 60 * 1000;

impl House {
    /// Makes a zone that is not known, or says why not. Whether there is one afterwards is another question: nobody may
    /// have joined that could own it.
    pub(super) fn make(&mut self, zone: &Zone, maker: &Maker, outcome: &mut Outcome) -> bool {
        if self.zones.contains_key(zone) {
            return true;
        }
        if let Some(why) = self.too_many(maker) {
            outcome.verdict = Verdict::Refused(Refusal::Quota, why);
            return false;
        }
        self.place(zone, outcome);
        if self.zones.contains_key(zone) {
            let made = Made { at: self.counters.time, by: maker.account.clone() };
            outcome.changes.push(Change::Made(zone.clone(), made.clone()));
            self.made.insert(zone.clone(), made);
        }
        true
    }

    /// Why somebody may make no zone more.
    fn too_many(&self, maker: &Maker) -> Option<String> {
        let of = |is: &dyn Fn(&Account) -> bool| {
            let made = self.made.values().filter(|made| made.by.as_ref().is_some_and(is));
            u32::try_from(made.count()).unwrap_or(u32::MAX)
        };
        let all = u32::try_from(self.zones.len()).unwrap_or(u32::MAX);
        if planted::zones_not_counted(all >= maker.may.all) {
            return Some(format!("the site has {all} zones, and there may be no more"));
        }
        let Account { user, role } = maker.account.as_ref()?;
        let (users, roles) = (of(&|by| by.user == *user), of(&|by| by.role == *role));
        if planted::zones_not_counted(users >= maker.may.user) {
            return Some(format!("{user} has made {users} zones, and may make no more"));
        }
        planted::zones_not_counted(roles >= maker.may.role).then(|| {
            format!("users with the role {role} have made {roles} zones, and may make no more")
        })
    }

    /// Whether a zone has had no devices for some time.
    #[must_use]
    pub fn is_abandoned(&self, zone: &Zone, now: UnixMillis) -> bool {
        let made = self.made.get(zone).map_or(0, |made| made.at.0);
        now.0 >= made.saturating_add(EMPTY_FOR) && self.devices_of(zone).next().is_none()
    }

    /// Removes a zone without devices. What its owner has under way finds no zone and is not acknowledged; the broker
    /// holds it again, and a report makes the zone anew.
    pub(super) fn remove(&mut self, zone: &Zone, epoch: Epoch, next: u64, outcome: &mut Outcome) {
        let meant = self.zones.get(zone).is_some_and(|row| (row.epoch, row.next) == (epoch, next));
        if meant && self.is_abandoned(zone, self.counters.time) {
            self.zones.remove(zone);
            self.made.remove(zone);
            outcome.changes.push(Change::Removed(zone.clone()));
            outcome.removed.push(zone.clone());
        }
    }
}
