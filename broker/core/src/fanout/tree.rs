//! Wildcard filters that the edge matches itself, as a tree of levels.

use std::collections::BTreeMap;

use crate::router::FilterId;

/// Levels in the whole tree. 100,000 at about 360 bytes: 36 MB, and five levels of its own for every filter.
const NODES: usize = 100_000;
const ROOT: usize = 0;

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    free: Vec<usize>,
    filters: usize,
}

/// `+` and `#` are levels like others here; no topic has them.
#[derive(Debug, Default)]
struct Node {
    below: BTreeMap<Box<str>, usize>,
    filter: Option<FilterId>,
}

/// The tree has as many levels as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new(), filters: 0 }
    }
}

impl Tree {
    pub(super) fn len(&self) -> usize {
        self.filters
    }

    pub(super) fn find(&self, path: &str) -> Option<FilterId> {
        let at =
            path.split('/').try_fold(ROOT, |at, level| self.nodes[at].below.get(level).copied());
        self.nodes[at?].filter
    }

    pub(super) fn insert(&mut self, path: &str, id: FilterId) -> Result<(), Full> {
        if self.nodes.len() - self.free.len() + path.split('/').count() > NODES {
            return Err(Full);
        }
        let mut at = ROOT;
        for level in path.split('/') {
            at = match self.nodes[at].below.get(level) {
                Some(&below) => below,
                None => self.grow(at, level),
            };
        }
        self.filters += usize::from(self.nodes[at].filter.replace(id).is_none());
        Ok(())
    }

    fn grow(&mut self, at: usize, level: &str) -> usize {
        let new = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            self.nodes.len() - 1
        });
        self.nodes[at].below.insert(level.into(), new);
        new
    }

    /// Takes a filter out, with the levels that only it had.
    pub(super) fn remove(&mut self, path: &str) {
        let mut way = vec![ROOT];
        for level in path.split('/') {
            let Some(&below) = way.last().and_then(|&at| self.nodes[at].below.get(level)) else {
                return;
            };
            way.push(below);
        }
        let Some(last) = way.pop() else { return };
        self.filters -= usize::from(self.nodes[last].filter.take().is_some());
        let mut at = last;
        for (above, level) in way.into_iter().rev().zip(path.rsplit('/')) {
            if self.nodes[at].filter.is_some() || !self.nodes[at].below.is_empty() {
                return;
            }
            self.nodes[above].below.remove(level);
            self.free.push(at);
            at = above;
        }
    }

    /// Every filter that covers a topic. Each level of the tree is looked at once at most.
    pub(super) fn matching(&self, topic: &str) -> Vec<FilterId> {
        let mut found = Vec::new();
        if self.filters == 0 {
            return found;
        }
        // A node, and where the topic's next level begins.
        let mut open = vec![(ROOT, Some(0))];
        while let Some((at, next)) = open.pop() {
            let below = &self.nodes[at].below;
            // A leading wildcard matches no `$` topic [MQTT-4.7.2-1].
            let hidden = at == ROOT && topic.starts_with('$');
            if !hidden && let Some(&all) = below.get("#") {
                found.extend(self.nodes[all].filter);
            }
            let Some(next) = next else {
                found.extend(self.nodes[at].filter);
                continue;
            };
            let rest = &topic[next..];
            let end = rest.find('/');
            let after = end.map(|end| next + end + 1);
            let level = &rest[..end.unwrap_or(rest.len())];
            open.extend(below.get(level).map(|&below| (below, after)));
            if !hidden && let Some(&any) = below.get("+") {
                open.push((any, after));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::topic;

    #[test]
    fn it_finds_what_the_standard_says_and_is_empty_again() {
        let levels = ["", "a", "b", "+", "$x", "é"];
        let mut filters: Vec<String> = Vec::new();
        for one in levels {
            for two in levels {
                filters.extend([one.into(), format!("{one}/{two}"), format!("{one}/{two}/#")]);
            }
        }
        filters.push("#".into());
        filters.retain(|filter| topic::valid_filter(filter));
        filters.sort();
        filters.dedup();
        let mut tree = Tree::default();
        for (at, filter) in filters.iter().enumerate() {
            tree.insert(filter, FilterId(at as u32)).unwrap();
        }
        for name in ["a", "a/b", "/a", "a/", "/", "$x", "$x/a", "é/a/b/a", "b/é", "a/b/$x"] {
            let mut found = tree.matching(name);
            found.sort();
            let matches = |(_, filter): &(usize, &String)| topic::matches(filter, name);
            let expected = filters.iter().enumerate().filter(matches);
            let expected: Vec<_> = expected.map(|(at, _)| FilterId(at as u32)).collect();
            assert_eq!(found, expected, "{name}");
        }
        for filter in &filters {
            tree.remove(filter);
        }
        assert_eq!((tree.len(), tree.nodes.len() - tree.free.len()), (0, 1));
    }
}
