//! What is agreed of zones: owners, epochs, and what was applied. A majority decides; how it does is not played here.

use std::collections::BTreeMap;

use mesh::{Fence, Life, Mark, Marks, Message, Offer, Outcome, Qos, Taking};

use crate::people::{number_of, payload};
use crate::plan::ZONES;
use crate::world::{Event, MS, World};

/// How long a node is out of reach until it is agreed dead, in microseconds.
const DEATH: u64 = 525 * MS;

/// The agreed state.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) zones: Vec<Zone>,
    /// Since when a node cannot be reached.
    away: BTreeMap<usize, u64>,
    dead: std::collections::BTreeSet<Life>,
}

#[derive(Debug, Default)]
pub(crate) struct Zone {
    pub(crate) epoch: u64,
    pub(crate) owner: Option<usize>,
    pub(crate) marks: Marks,
    /// Every report that was applied, in order.
    pub(crate) applied: Vec<usize>,
    /// The last one of each device.
    pub(crate) last: BTreeMap<usize, usize>,
    /// A broker has said that it waits.
    announced: bool,
    /// Owners propose in order, and what they propose is agreed in order.
    busy_until: u64,
}

/// A report that an owner has proposed.
#[derive(Debug)]
pub(crate) struct Commit {
    site: usize,
    life: Life,
    zone: usize,
    offer: Offer,
}

impl Home {
    pub(crate) fn new(zones: usize) -> Self {
        Self {
            zones: (0..zones).map(|_| Zone::default()).collect(),
            away: BTreeMap::new(),
            dead: std::collections::BTreeSet::new(),
        }
    }
}

impl World {
    /// What the leader looks at, twenty times a second.
    pub(crate) fn agree(&mut self) {
        self.after(50 * MS, Event::Agree);
        let able: Vec<usize> =
            (0..self.plan.nodes).filter(|site| self.has_majority(*site)).collect();
        for site in 0..self.plan.nodes {
            if able.contains(&site) {
                self.home.away.remove(&site);
            } else {
                self.home.away.entry(site).or_insert(self.now);
            }
        }
        if able.is_empty() {
            return;
        }
        self.agree_on_the_dead(&able);
        for zone in 0..ZONES.len() {
            self.place(zone, &able);
        }
    }

    fn agree_on_the_dead(&mut self, able: &[usize]) {
        let late = |since: &u64| self.now - since >= DEATH;
        let away: Vec<usize> =
            self.home.away.iter().filter(|(_, since)| late(since)).map(|(site, _)| *site).collect();
        for site in away {
            // Only a life that some node of the majority hears is not dead.
            let heard = able.iter().any(|a| self.sites[site].runs() && self.net.is_whole(*a, site));
            let lives = self.ended.keys().filter(|life| life.node == self.sites[site].id).copied();
            let mut lives: Vec<Life> = lives.collect();
            lives.extend(self.sites[site].life().filter(|_| !heard));
            for life in lives {
                if self.home.dead.insert(life) {
                    self.say(|| format!("{life:?} is agreed dead"));
                    self.count("agreed dead");
                    for able in able {
                        self.with(*able, |process, now| process.node.dead(now, life));
                    }
                }
            }
        }
    }

    fn place(&mut self, zone: usize, able: &[usize]) {
        let Zone { owner, announced, .. } = &self.home.zones[zone];
        let (owner, announced) = (*owner, *announced);
        let wanted = announced || owner.is_some();
        let lost = owner.is_some_and(|owner| {
            self.home.away.get(&owner).is_some_and(|since| self.now - since >= 300 * MS)
        });
        let restarted = owner.is_some_and(|owner| {
            let process = self.sites[owner].process.as_ref();
            let open = process.is_some_and(|process| process.owners.contains_key(&zone));
            able.contains(&owner) && !open
        });
        let moved = !self.faults_over && self.plan.faults.moves && self.dice.once_in(60);
        if wanted && (owner.is_none() || lost || moved || (restarted && self.dice.once_in(4))) {
            let to = self.dice.pick(able);
            self.move_zone(zone, to);
        }
    }

    fn move_zone(&mut self, zone: usize, to: usize) {
        let before = self.home.zones[zone].owner.replace(to);
        let old = self.home.zones[zone].epoch;
        self.home.zones[zone].epoch += 1;
        let epoch = old + 1;
        self.say(|| format!("zone {zone} goes from {before:?} to {to} in epoch {epoch}"));
        self.count("zones moved");
        let soon = self.dice.between(2, 40) * MS;
        self.after(soon, Event::Owner { site: to, zone, epoch });
        if let Some(site) = before {
            let late = self.dice.tail(2, 500) * MS;
            self.after(late, Event::Over { site, zone, epoch: old });
        }
    }

    /// An owner opens its session.
    pub(crate) fn open_owner(&mut self, site: usize, zone: usize, epoch: u64) {
        let opened = self.with(site, |process, now| {
            let ready = process.node.ready(now);
            let claimed = ready && process.node.claim(now, ZONES[zone], epoch).is_ok();
            if claimed {
                process.owners.insert(zone, epoch);
            }
            claimed
        });
        if opened != Some(true) {
            return;
        }
        self.say(|| format!("{site} opens the session of {zone} in epoch {epoch}"));
        let last: Vec<usize> = self.home.zones[zone].last.values().copied().collect();
        for report in last {
            self.publish_state(site, zone, epoch, report);
        }
    }

    /// An owner learns that it is none any more.
    pub(crate) fn close_owner(&mut self, site: usize, zone: usize, epoch: u64) {
        if !self.has_majority(site) {
            if self.sites[site].process.is_some() {
                self.after(100 * MS, Event::Over { site, zone, epoch });
            }
            return;
        }
        self.with(site, |process, now| {
            if process.owners.get(&zone) == Some(&epoch) {
                process.owners.remove(&zone);
                process.node.unclaim(now, ZONES[zone], epoch);
            }
        });
    }

    /// A broker names a zone that waits.
    pub(crate) fn announced(&mut self, site: usize, zone: &str) {
        let zone = ZONES.iter().position(|name| *name == zone).expect("a zone");
        if self.has_majority(site) {
            self.home.zones[zone].announced = true;
        }
    }

    /// An owner is given a report, and proposes it.
    pub(crate) fn offered(&mut self, site: usize, offer: Offer) {
        let zone = ZONES.iter().position(|name| **name == *offer.zone).expect("a zone");
        let life = self.sites[site].life().expect("it runs");
        self.count("reports offered");
        let until = self.now + self.dice.between(1, 15) * MS;
        let until = until.max(self.home.zones[zone].busy_until);
        self.home.zones[zone].busy_until = until;
        self.after(until - self.now, Event::Commit(Box::new(Commit { site, life, zone, offer })));
    }

    /// A proposal is agreed, if its owner still is one.
    pub(crate) fn commit(&mut self, commit: Commit) {
        let Commit { site, life, zone, ref offer } = commit;
        if self.sites[site].life() != Some(life) {
            return;
        }
        if self.home.zones[zone].epoch != offer.epoch {
            return self.count("proposals of a former owner");
        }
        if !self.has_majority(site) {
            return self.after(50 * MS, Event::Commit(Box::new(commit)));
        }
        let attempt = number_of(&offer.message);
        let (device, _) = self.attempts[attempt].report.expect("a report");
        let Offer { holder, counter, before, message, .. } = offer;
        let mark = Mark { holder: *holder, counter: *counter, before: *before };
        let name = self.people[device].name.clone();
        let verdict = self.home.zones[zone].marks.take(mark, &name, message.publisher.as_ref());
        self.say(|| format!("report {attempt} at {site} in epoch {}: {verdict:?}", offer.epoch));
        let outcome = match verdict {
            Taking::New => {
                self.applied(site, zone, offer.epoch, attempt);
                Outcome::Taken(None)
            }
            Taking::Repeated => {
                self.count("reports repeated");
                Outcome::Taken(None)
            }
            Taking::Superseded => {
                self.count("reports superseded");
                Outcome::Taken(Some(0x83))
            }
            Taking::OutOfOrder => {
                self.count("reports out of order");
                Outcome::OutOfOrder
            }
        };
        let (holder, counter) = (*holder, *counter);
        self.with(site, |process, now| {
            process.node.settle(now, ZONES[zone], (holder, counter), outcome);
        });
    }

    fn applied(&mut self, site: usize, zone: usize, epoch: u64, attempt: usize) {
        self.count("reports applied");
        let (device, _) = self.attempts[attempt].report.expect("a report");
        self.home.zones[zone].applied.push(attempt);
        self.home.zones[zone].last.insert(device, attempt);
        self.what_is_applied_is_new(zone, attempt);
        self.publish_state(site, zone, epoch, attempt);
    }

    /// The owner publishes a device's state, retained: the name of the report that it is of.
    fn publish_state(&mut self, site: usize, zone: usize, epoch: u64, report: usize) {
        let (device, _) = self.attempts[report].report.expect("a report");
        let topic = format!("home/{}/{}/state", ZONES[zone], self.people[device].name);
        let stay = self.attempts[report].stay;
        let state = self.attempt(stay, site, &topic, Qos::AtLeastOnce);
        (self.attempts[state].retain, self.attempts[state].epoch) = (true, Some(epoch));
        self.attempts[state].report = Some((device, report as u64));
        let fence = Some(Fence { zone: ZONES[zone].into(), epoch });
        let message = Message::new(&topic, payload(state), Qos::AtLeastOnce);
        self.send_out(site, state, Message { retain: true, fence, ..message }, false);
    }
}
