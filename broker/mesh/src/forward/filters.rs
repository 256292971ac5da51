//! Something for each filter, found by topic.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Filters with and without wildcards, each with a value.
#[derive(Debug)]
pub(super) struct Filters<T> {
    exact: BTreeMap<Box<str>, T>,
    wild: Level<T>,
    len: usize,
}

/// `+` and `#` are levels like others here; no topic has them.
#[derive(Debug)]
struct Level<T> {
    below: BTreeMap<Box<str>, Self>,
    value: Option<T>,
}

impl<T> Default for Filters<T> {
    fn default() -> Self {
        Self { exact: BTreeMap::new(), wild: Level::default(), len: 0 }
    }
}

impl<T> Default for Level<T> {
    fn default() -> Self {
        Self { below: BTreeMap::new(), value: None }
    }
}

impl<T: Default> Filters<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The value of a filter, new if there was none.
    pub(super) fn entry(&mut self, filter: &str) -> &mut T {
        if !has_wildcard(filter) {
            if !self.exact.contains_key(filter) {
                self.len += 1;
            }
            return self.exact.entry(filter.into()).or_default();
        }
        let mut level = &mut self.wild;
        for name in filter.split('/') {
            level = level.below.entry(name.into()).or_default();
        }
        self.len += usize::from(level.value.is_none());
        level.value.get_or_insert_default()
    }

    pub(super) fn get_mut(&mut self, filter: &str) -> Option<&mut T> {
        if !has_wildcard(filter) {
            return self.exact.get_mut(filter);
        }
        let level = filter.split('/').try_fold(&mut self.wild, |at, name| at.below.get_mut(name));
        level?.value.as_mut()
    }

    /// Takes a filter out, with the levels that only it had.
    pub(super) fn remove(&mut self, filter: &str) {
        let gone = if has_wildcard(filter) {
            let mut names = filter.split('/');
            self.wild.remove(&mut names)
        } else {
            self.exact.remove(filter).is_some()
        };
        self.len -= usize::from(gone);
    }

    /// Keeps only the values for which `keep` says so.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.exact.retain(|_, value| keep(value));
        self.wild.retain(&mut keep);
        self.len = self.exact.len() + self.wild.count();
    }

    /// The values of all filters that cover a topic. Each level of the tree is looked at once at most.
    pub(super) fn matching<'a>(&'a self, topic: &str) -> Vec<&'a T> {
        let mut found: Vec<&T> = self.exact.get(topic).into_iter().collect();
        // A leading wildcard matches no `$` topic [MQTT-4.7.2-1].
        self.wild.matching(topic.split('/'), topic.starts_with('$'), &mut found);
        found
    }
}

impl<T> Level<T> {
    fn remove<'a>(&mut self, names: &mut impl Iterator<Item = &'a str>) -> bool {
        let Some(name) = names.next() else { return self.value.take().is_some() };
        let Some(below) = self.below.get_mut(name) else { return false };
        let gone = below.remove(names);
        if below.value.is_none() && below.below.is_empty() {
            self.below.remove(name);
        }
        gone
    }

    fn retain(&mut self, keep: &mut impl FnMut(&mut T) -> bool) {
        if self.value.as_mut().is_some_and(|value| !keep(value)) {
            self.value = None;
        }
        self.below.retain(|_, below| {
            below.retain(keep);
            below.value.is_some() || !below.below.is_empty()
        });
    }

    fn count(&self) -> usize {
        usize::from(self.value.is_some()) + self.below.values().map(Self::count).sum::<usize>()
    }

    fn matching<'a, 't>(
        &'a self,
        mut names: impl Iterator<Item = &'t str> + Clone,
        hidden: bool,
        found: &mut Vec<&'a T>,
    ) {
        if !hidden && let Some(all) = self.below.get("#") {
            found.extend(&all.value);
        }
        let Some(name) = names.next() else { return found.extend(&self.value) };
        if let Some(below) = self.below.get(name) {
            below.matching(names.clone(), false, found);
        }
        if !hidden && let Some(any) = self.below.get("+") {
            any.matching(names, false, found);
        }
    }
}

fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// The filter inside a shared subscription, `$share/<name>/<filter>`.
pub(super) fn shared(path: &str) -> Option<&str> {
    path.strip_prefix("$share/")?.split_once('/').map(|(_, filter)| filter)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn covers(filter: &str, topic: &str) -> bool {
        if topic.starts_with('$') && filter.starts_with(['+', '#']) {
            return false;
        }
        let mut topics = topic.split('/');
        for level in filter.split('/') {
            if level == "#" {
                return true;
            }
            if topics.next().is_none_or(|name| level != "+" && level != name) {
                return false;
            }
        }
        topics.next().is_none()
    }

    #[test]
    fn it_finds_what_the_standard_says_and_is_empty_again() {
        let levels = ["", "a", "b", "+", "$x", "é"];
        let mut filters: Vec<String> = alloc::vec!["#".into()];
        for one in levels {
            for two in levels {
                filters.extend([one.into(), format!("{one}/{two}"), format!("{one}/{two}/#")]);
            }
        }
        filters.sort();
        filters.dedup();
        let mut all: Filters<Option<usize>> = Filters::default();
        for (at, filter) in filters.iter().enumerate() {
            *all.entry(filter) = Some(at);
        }
        assert_eq!(all.len(), filters.len());
        for topic in ["a", "a/b", "/a", "a/", "/", "$x", "$x/a", "é/a/b/a", "b/é", "a/b/$x"] {
            let mut found: Vec<_> = all.matching(topic).into_iter().flatten().copied().collect();
            found.sort_unstable();
            let expected = filters.iter().enumerate().filter(|(_, filter)| covers(filter, topic));
            assert_eq!(found, expected.map(|(at, _)| at).collect::<Vec<_>>(), "{topic}");
        }
        filters.iter().for_each(|filter| all.remove(filter));
        assert!(all.len() == 0 && all.wild.below.is_empty() && all.exact.is_empty());
    }
}
