//! All state of one node.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::claims::Claims;
use crate::effect::Effect;
use crate::forward::{Groups, Holds, Interest, Subscribing};
use crate::id::{Counter, DiskId, Lane, Life, LinkId, NodeId, Nodes};
use crate::map::{Change, Map};
use crate::moment::Moment;
use crate::peers::Peers;
use crate::stream::{Inbox, Log};
use crate::version::SiteTime;
use crate::wire::{Frame, Records, Wanted};
use crate::zones::{Held, Offered};

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Which node, in which of its lives.
    pub me: Life,
    /// The members of the home, this node too.
    pub members: Nodes,
    /// The disk of this node.
    pub disk: DiskId,
    /// A random number, for the case that the disk is written off.
    pub spare_disk: DiskId,
    /// What the site's clock shows at least: the highest reading on disk, or the wall clock at a first start.
    pub floor: SiteTime,
}

/// All state of one node.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(crate) settings: Settings,
    pub(crate) peers: Peers,
    pub(crate) log: Log,
    pub(crate) inboxes: BTreeMap<NodeId, Inbox>,
    pub(crate) greeted: BTreeMap<NodeId, Greeting>,
    /// Peers that are to be told how far we got with their messages.
    pub(crate) unconfirmed: Nodes,
    pub(crate) map: Map,
    pub(crate) interest: Interest,
    pub(crate) groups: Groups,
    pub(crate) subscribing: Subscribing,
    pub(crate) holds: Holds,
    pub(crate) claims: Claims,
    pub(crate) held: Held,
    pub(crate) offered: Offered,
    pub(crate) upkeep_at: Moment,
    pub(crate) announce_at: Option<Moment>,
    pub(crate) effects: Vec<Effect>,
}

/// What a peer's hello said, until its interest is known.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) at: Moment,
    /// How far it got with our messages.
    pub(crate) got: Option<Counter>,
    /// For how long it had let clients in.
    pub(crate) serving: Duration,
    /// What its clients want, as far as it was told.
    pub(crate) wanted: Vec<Wanted>,
}

impl Rooms {
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings { me, members, disk, floor, .. } = settings;
        let mut log = Log::default();
        members.iter().filter(|node| *node != me.node).for_each(|node| log.add(node));
        Self {
            settings,
            peers: Peers::new(me.node, members),
            log,
            inboxes: BTreeMap::new(),
            greeted: BTreeMap::new(),
            unconfirmed: Nodes::NONE,
            map: Map::new(me, disk, floor),
            interest: Interest::default(),
            groups: Groups::default(),
            subscribing: Subscribing::default(),
            holds: Holds::default(),
            claims: Claims::default(),
            held: Held::default(),
            offered: Offered::default(),
            upkeep_at: Moment::default(),
            announce_at: None,
            effects: Vec::new(),
        }
    }

    pub(crate) fn me(&self) -> Life {
        self.settings.me
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Sends a frame on a link.
    pub(crate) fn send(&mut self, link: LinkId, frame: impl Into<Frame>) {
        self.effects.push(Effect::Send(link, frame.into()));
    }

    /// Sends a frame to these nodes on the lane of messages, as far as they have a link.
    pub(crate) fn tell(&mut self, nodes: Nodes, frame: impl Into<Frame>) {
        let frame = frame.into();
        for node in nodes.iter() {
            if let Some(link) = self.peers.link(node, Lane::Messages) {
                self.send(link, frame.clone());
            }
        }
    }

    /// The map has changed: our disk is to know, and these peers.
    pub(crate) fn changed(&mut self, now: Moment, change: Change, tell: Nodes) {
        if !tell.is_empty() {
            let left = change.record.left(now);
            self.tell(tell, Records { records: alloc::vec![(change.record.clone(), left)] });
        }
        self.effect(Effect::Changed(change));
    }
}
