//! What goes wrong.

use crate::people::{Person, payload};
use crate::site::Disk;
use crate::world::{Event, MS, World};
use mesh::{Message, Qos};

/// Messages of a flood: more bytes than are kept for a peer that is away.
const FLOOD: usize = 70;

impl World {
    pub(crate) fn fault(&mut self) {
        if self.faults_over {
            return;
        }
        let pause = self.dice.between(1, 2 * self.plan.faults.every) * MS;
        self.after(pause, Event::Fault);
        let site = self.dice.below(self.plan.nodes);
        let faults = self.plan.faults;
        match self.dice.below(4) {
            0 | 1 if faults.cuts => self.cut(site),
            2 if faults.kills => self.kill(site, faults.wipes),
            3 if faults.pauses => self.pause(site),
            _ => {}
        }
    }

    fn cut(&mut self, site: usize) {
        let other = self.dice.below(self.plan.nodes);
        if site == other {
            return;
        }
        let time = self.dice.tail(20, 3_000) * MS;
        let one_way = self.dice.chance(40);
        self.say(|| format!("from {site} to {other} nothing passes, one way: {one_way}"));
        self.count(if one_way { "links cut one way" } else { "links cut" });
        for (from, to) in [(site, other), (other, site)] {
            if (from, to) == (site, other) || !one_way {
                self.net.cut(from, to);
                self.after(time, Event::Mend(from, to));
            }
        }
        if self.dice.once_in(60) {
            self.flood(site);
        }
    }

    /// More is published while a link is cut than is kept for the other side.
    fn flood(&mut self, site: usize) {
        if !self.sites[site].runs() {
            return;
        }
        self.say(|| format!("a flood at {site}"));
        self.count("floods");
        let padding = vec![b'.'; 1 << 20];
        for _ in 0..FLOOD {
            let stay = self.stays.len() as u64;
            let life = self.sites[site].life().expect("it runs");
            let received = Vec::new();
            self.stays.push(crate::people::Stay { client: 0, site, life, over: true, received });
            let attempt = self.attempt(stay, site, "a/x", Qos::AtLeastOnce);
            let payload = [payload(attempt).as_ref(), &padding].concat();
            let message = Message::new("a/x", payload.into(), Qos::AtLeastOnce);
            self.send_out(site, attempt, message, false);
        }
    }

    pub(crate) fn mend(&mut self, from: usize, to: usize) {
        self.net.mend(from, to);
        self.catch_up(to);
    }

    /// Whether another node may be lost now: all have what the lost ones had.
    fn may_lose(&self, site: usize) -> bool {
        let whole = |other: usize| {
            let process = self.sites[other].process.as_ref();
            process.is_some_and(|process| {
                process.node.living().len() + 1 == self.plan.nodes
                    && process.node.matched().len() + 1 == self.plan.nodes
                    && process.born + 1_000 * MS < self.now
                    && !process.paused
            })
        };
        (0..self.plan.nodes).filter(|other| *other != site).all(whole)
            && self.sites[site].process.is_some()
    }

    fn kill(&mut self, site: usize, wipes: bool) {
        if self.sites[site].process.is_none() {
            return;
        }
        let safe = self.may_lose(site) && self.plan.nodes > 1;
        if self.plan.faults.one_at_a_time && !safe {
            return;
        }
        self.wild |= !safe;
        self.last_words(site);
        let wipe = wipes && self.dice.chance(40);
        self.say(|| format!("{site} is killed; its disk is wiped: {wipe}"));
        self.count(if wipe { "nodes wiped" } else { "nodes killed" });
        self.end_process(site);
        if wipe {
            self.sites[site].disk = Disk::default();
        }
        let time = self.dice.tail(5, 2_000) * MS;
        self.after(time, Event::Start(site));
    }

    /// Somebody publishes at the very last moment.
    fn last_words(&mut self, site: usize) {
        let there = |person: &Person| {
            let stay = person.stay.filter(|_| person.zone.is_none())?;
            (self.stays[stay as usize].site == site && self.sites[site].runs()).then_some(stay)
        };
        let Some(stay) = self.people.iter().find_map(there) else { return };
        let attempt = self.attempt(stay, site, "c", Qos::AtLeastOnce);
        self.attempts[attempt].retain = true;
        let message = Message::new("c", payload(attempt), Qos::AtLeastOnce);
        self.send_out(site, attempt, Message { retain: true, ..message }, true);
    }

    /// A node goes off with its disk, and everything that is retained is removed; which one.
    pub(crate) fn leave_for_long(&mut self) -> usize {
        let site = self.dice.below(self.plan.nodes);
        self.count("nodes off for long");
        self.say(|| format!("{site} is off for long"));
        self.sites[site].write();
        self.end_process(site);
        let at = (site + 1) % self.plan.nodes;
        for topic in crate::plan::TOPICS {
            let stay = self.stays.len() as u64;
            let life = self.sites[at].life().expect("only one is off");
            let received = Vec::new();
            self.stays.push(crate::people::Stay {
                client: 0,
                site: at,
                life,
                over: true,
                received,
            });
            let attempt = self.attempt(stay, at, topic, Qos::AtLeastOnce);
            (self.attempts[attempt].retain, self.attempts[attempt].removes) = (true, true);
            let message = Message::new(topic, Default::default(), Qos::AtLeastOnce);
            self.send_out(at, attempt, Message { retain: true, ..message }, false);
        }
        site
    }

    fn end_process(&mut self, site: usize) {
        let Some(process) = self.sites[site].process.take() else { return };
        self.ended.insert(process.life, self.now);
        let power = self.dice.chance(50);
        for (wire, side) in self.net.drop_node(site, power) {
            let lag = self.dice.between(1, 5) * MS;
            self.after(lag, Event::Parcel(wire, side));
        }
        for stay in process.sessions.keys() {
            let client = self.stays[*stay as usize].client;
            if self.people[client].stay == Some(*stay) {
                self.depart(client);
            }
        }
    }

    fn pause(&mut self, site: usize) {
        let time = self.dice.tail(20, 2_000) * MS;
        let Some(process) = self.sites[site].process.as_mut().filter(|p| !p.paused) else { return };
        process.paused = true;
        self.paused.insert(process.life);
        self.say(|| format!("{site} stands still for {} ms", time / MS));
        self.count("pauses");
        self.after(time, Event::Resume(site));
    }

    /// A node goes on: it reads its peers before its clients.
    pub(crate) fn resume(&mut self, site: usize) {
        let Some(process) = self.sites[site].process.as_mut() else { return };
        if !process.paused {
            return;
        }
        process.paused = false;
        let left = std::mem::take(&mut process.left);
        self.say(|| format!("{site} goes on"));
        self.with(site, |_, _| {});
        self.catch_up(site);
        left.into_iter().for_each(|stay| self.notice(site, stay));
    }

    /// Nothing goes wrong any more, and people only listen.
    pub(crate) fn stop_faults(&mut self) {
        self.say(|| "the faults are over".to_owned());
        self.faults_over = true;
        self.net.mend_all();
        for site in 0..self.plan.nodes {
            if self.sites[site].process.is_none() {
                self.start(site);
            }
            self.resume(site);
        }
        for site in 0..self.plan.nodes {
            self.catch_up(site);
        }
    }
}
