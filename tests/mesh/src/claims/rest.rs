//! Claims about what there is when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use mesh::{Kept, Key, Kind, Qos, Value, Version};

use crate::people::{Attempt, How, Sub, matches, number_of, seen};
use crate::plan::{TOPICS, ZONES};
use crate::world::World;
use crate::{Broken, broken};

impl World {
    pub(crate) fn everything_is_there(&mut self) -> Result<(), Broken> {
        self.every_node_knows_the_same()?;
        self.every_publisher_is_answered()?;
        self.nothing_is_held()?;
        self.no_promised_message_is_lost()?;
        self.no_shared_message_is_lost_or_doubled()?;
        self.no_retained_message_goes_back()?;
        self.whoever_subscribes_sees_what_is_retained()?;
        self.states_are_the_agreed_ones()
    }

    /// The maps of all nodes are equal, and nobody misses anybody.
    fn every_node_knows_the_same(&self) -> Result<(), Broken> {
        let claim = "every_node_knows_the_same";
        let map = |site: usize| {
            let process = self.sites[site].process.as_ref().expect("everybody is back");
            let records = process.node.map().table().iter();
            let live = records.filter(|(_, entry)| entry.value.is_some());
            let known = live.map(|(key, entry)| (key.clone(), entry.record(key)));
            known.collect::<BTreeMap<_, _>>()
        };
        let first = map(0);
        for site in 0..self.plan.nodes {
            let process = self.sites[site].process.as_ref().expect("everybody is back");
            if process.node.living().len() + 1 != self.plan.nodes {
                return broken(claim, format!("{site} only reaches {:?}", process.node.living()));
            }
            let other = map(site);
            let keys: BTreeSet<&Key> = first.keys().chain(other.keys()).collect();
            if let Some(key) = keys.into_iter().find(|key| first.get(key) != other.get(key)) {
                let what = format!("{:?} at 0, {:?} at {site}", first.get(key), other.get(key));
                return broken(claim, what);
            }
        }
        Ok(())
    }

    /// Whoever published at a node that lives has an answer.
    fn every_publisher_is_answered(&self) -> Result<(), Broken> {
        for (number, attempt) in self.attempts.iter().enumerate() {
            let owed = attempt.acked.is_none() && !attempt.refused && attempt.epoch.is_none();
            let lives = self.sites[attempt.site].life() == Some(attempt.life);
            let flood = attempt.report.is_none() && self.stays[attempt.stay as usize].over;
            if owed && lives && attempt.qos > Qos::AtMostOnce && !flood {
                return broken("every_publisher_is_answered", format!("{number}: {attempt:?}"));
            }
        }
        for (number, sub) in self.subs.iter().enumerate() {
            if sub.held.is_none() && !sub.over {
                return broken("every_subscription_is_answered", format!("{number}: {sub:?}"));
            }
        }
        Ok(())
    }

    /// Every report has reached its owner.
    fn nothing_is_held(&self) -> Result<(), Broken> {
        for site in &self.sites {
            let node = &site.process.as_ref().expect("everybody is back").node;
            if let Some(zone) = ZONES.iter().find(|zone| node.held(zone) > 0) {
                let what = format!("{} of {zone} at {}", node.held(zone), site.id);
                return broken("nothing_is_held", what);
            }
        }
        Ok(())
    }

    fn stands(&self, sub: &Sub) -> Option<u64> {
        sub.held.filter(|_| !sub.over && !self.stays[sub.stay as usize].over)
    }

    /// A QoS 1 message reaches every subscription that stood before it, if neither node has died.
    fn no_promised_message_is_lost(&self) -> Result<(), Broken> {
        for sub in self.subs.iter().filter(|sub| !sub.filter.starts_with("$share/")) {
            let Some(held) = self.stands(sub) else { continue };
            let seen = seen(&self.stays[sub.stay as usize]);
            for (number, attempt) in self.attempts.iter().enumerate() {
                let meant = attempt.at > held
                    && attempt.qos > Qos::AtMostOnce
                    && !attempt.refused
                    && attempt.epoch.is_none()
                    && !(attempt.removes && attempt.version.is_none())
                    && attempt.topic.starts_with(|first: char| first != 'h')
                    && matches(&sub.filter, &attempt.topic);
                let lives = self.sites[attempt.site].life() == Some(attempt.life);
                let told = self.gaps.contains(&(sub.site, attempt.site));
                if meant && lives && !told && !seen.contains(&number) {
                    let what =
                        format!("{number} is missing at {} ({sub:?}): {attempt:?}", sub.stay);
                    return broken("no_promised_message_is_lost", what);
                }
            }
        }
        Ok(())
    }

    /// One member of a shared subscription gets a message, if nobody leaves meanwhile.
    fn no_shared_message_is_lost_or_doubled(&self) -> Result<(), Broken> {
        let shared = self.subs.iter().filter(|sub| sub.filter.starts_with("$share/"));
        let paths: BTreeSet<&String> = shared.map(|sub| &sub.filter).collect();
        for path in paths {
            let filter = path.splitn(3, '/').nth(2).unwrap_or_default();
            let members: Vec<&Sub> = self.subs.iter().filter(|sub| sub.filter == *path).collect();
            let stand = members.iter().all(|sub| self.stands(sub).is_some());
            let since = members.iter().filter_map(|sub| sub.held).max().unwrap_or_default();
            for (number, attempt) in self.attempts.iter().enumerate() {
                let meant = attempt.epoch.is_none()
                    && attempt.report.is_none()
                    && !attempt.refused
                    && attempt.version.is_none()
                    && !attempt.removes
                    && matches(filter, &attempt.topic);
                if !meant {
                    continue;
                }
                let how = How::Shared(path.clone());
                let got = self.stays.iter().flat_map(|stay| &stay.received);
                let got = got.filter(|r| r.attempt == number && r.how == how).count();
                if got > 1 && self.ended.is_empty() && self.paused.is_empty() {
                    let what = format!("{number} came {got} times to {path}");
                    return broken("no_shared_message_is_doubled", what);
                }
                let lives = self.sites[attempt.site].life() == Some(attempt.life);
                let quiet = self.ended.is_empty() && self.gaps.is_empty();
                let meant = attempt.qos > Qos::AtMostOnce && attempt.at > since;
                let link = !self.counts.contains_key("links cut")
                    && !self.counts.contains_key("links cut one way")
                    && self.paused.is_empty();
                if got == 0 && stand && lives && quiet && meant && link {
                    return broken("no_shared_message_is_lost", format!("{number} for {path}"));
                }
            }
        }
        Ok(())
    }

    /// A retained message that was acknowledged is not replaced by an older one, nor lost with one node.
    fn no_retained_message_goes_back(&self) -> Result<(), Broken> {
        let process = self.sites[0].process.as_ref().expect("everybody is back");
        for topic in TOPICS {
            let safe = self.attempts.iter().filter(|attempt| {
                let lives = self.sites[attempt.site].life() == Some(attempt.life);
                let promised = attempt.acked == Some(Kept::Promised) && !self.wild;
                attempt.topic == topic
                    && (promised || (lives && !self.counts.contains_key("written off")))
            });
            let Some(newest) = safe.filter_map(|attempt| attempt.version).max() else { continue };
            let value = process.node.map().table().value(Kind::Retained, topic);
            let there: Option<Version> = value.map(|(_, version)| version);
            // Nothing is there if that one, or a later one, removes it.
            let removes = |a: &Attempt| a.topic == topic && a.removes && a.version >= Some(newest);
            let removed = there.is_none() && self.attempts.iter().any(removes);
            if there < Some(newest) && !removed {
                let what = format!("{topic}: {newest:?} was promised, {there:?} is there");
                return broken("no_retained_message_goes_back", what);
            }
        }
        Ok(())
    }

    /// Whoever subscribes has seen what is retained in the end: when it subscribed, or since.
    fn whoever_subscribes_sees_what_is_retained(&self) -> Result<(), Broken> {
        let process = self.sites[0].process.as_ref().expect("everybody is back");
        for sub in self.subs.iter().filter(|sub| !sub.filter.starts_with("$share/")) {
            let Some(held) = self.stands(sub) else { continue };
            let stay = &self.stays[sub.stay as usize];
            let seen = seen(stay);
            for topic in TOPICS.iter().filter(|topic| matches(&sub.filter, topic)) {
                let value = process.node.map().table().value(Kind::Retained, topic);
                let Some((Value::Retained(message), _)) = value else { continue };
                let number = number_of(message);
                let attempt = &self.attempts[number];
                // A node that did not know the publisher's map yet could not know of earlier messages.
                let origin = self.sites[attempt.site].id;
                let knew =
                    sub.site == attempt.site || sub.matched.contains(origin) || attempt.at > held;
                let lives = self.sites[attempt.site].life() == Some(attempt.life);
                let told = self.gaps.contains(&(sub.site, attempt.site));
                let promised = attempt.qos > Qos::AtMostOnce;
                if knew && lives && promised && !told && !seen.contains(&number) {
                    let what = format!("{number} on {topic} at {} ({sub:?})", sub.stay);
                    return broken("whoever_subscribes_sees_what_is_retained", what);
                }
            }
        }
        Ok(())
    }

    /// The retained state of every device is that of its last report.
    fn states_are_the_agreed_ones(&self) -> Result<(), Broken> {
        let process = self.sites[0].process.as_ref().expect("everybody is back");
        for (zone, agreed) in self.home.zones.iter().enumerate() {
            for (device, report) in &agreed.last {
                let topic = format!("home/{}/{}/state", ZONES[zone], self.people[*device].name);
                let value = process.node.map().table().value(Kind::Retained, &topic);
                let told = match value {
                    Some((Value::Retained(message), _)) => {
                        self.attempts[number_of(message)].report.map(|(_, report)| report)
                    }
                    _ => None,
                };
                if told != Some(*report as u64) {
                    let what = format!("{topic} is of {told:?}, agreed is {report}");
                    return broken("states_are_the_agreed_ones", what);
                }
            }
        }
        Ok(())
    }
}
