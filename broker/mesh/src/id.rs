//! Numbers that must not be mixed up.

use core::fmt;

/// Highest number of a node. 63: a set of nodes is one machine word, and a home has up to seven.
pub const HIGHEST_NODE: u8 = 63;

/// One of the home's nodes, from 1 to 63; `hearth node --id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u8);

impl NodeId {
    /// The node with this number, if there can be one.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= HIGHEST_NODE { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nodes(u64);

impl Nodes {
    /// No node.
    pub const NONE: Self = Self(0);

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits & !1)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Adds a node.
    pub const fn insert(&mut self, node: NodeId) {
        self.0 |= 1 << node.0;
    }

    /// Takes a node out; whether it was there.
    pub const fn remove(&mut self, node: NodeId) -> bool {
        let had = self.contains(node);
        self.0 &= !(1 << node.0);
        had
    }

    /// Whether a node is in it.
    #[must_use]
    pub const fn contains(self, node: NodeId) -> bool {
        self.0 & (1 << node.0) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Those of this set that are in `other` too.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Every node, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        (1..=HIGHEST_NODE).map(NodeId).filter(move |node| self.contains(*node))
    }
}

impl FromIterator<NodeId> for Nodes {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut all = Self::NONE;
        nodes.into_iter().for_each(|node| all.insert(node));
        all
    }
}

/// One life of a node: random at each start, so that no number of it ever repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// A node in one of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life {
    /// Which node.
    pub node: NodeId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// A node's disk: random when its files are made, so that a wiped node is told from one that was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskId(pub u64);

/// Number of a message among all that were published at one node in one of its lives, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Counter(pub u64);

impl Counter {
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A connection to another node; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What a connection between two nodes carries. Each lane has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Messages and the map.
    Messages,
    /// Reports and orders of zones, which are held and must not fill the window of messages.
    Zones,
}

/// Names whoever waits for an answer; the caller chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);
