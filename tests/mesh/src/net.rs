//! Connections between nodes.

use std::collections::{BTreeMap, VecDeque};

use mesh::{Lane, LinkId};

/// Both lanes of all pairs.
#[derive(Debug, Default)]
pub(crate) struct Net {
    conns: BTreeMap<Wire, Conn>,
    /// Directions in which nothing passes.
    cut: std::collections::BTreeSet<(usize, usize)>,
    last: u64,
    /// Whose end a link is.
    ends: BTreeMap<LinkId, (Wire, usize)>,
}

/// A pair of nodes, the lower one first, and a lane.
pub(crate) type Wire = (usize, usize, Lane);

#[derive(Debug)]
struct Conn {
    /// The link's number at either end; none once that end is closed.
    ids: [Option<LinkId>; 2],
    /// What is under way to either end.
    to: [VecDeque<Parcel>; 2],
}

/// Something under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parcel {
    Bytes(Vec<u8>),
    /// The other end has closed.
    End,
}

impl Net {
    /// Whether something passes from one node to another.
    pub(crate) fn passes(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Whether both hear each other.
    pub(crate) fn is_whole(&self, a: usize, b: usize) -> bool {
        self.passes(a, b) && self.passes(b, a)
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    pub(crate) fn mend(&mut self, from: usize, to: usize) {
        self.cut.remove(&(from, to));
    }

    pub(crate) fn mend_all(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn has(&self, wire: Wire) -> bool {
        self.conns.contains_key(&wire)
    }

    /// A new connection; the numbers of its ends.
    pub(crate) fn connect(&mut self, wire: Wire) -> [LinkId; 2] {
        let mut end = |node| {
            self.last += 1;
            self.ends.insert(LinkId(self.last), (wire, node));
            LinkId(self.last)
        };
        let ids = [end(wire.0), end(wire.1)];
        self.conns.insert(wire, Conn { ids: ids.map(Some), to: Default::default() });
        ids
    }

    /// Sends from the end with this number; the connection and the receiving side, if it still goes anywhere.
    pub(crate) fn send(&mut self, id: LinkId, parcel: Parcel) -> Option<(Wire, usize)> {
        let (wire, side) = self.place(id)?;
        let conn = self.conns.get_mut(&wire)?;
        conn.ids[1 - side]?;
        conn.to[1 - side].push_back(parcel);
        Some((wire, 1 - side))
    }

    fn place(&self, id: LinkId) -> Option<(Wire, usize)> {
        let (wire, node) = *self.ends.get(&id)?;
        let side = usize::from(node == wire.1);
        (self.conns.get(&wire)?.ids[side] == Some(id)).then_some((wire, side))
    }

    /// The next parcel for one side of a connection, with the number of that end.
    pub(crate) fn take(&mut self, wire: Wire, side: usize) -> Option<(LinkId, Parcel)> {
        let (from, to) = if side == 1 { (wire.0, wire.1) } else { (wire.1, wire.0) };
        if !self.passes(from, to) {
            return None;
        }
        let conn = self.conns.get_mut(&wire)?;
        let id = conn.ids[side]?;
        let parcel = conn.to[side].pop_front()?;
        Some((id, parcel))
    }

    /// Whether something waits for one side.
    pub(crate) fn waits(&self, wire: Wire, side: usize) -> bool {
        self.conns.get(&wire).is_some_and(|conn| !conn.to[side].is_empty())
    }

    /// One end closes: the other hears of it behind all that is under way. The connection is gone once both have.
    pub(crate) fn close(&mut self, id: LinkId) -> Option<(Wire, usize)> {
        let there = self.send(id, Parcel::End);
        let (wire, side) = self.place(id)?;
        let conn = self.conns.get_mut(&wire)?;
        conn.ids[side] = None;
        conn.to[side].clear();
        if conn.ids == [None, None] {
            self.conns.remove(&wire);
        }
        there
    }

    /// A node is gone with all its ends; with its power, also what it has just said is lost.
    pub(crate) fn drop_node(&mut self, node: usize, power: bool) -> Vec<(Wire, usize)> {
        for (wire, conn) in self.conns.iter_mut().filter(|_| power) {
            if wire.0 == node || wire.1 == node {
                conn.to[usize::from(wire.0 == node)].clear();
            }
        }
        let ids = self.conns.iter().flat_map(|(wire, conn)| {
            let side = usize::from(wire.1 == node);
            let at_it = wire.0 == node || wire.1 == node;
            conn.ids[side].filter(|_| at_it)
        });
        let ids: Vec<_> = ids.collect();
        ids.into_iter().filter_map(|id| self.close(id)).collect()
    }
}
