//! Which gateway owns which zone.
//!
//! ```text
//! new zone       ─▶ lowest-numbered serving gateway below the threshold, else the least loaded
//! owner dies     ─▶ each of its zones to the least loaded serving gateway, else to a standby
//! gateway joins  ─▶ its own zones come home; zones at standbys move to it if it serves
//! ```
//!
//! On a broker that fences nobody off, a gateway that joins takes only what no living one owns. The
//! leader brings the rest home, zone by zone, when no lease on it can be left.

use wire::{Epoch, GatewayId, Zone};

use super::change::Change;
use super::note::Note;
use super::outcome::{Moved, Outcome};
use super::rows::{Member, ZoneRow};
use super::state::House;
use crate::planted::house as planted;

impl House {
    /// Gives a zone that is not known an owner; does nothing when nobody could own it.
    pub(super) fn place(&mut self, zone: &Zone, outcome: &mut Outcome) {
        if self.zones.contains_key(zone) {
            return;
        }
        let below = self
            .candidates()
            .find(|id| self.gateways[id].serves && self.weight(*id) < self.agreed.threshold);
        if let Some(owner) = below.or_else(|| self.least_loaded()) {
            self.assign(zone, owner, owner, outcome);
        }
    }

    /// Moves every zone away from a dead gateway.
    pub(super) fn evacuate(&mut self, gateway: GatewayId, outcome: &mut Outcome) {
        for zone in self.zones_where(|row| row.owner == gateway) {
            let home = self.zones[&zone].home;
            if let Some(to) = self.least_loaded() {
                self.assign(&zone, to, home, outcome);
            }
        }
    }

    /// Takes note of a gateway that is here, and moves to it what belongs to it: what others own who
    /// live only if it may take that `at_once`. What an earlier life proposed may come late, and says
    /// nothing of the present one.
    pub(super) fn join(
        &mut self,
        gateway: GatewayId,
        member: Member,
        at_once: bool,
        outcome: &mut Outcome,
    ) {
        let before = self.gateways.get(&gateway).copied();
        let outlived = before.is_some_and(|known| known.incarnation > member.incarnation);
        if before == Some(member) || planted::outlived_joins(outlived) {
            return;
        }
        self.gateways.insert(gateway, member);
        outcome.changes.push(Change::Gateway(gateway, member));
        outcome.notes.push(Note::Joined(gateway, before.is_some()));
        // A new life knows nothing of the proposals of the one before: it needs a fresh fence.
        for zone in planted::epoch_kept(self.zones_where(|row| row.owner == gateway)) {
            let home = self.zones[&zone].home;
            self.assign(&zone, gateway, home, outcome);
        }
        for zone in self.zones_where(|row| row.owner != gateway) {
            let row = self.zones[&zone];
            let owner = self.gateways.get(&row.owner).filter(|owner| owner.alive);
            let homeless = !owner.is_some_and(|owner| owner.serves);
            let better = at_once && member.serves && (row.home == gateway || homeless);
            // Nobody was left when its owner died, so a standby is better than nobody.
            if better || owner.is_none() {
                self.assign(&zone, gateway, row.home, outcome);
            }
        }
    }

    /// Who should own a zone instead of its present owner, which lives: the gateway on which it was
    /// placed, or one that serves rather than a standby.
    #[must_use]
    pub fn better_owner(&self, zone: &Zone) -> Option<GatewayId> {
        let row = self.zones.get(zone)?;
        let serves = |id: &GatewayId| self.gateways.get(id).is_some_and(|m| m.alive && m.serves);
        let owner = self.gateways.get(&row.owner).filter(|owner| owner.alive)?;
        let instead = if owner.serves { None } else { self.least_loaded().filter(serves) };
        Some(row.home).filter(serves).or(instead).filter(|better| *better != row.owner)
    }

    /// Gives a zone to its better owner, unless it has moved since that was proposed.
    pub(super) fn bring_home(&mut self, zone: &Zone, epoch: Epoch, outcome: &mut Outcome) {
        let row = self.zones.get(zone).copied().filter(|row| row.epoch == epoch);
        if let Some((row, to)) = row.zip(self.better_owner(zone)) {
            self.assign(zone, to, row.home, outcome);
        }
    }

    fn assign(&mut self, zone: &Zone, to: GatewayId, home: GatewayId, outcome: &mut Outcome) {
        let from = self.zones.get(zone).map(|row| row.owner);
        self.counters.epoch = self.counters.epoch.next();
        let epoch = self.counters.epoch;
        let row = ZoneRow { owner: to, home, epoch, next: 1 };
        self.zones.insert(zone.clone(), row);
        outcome.changes.push(Change::Zone(zone.clone(), row));
        outcome.moved.push(Moved { zone: zone.clone(), from, to, epoch });
    }

    fn candidates(&self) -> impl Iterator<Item = GatewayId> {
        self.gateways.iter().filter(|(_, member)| member.alive).map(|(id, _)| *id)
    }

    /// The live gateway with the fewest devices; one that serves if there is any.
    fn least_loaded(&self) -> Option<GatewayId> {
        self.candidates().min_by_key(|id| (!self.gateways[id].serves, self.weight(*id), *id))
    }

    /// Load for placement: its devices, and one for each zone that has none yet. A zone is placed
    /// because a device is at the door, and a whole home may knock at once.
    fn weight(&self, gateway: GatewayId) -> u32 {
        let zones = self.zones.iter().filter(|(_, row)| row.owner == gateway);
        let devices = zones.map(|(zone, _)| self.devices_of(zone).count().max(1));
        u32::try_from(devices.sum::<usize>()).unwrap_or(u32::MAX)
    }

    fn zones_where(&self, wanted: impl Fn(&ZoneRow) -> bool) -> Vec<Zone> {
        let wanted = self.zones.iter().filter(|(_, row)| wanted(row));
        wanted.map(|(zone, _)| zone.clone()).collect()
    }
}
