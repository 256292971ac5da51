//! The beginning of a group, which happens once.
//!
//! A blank disk may be a new group's or one that lost its promises, and only the others can tell. So a blank
//! replica asks the founders. If one knows the group, it is told who founded it: with this very disk among them
//! it votes, for this disk has promised nothing yet; otherwise it is an observer. If nobody knows a group, the
//! founder with the lowest number founds it, once *every* founder has answered that it is blank as well: so
//! there is one group of founders, and a lost disk cannot begin another.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::config::Config;
use crate::event::Event;
use crate::id::{Moment, ReplicaId};
use crate::message::Message;
use crate::planted::voters as planted;
use crate::step::Step;
use crate::voters::Voters;

/// What a blank replica knows of the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Founding {
    /// Founders who said that they are blank too, by number; for the one who founds.
    blank: BTreeMap<u8, ReplicaId>,
    /// To which disks of the founder this replica said that it is blank; more than two are as good as two.
    told: BTreeSet<ReplicaId>,
    /// When to ask next.
    pub(crate) due: Moment,
    asked: u32,
}

/// So many questions are asked before anyone is told who stays silent: the others may just be starting.
const PATIENCE: u32 = 50;

impl Founding {
    pub(crate) const fn new(now: Moment) -> Self {
        Self { blank: BTreeMap::new(), told: BTreeSet::new(), due: now, asked: 0 }
    }

    /// Asks all founders; gives the group if this replica is the only one.
    pub(crate) fn tick(&mut self, now: Moment, config: &Config, step: &mut Step) -> Option<Voters> {
        if now < self.due {
            return None;
        }
        self.due = now + config.resend;
        self.asked = self.asked.saturating_add(1);
        for number in others(config) {
            step.send(ReplicaId::new(number, 0), Message::Seek);
        }
        if self.asked.is_multiple_of(PATIENCE) && founds(config) {
            let silent = others(config).filter(|number| !self.blank.contains_key(number));
            step.events.push(Event::Awaiting(silent.collect()));
        }
        self.found(config)
    }

    /// Someone asks, and this replica is blank.
    pub(crate) fn sought(&mut self, by: ReplicaId, config: &Config, step: &mut Step) {
        if is_first(by, config) {
            if self.told.len() < 2 {
                self.told.insert(by);
            }
            step.send(by, Message::Blank { to: by });
        }
    }

    /// A founder is blank too. Gives the group if it is the last of them.
    pub(crate) fn is_blank(&mut self, founder: ReplicaId, config: &Config) -> Option<Voters> {
        if config.founders.contains(&founder.number()) && founds(config) {
            self.blank.insert(founder.number(), founder);
        }
        self.found(config)
    }

    /// Whether word of a group may be taken. The founder's own may not once this replica has told another of its
    /// disks that it is blank, for that one may be about to found a group as well. Anyone else's may: the first who
    /// took the founder's word had told no other disk, and tells none from then on, so no other can found.
    pub(crate) fn believes(&self, from: ReplicaId, founders: &Voters, config: &Config) -> bool {
        let founded = founders.contains(from) && is_first(from, config);
        !founded || self.told.iter().all(|told| *told == from)
    }

    fn found(&self, config: &Config) -> Option<Voters> {
        let all = others(config).all(|number| self.blank.contains_key(&number));
        let founders = self.blank.values().copied().chain([config.id]);
        if founds(config) && planted::all_blank(all) { Voters::new(founders).ok() } else { None }
    }
}

/// The founder with the lowest number founds, and nobody else.
fn founds(config: &Config) -> bool {
    is_first(config.id, config)
}

fn is_first(id: ReplicaId, config: &Config) -> bool {
    config.founders.first() == Some(&id.number())
}

fn others(config: &Config) -> impl Iterator<Item = u8> + '_ {
    let own = config.id.number();
    let others: Vec<u8> = config.founders.iter().copied().filter(|number| *number != own).collect();
    others.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank(number: u8) -> (Founding, Config) {
        let config = Config::new(ReplicaId::new(number, 10), 1..=3);
        (Founding::new(Moment(0)), config)
    }

    #[test]
    fn a_group_is_founded_once_every_founder_is_blank_and_by_the_lowest_only() {
        let (mut founding, config) = blank(1);
        assert_eq!(founding.is_blank(ReplicaId::new(3, 30), &config), None);
        assert_eq!(founding.is_blank(ReplicaId::new(9, 90), &config), None);
        let founders = founding.is_blank(ReplicaId::new(2, 20), &config);
        let expected = Voters::new([(1, 10), (2, 20), (3, 30)].map(|(n, d)| ReplicaId::new(n, d)));
        assert_eq!(founders, expected.ok());
        let (mut founding, config) = blank(2);
        for number in [1, 3] {
            assert_eq!(founding.is_blank(ReplicaId::new(number, 10), &config), None);
        }
    }

    #[test]
    fn a_lone_founder_waits_for_nobody() {
        let mut config = blank(4).1;
        config.founders = [4].into();
        let mut step = Step::default();
        let founders = Founding::new(Moment(0)).tick(Moment(0), &config, &mut step);
        assert_eq!(founders, Voters::new([config.id]).ok());
    }

    #[test]
    fn the_word_of_a_founders_lost_disk_is_not_taken() {
        let (mut founding, config) = blank(2);
        let (old, new) = (ReplicaId::new(1, 10), ReplicaId::new(1, 11));
        let group = |first| Voters::new([first, ReplicaId::new(2, 10)]).unwrap_or_default();
        let third = ReplicaId::new(3, 10);
        let mut step = Step::default();
        founding.sought(old, &config, &mut step);
        assert!(founding.believes(old, &group(old), &config));
        founding.sought(new, &config, &mut step);
        assert!(!founding.believes(old, &group(old), &config));
        // Whoever took that word before had told nobody else that it is blank.
        assert!(founding.believes(third, &group(old), &config));
        // The new disk has found the old one's group: it begins no other.
        assert!(founding.believes(new, &group(old), &config));
        // Old questions that come late make it no better.
        founding.sought(old, &config, &mut step);
        assert!(!founding.believes(old, &group(old), &config));
    }
}
