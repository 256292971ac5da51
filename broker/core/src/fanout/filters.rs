//! Which wildcard filters and topics go through the router, and which the edge matches itself.
//!
//! rumqttd keeps every filter and every topic it has ever heard of, for its life, and looks at all filters when a topic
//! is new. So it gets only what recurs: filters and topics of the site, and a bounded number of them. Everything else
//! is matched here, in a tree that forgets. Nothing rests on which it is: a filter has one way from the first
//! subscription on, and so has a topic, so that a filter's messages of one topic stay in order.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::tree::{Full, Tree};
use crate::map::Map;
use crate::packet::{Reason, topic};
use crate::router::{FIRST_FILTER, FilterId, RouterOp};
use crate::settings::Settings;

/// Filters in the router, ever. 256 at 7 KiB each: 2 MiB; a site's gateways have about ten.
const ROUTED: usize = 256;
/// Topics in the router, ever. 16,384 at half a KiB each: 8 MiB; a home of 5,000 devices has as many.
const TOPICS: usize = 16 * 1024;

/// The bounds above.
#[derive(Debug, Clone, Copy)]
struct Most {
    filters: usize,
    topics: usize,
}

/// The filters that cover a topic.
#[derive(Debug)]
pub(super) struct Matching {
    /// All but those that the router tells.
    pub(super) filters: Vec<FilterId>,
    /// Whether the router has to be asked.
    pub(super) routed: bool,
}

#[derive(Debug)]
pub(super) struct Filters {
    /// `<site>/` and `hearth/<site>/`
    roots: [String; 2],
    /// Those that the router has, for ever.
    routed: Map<Box<str>, FilterId>,
    /// Those of them that somebody is subscribed to.
    live: BTreeMap<FilterId, Box<str>>,
    tree: Tree,
    /// Those in the tree.
    paths: Map<FilterId, Box<str>>,
    free: Vec<FilterId>,
    next: u32,
    /// Hashes of the topics that the router has; two with one hash only make one more.
    topics: HashSet<u64>,
    most: Most,
}

impl Filters {
    pub(super) fn new(settings: &Settings) -> Self {
        let site = &settings.site;
        Self {
            roots: [hearth_names::devices(site), hearth_names::own(site)],
            routed: Map::default(),
            live: BTreeMap::new(),
            tree: Tree::default(),
            paths: Map::default(),
            free: Vec::new(),
            next: FIRST_FILTER,
            topics: HashSet::new(),
            most: Most { filters: ROUTED, topics: TOPICS },
        }
    }

    fn of_site(&self, path: &str) -> bool {
        self.roots.iter().any(|root| path.starts_with(root.as_str()))
    }

    /// Filters that somebody is subscribed to.
    pub(super) fn len(&self) -> usize {
        self.live.len() + self.tree.len()
    }

    /// A number for a filter with subscribers, and what the router has to be told.
    ///
    /// # Errors
    ///
    /// There are `limit` filters already, or too many levels in them.
    pub(super) fn open(
        &mut self,
        path: &str,
        limit: usize,
    ) -> Result<(FilterId, Option<RouterOp>), Reason> {
        let routed = self.routed.get(path).copied();
        let open = routed.filter(|id| self.live.contains_key(id)).or_else(|| self.tree.find(path));
        if let Some(id) = open {
            return Ok((id, None));
        }
        if self.len() >= limit {
            return Err(Reason::Quota);
        }
        if let Some(id) = routed {
            self.live.insert(id, path.into());
            return Ok((id, None));
        }
        if self.of_site(path) && self.routed.len() < self.most.filters {
            let id = self.number();
            self.routed.insert(path.into(), id);
            self.live.insert(id, path.into());
            return Ok((id, Some(RouterOp::Subscribe(id, path.into()))));
        }
        let id = self.free.pop().unwrap_or_else(|| self.number());
        if let Err(Full) = self.tree.insert(path, id) {
            self.free.push(id);
            return Err(Reason::Quota);
        }
        self.paths.insert(id, path.into());
        Ok((id, None))
    }

    fn number(&mut self) -> FilterId {
        self.next += 1;
        FilterId(self.next - 1)
    }

    /// A filter has no subscribers any more.
    ///
    /// One in the router stays there. Taking it out while a message for it is under way leaves a stale read request
    /// behind (rumqttd 0.20), and every message twice once somebody subscribes to it again.
    pub(super) fn close(&mut self, id: FilterId) {
        if let Some(path) = self.paths.remove(&id) {
            self.tree.remove(&path);
            self.free.push(id);
        }
        self.live.remove(&id);
    }

    pub(super) fn is_routed(&self, id: FilterId) -> bool {
        self.live.contains_key(&id)
    }

    /// The filters that cover a topic.
    pub(super) fn matching(&mut self, name: &str) -> Matching {
        let mut filters = self.tree.matching(name);
        if self.live.is_empty() || !self.of_site(name) {
            return Matching { filters, routed: false };
        }
        let routed = self.goes_to_router(name);
        if !routed {
            let live = self.live.iter().filter(|(_, path)| topic::matches(path, name));
            filters.extend(live.map(|(id, _)| *id));
        }
        Matching { filters, routed }
    }

    /// Whether the router has a topic, or may have it. Once it has, it always has.
    fn goes_to_router(&mut self, name: &str) -> bool {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
        self.topics.contains(&hash)
            || (self.topics.len() < self.most.topics && self.topics.insert(hash))
    }

    /// Smaller bounds than usual.
    #[cfg(feature = "testing")]
    pub(super) fn bound(&mut self, filters: usize, topics: usize) {
        self.most = Most { filters, topics };
    }

    #[cfg(feature = "testing")]
    pub(super) fn routed(&self) -> impl Iterator<Item = (&str, FilterId)> {
        self.routed.iter().map(|(path, id)| (&**path, *id))
    }
}
