//! Who is there: links, silence, readiness, versions spoken.
//!
//! A peer is **living** while there is a link on which both have said hello. A peer that is silent is suspected, and
//! suspecting it means ending its links: so nothing is confirmed to a peer that is not waited for, and whatever it
//! publishes meanwhile stays in its log for us. When both meet again they compare everything.

mod planted;

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::id::{Incarnation, Lane, LinkId, NodeId, Nodes};
use crate::moment::Moment;
use crate::wire::{Hello, NEWEST, OLDEST};

/// Silence after which a peer is suspected. 300 ms: six beats.
pub const SILENCE: Duration = Duration::from_millis(300);
/// How long a linked peer may leave something unconfirmed until its link counts as broken, though it beats. 1 s: five
/// times what a lost segment costs.
pub const STALL: Duration = Duration::from_secs(1);
/// How often a node with links wants to be called, so that it notices when it stood still. 50 ms: a beat.
const BREATH: Duration = Duration::from_millis(50);
/// A node that is called so late stood still, and reads its peers before it judges them. 100 ms: a third of the silence.
const STILL: Duration = Duration::from_millis(100);
/// How long a node waits for a majority's maps before it serves with the peers that are there. 5 s.
pub const READY_AFTER: Duration = Duration::from_secs(5);

/// All other nodes.
#[derive(Debug)]
pub(crate) struct Peers {
    me: NodeId,
    members: Nodes,
    peers: BTreeMap<NodeId, Peer>,
    called: Moment,
    serving: Option<Moment>,
}

#[derive(Debug, Default)]
struct Peer {
    messages: Option<Link>,
    zones: Option<Link>,
    heard: Moment,
    life: Option<Incarnation>,
    /// It has told us all that its map had.
    matched: bool,
    reach: Nodes,
}

/// A connection to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number.
    pub id: LinkId,
    /// How far both are with each other.
    pub stage: Stage,
    /// When it began.
    pub since: Moment,
}

/// How far a link has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// We have said hello.
    Calling,
    /// The peer has said hello too.
    Greeted,
    /// The peer has said what its clients want: it is sent messages.
    Open,
}

/// What a hello means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// The same life as before, or the first that we meet.
    Known,
    /// Another life than before: what the earlier one had is gone.
    Restarted,
    /// There is no version that both speak.
    Foreign,
    /// The link is not the peer's newest, or it is ourselves.
    Stale,
}

impl Peers {
    /// The members of the home, of which `me` is one.
    #[must_use]
    pub(crate) fn new(me: NodeId, members: Nodes) -> Self {
        let mut peers =
            Self { me, members, peers: BTreeMap::new(), called: Moment::default(), serving: None };
        peers.set_members(members);
        peers
    }

    /// The members are these from now on.
    pub(crate) fn set_members(&mut self, members: Nodes) {
        self.members = members;
        self.peers.retain(|node, _| members.contains(*node));
        for node in members.iter().filter(|node| *node != self.me) {
            self.peers.entry(node).or_default();
        }
    }

    /// All members, this node too.
    #[must_use]
    pub(crate) fn members(&self) -> Nodes {
        self.members
    }

    /// A connection to a peer is there; the one that it takes the place of.
    ///
    /// # Errors
    /// The node is no member.
    pub(crate) fn open(
        &mut self,
        now: Moment,
        node: NodeId,
        lane: Lane,
        id: LinkId,
    ) -> Result<Option<LinkId>, NoMember> {
        let peer = self.peers.get_mut(&node).ok_or(NoMember)?;
        peer.heard = now;
        let link = Link { id, stage: Stage::Calling, since: now };
        Ok(peer.lane(lane).replace(link).map(|old| old.id))
    }

    /// A connection is gone; whose, and for what, if it was still in use.
    pub(crate) fn close(&mut self, id: LinkId) -> Option<(NodeId, Lane)> {
        let (node, lane) = self.of(id)?;
        let peer = self.peers.get_mut(&node)?;
        *peer.lane(lane) = None;
        if lane == Lane::Messages {
            peer.reach = Nodes::NONE;
        }
        Some((node, lane))
    }

    /// Whose link this is, and for what.
    #[must_use]
    pub(crate) fn of(&self, id: LinkId) -> Option<(NodeId, Lane)> {
        self.peers.iter().find_map(|(node, peer)| {
            let is = |link: &Option<Link>| link.is_some_and(|link| link.id == id);
            let lane = if is(&peer.messages) {
                Lane::Messages
            } else if is(&peer.zones) {
                Lane::Zones
            } else {
                return None;
            };
            Some((*node, lane))
        })
    }

    /// The peer at the other end of a link says hello.
    pub(crate) fn hello(&mut self, id: LinkId, hello: &Hello) -> Met {
        let Some((node, lane)) = self.of(id) else { return Met::Stale };
        if hello.life.node != node || hello.lane != lane {
            return Met::Stale;
        }
        if hello.oldest.max(OLDEST) > hello.newest.min(NEWEST) {
            return Met::Foreign;
        }
        let Some(peer) = self.peers.get_mut(&node) else { return Met::Stale };
        if let Some(link) = peer.lane(lane) {
            link.stage = Stage::Greeted;
        }
        if lane == Lane::Messages {
            peer.reach = hello.reach;
        }
        let before = peer.life.replace(hello.life.incarnation);
        let restarted = before.is_some_and(|life| life != hello.life.incarnation);
        if restarted {
            peer.matched = false;
        }
        if restarted { Met::Restarted } else { Met::Known }
    }

    /// The peer's interest is known.
    pub(crate) fn opened(&mut self, node: NodeId) {
        if let Some(link) = self.peers.get_mut(&node).and_then(|peer| peer.messages.as_mut()) {
            link.stage = Stage::Open;
        }
    }

    /// The life of a peer that was met last.
    #[must_use]
    pub(crate) fn life(&self, node: NodeId) -> Option<Incarnation> {
        self.peers.get(&node)?.life
    }

    /// The link to a peer on a lane, once both have said hello.
    #[must_use]
    pub(crate) fn link(&self, node: NodeId, lane: Lane) -> Option<LinkId> {
        let peer = self.peers.get(&node)?;
        let link = match lane {
            Lane::Messages => peer.messages,
            Lane::Zones => peer.zones,
        };
        link.filter(|link| link.stage >= Stage::Greeted).map(|link| link.id)
    }

    /// Peers with a link on the lane of messages, and so whom a SUBACK waits for.
    #[must_use]
    pub(crate) fn living(&self) -> Nodes {
        self.with_stage(Stage::Greeted)
    }

    /// Those of them that are sent messages.
    #[must_use]
    pub(crate) fn opened_all(&self) -> Nodes {
        self.with_stage(Stage::Open)
    }

    fn with_stage(&self, stage: Stage) -> Nodes {
        let there = |peer: &Peer| peer.messages.is_some_and(|link| link.stage >= stage);
        self.peers.iter().filter(|(_, peer)| there(peer)).map(|(node, _)| *node).collect()
    }

    /// A peer has said something, on whatever connection.
    pub(crate) fn heard(&mut self, now: Moment, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.heard = peer.heard.max(now);
        }
    }

    /// This node runs. If it stood still, its peers' silence began only now; whether it did.
    pub(crate) fn awake(&mut self, now: Moment) -> bool {
        let still = now.since(self.called);
        self.called = now;
        if still < BREATH + STILL {
            return false;
        }
        self.peers.values_mut().for_each(|peer| peer.heard = peer.heard.after(still));
        true
    }

    /// Peers with a link that were silent for too long.
    #[must_use]
    pub(crate) fn silent(&self, now: Moment) -> Nodes {
        let silent = |peer: &Peer| {
            (peer.messages.is_some() || peer.zones.is_some()) && now.since(peer.heard) >= SILENCE
        };
        self.peers.iter().filter(|(_, peer)| silent(peer)).map(|(node, _)| *node).collect()
    }

    /// Links on which one side has not said all that it has to for too long.
    pub(crate) fn unfinished(&self, now: Moment) -> impl Iterator<Item = LinkId> {
        let late = move |link: &Link| now.since(link.since) >= STALL;
        let messages = self.peers.values().filter_map(|peer| peer.messages);
        let zones = self.peers.values().filter_map(|peer| peer.zones);
        let messages = messages.filter(|link| link.stage < Stage::Open);
        let zones = zones.filter(|link| link.stage < Stage::Greeted);
        messages.chain(zones).filter(late).map(|link| link.id)
    }

    /// The links of a peer.
    pub(crate) fn links(&self, node: NodeId) -> impl Iterator<Item = LinkId> {
        let peer = self.peers.get(&node);
        let links = peer.into_iter().flat_map(|peer| [peer.messages, peer.zones]);
        links.flatten().map(|link| link.id)
    }

    /// A peer has told all that its map had.
    pub(crate) fn matched(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.matched = true;
        }
    }

    /// Peers that have told this life all that their maps had.
    pub(crate) fn matching(&self) -> Nodes {
        self.peers.iter().filter(|(_, peer)| peer.matched).map(|(node, _)| *node).collect()
    }

    /// The nodes that a peer reaches, as it says; those that it does not reach any more.
    pub(crate) fn reaches(&mut self, node: NodeId, reach: Nodes) -> Nodes {
        let Some(peer) = self.peers.get_mut(&node) else { return Nodes::NONE };
        core::mem::replace(&mut peer.reach, reach).without(reach)
    }

    /// Living peers that `from` does not reach, as far as it has said.
    #[must_use]
    pub(crate) fn not_reached_by(&self, from: NodeId) -> Nodes {
        let mut reach = self.peers.get(&from).map_or(Nodes::NONE, |peer| peer.reach);
        reach.insert(from);
        self.living().without(reach)
    }

    /// Whether clients may be let in: the map was exchanged with a majority, or nobody more has come for 5 s.
    pub(crate) fn ready(&mut self, now: Moment) -> bool {
        if self.serving.is_some() {
            return true;
        }
        let matched = 1 + self.peers.values().filter(|peer| peer.matched).count();
        let majority = matched * 2 > self.members.len();
        if planted::is_ready(majority || now.0 >= READY_AFTER) {
            self.serving = Some(now);
        }
        self.serving.is_some()
    }

    /// For how long clients have been let in.
    #[must_use]
    pub(crate) fn serving(&self, now: Moment) -> Duration {
        self.serving.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// When silence or readiness is to be looked at again.
    #[must_use]
    pub(crate) fn next(&self) -> Option<Moment> {
        let linked = self.peers.values().filter(|p| p.messages.is_some() || p.zones.is_some());
        let silence = linked.map(|peer| peer.heard.after(SILENCE)).min();
        let ready = self.serving.is_none().then_some(Moment(READY_AFTER));
        let breath = silence.map(|_| self.called.after(BREATH));
        silence.into_iter().chain(ready).chain(breath).min()
    }
}

/// The node is no member of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoMember;

impl Peer {
    fn lane(&mut self, lane: Lane) -> &mut Option<Link> {
        match lane {
            Lane::Messages => &mut self.messages,
            Lane::Zones => &mut self.zones,
        }
    }
}
