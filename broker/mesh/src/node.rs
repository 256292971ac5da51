//! One node of the home, as its broker sees it. It takes inputs to the rooms that they are for.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::claims::{Claim, Claims};
use crate::effect::{Effect, Ended};
use crate::greet;
use crate::id::{Incarnation, Lane, Life, LinkId, NodeId, Nodes, Token};
use crate::map::{Buried, Key, Kind, Map, Record, Refusal, Value};
use crate::message::Message;
use crate::messages::{self, Published};
use crate::moment::Moment;
use crate::records;
use crate::reports;
use crate::rooms::{Rooms, Settings};
use crate::stream::Dropped;
use crate::version::{SiteTime, Version};
use crate::wire::{Frame, Gone, Members, Wanted};
use crate::zones::{Full, Outcome};

/// What one node knows of the others, and decides. No clock, no I/O.
///
/// The caller's contract, in order:
///
/// 1. [`Node::restore`] for every record on disk, then [`Node::begin`], before anything else.
/// 2. [`Node::opened`] and [`Node::closed`] for connections to other nodes, one for each [`Lane`]; the node with the lower
///    number connects, and again whenever there is none. [`Node::receive`] for every frame, in order, and
///    [`Node::heard`] for every beat. Connections to nodes are always read.
/// 3. No client before [`Node::ready`].
/// 4. What clients do: [`Node::publish`], [`Node::report`], [`Node::subscribe`], and so on.
/// 5. [`Node::tick`] no later than [`Node::next_deadline`].
/// 6. After any of these, or a batch of them: carry out [`Node::effects`], in order.
/// 7. After [`Node::tick`] said that the node stood still: read all peers before any client.
#[derive(Debug)]
pub struct Node {
    rooms: Rooms,
}

/// What went wrong or was left undone, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages that were acknowledged though only this node had them.
    pub alone: u64,
    /// Messages that peers did not come for in time.
    pub dropped: Dropped,
    /// QoS 0 reports that made room for later ones.
    pub reports_dropped: u64,
    /// Bytes of what is held for zones.
    pub held_bytes: usize,
}

impl Node {
    /// A node that has just started, at [`Moment`] zero.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { rooms: Rooms::new(settings) }
    }

    /// Takes up a record from our disk.
    pub fn restore(&mut self, record: Record) {
        self.rooms.map.restore(Moment::default(), record);
    }

    /// Begins, with all that the disk knew: tells which disk this is, so that it can be written off.
    pub fn begin(&mut self, now: Moment) {
        records::tell_disk(&mut self.rooms, now);
    }

    /// A connection to another node is there.
    pub fn opened(&mut self, now: Moment, node: NodeId, lane: Lane, link: LinkId) {
        greet::open(&mut self.rooms, now, node, lane, link);
    }

    /// A connection to another node is gone.
    pub fn closed(&mut self, link: LinkId) {
        greet::closed(&mut self.rooms, link);
    }

    /// Another node says something on a connection.
    pub fn receive(&mut self, now: Moment, link: LinkId, frame: Frame) {
        let rooms = &mut self.rooms;
        let Some((node, lane)) = rooms.peers.of(link) else { return };
        rooms.peers.heard(now, node);
        if let Frame::Hello(hello) = &frame {
            return greet::hello(rooms, now, (node, link), hello);
        }
        let life = rooms.peers.life(node).filter(|_| rooms.peers.link(node, lane) == Some(link));
        match (lane, life) {
            (_, None) => greet::end(rooms, link, Ended::Confused),
            (Lane::Zones, Some(incarnation)) => {
                reports::hear(rooms, now, (Life { node, incarnation }, link), frame);
            }
            (Lane::Messages, Some(_)) => self.hear(now, (node, link), frame),
        }
    }

    fn hear(&mut self, now: Moment, from: (NodeId, LinkId), frame: Frame) {
        let (node, link) = from;
        let rooms = &mut self.rooms;
        match frame {
            Frame::Welcome(frame) => greet::welcome(rooms, now, link, &frame),
            Frame::Anew(_) => greet::anew(rooms, link),
            Frame::Interest(frame) => greet::interest(rooms, now, node, frame),
            Frame::Hashes(frame) => records::hashes(rooms, link, &frame),
            Frame::Buckets(frame) => records::buckets(rooms, now, from, frame),
            Frame::Records(frame) => records::records(rooms, now, node, frame),
            Frame::Matched(_) => rooms.peers.matched(node),
            Frame::Publish(frame) => messages::arrive(rooms, now, node, frame),
            Frame::Mark(frame) => messages::mark(rooms, node, frame.counter),
            Frame::Got(frame) => messages::got(rooms, node, &frame),
            Frame::Gap(frame) => messages::gap(rooms, node, frame),
            Frame::Subscribe(frame) => messages::wanted(rooms, from, &frame),
            Frame::Subacked(frame) => messages::subacked(rooms, node, &frame),
            Frame::Unsubscribe(frame) => messages::unwanted(rooms, node, &frame),
            Frame::Members(members) => rooms.groups.set(node, &members),
            Frame::Reach(frame) => records::reach(rooms, node, frame.nodes),
            Frame::Gone(frame) => records::gone(rooms, &frame),
            Frame::Bury(frame) => records::bury(rooms, now, from, &frame),
            Frame::Stored(frame) => records::stored(rooms, node, &frame),
            Frame::Forget(frame) => records::forget(rooms, &frame.tombstones),
            Frame::Hello(_) | Frame::Report(_) | Frame::Taken(_) | Frame::Refused(_) => {
                greet::end(rooms, link, Ended::Confused);
            }
        }
    }

    /// A peer lives, as something else than a frame says.
    pub fn heard(&mut self, now: Moment, node: NodeId) {
        self.rooms.peers.heard(now, node);
    }

    /// Does what has become due. Whether the node stood still: then it reads its peers before its clients.
    pub fn tick(&mut self, now: Moment) -> bool {
        let rooms = &mut self.rooms;
        let still = rooms.peers.awake(now);
        if !still {
            greet::suspect(rooms, now);
        }
        for token in rooms.holds.overdue(now) {
            rooms.effect(Effect::Acknowledge(token, crate::forward::Kept::Alone));
        }
        rooms.log.bound(now);
        rooms.held.go_on(now);
        records::upkeep(rooms, now);
        reports::announce(rooms, now);
        still
    }

    /// When [`Node::tick`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let rooms = &self.rooms;
        let upkeep = (rooms.map.table().tombstones() > 0).then_some(rooms.upkeep_at);
        [rooms.peers.next(), rooms.holds.next(), rooms.held.next_retry(), rooms.announce_at, upkeep]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether clients may be let in; before, their CONNECT is answered by 0x88.
    pub fn ready(&mut self, now: Moment) -> bool {
        self.rooms.peers.ready(now)
    }

    /// Whether publishers should not be read further, because a peer is behind.
    #[must_use]
    pub fn crowded(&self) -> bool {
        self.rooms.log.crowded()
    }

    /// What there is to do, in this order.
    pub fn effects(&mut self, now: Moment) -> Vec<Effect> {
        let rooms = &mut self.rooms;
        reports::flow(rooms, now);
        messages::flow(rooms, now);
        core::mem::take(&mut rooms.effects)
    }

    /// A client of ours publishes, and so may an owner or the broker itself. `token` is told when the publisher may be
    /// acknowledged, with QoS 1 and 2.
    ///
    /// # Errors
    /// The zone has a later owner than the one that publishes, or the map is full.
    pub fn publish(
        &mut self,
        now: Moment,
        message: Message,
        token: Option<Token>,
    ) -> Result<Published, Refusal> {
        messages::publish(&mut self.rooms, now, message, token)
    }

    /// A client of ours subscribes to these; [`Effect::Subscribed`] tells when that holds everywhere. For a
    /// shared subscription [`Node::members`] comes first: peers choose among the members that they know of.
    pub fn subscribe(&mut self, now: Moment, token: Token, wanted: &[Wanted]) {
        messages::subscribe(&mut self.rooms, now, token, wanted);
    }

    /// A client of ours has these subscriptions no more.
    pub fn unsubscribe(&mut self, gone: &[Wanted]) {
        messages::unsubscribe(&mut self.rooms, gone);
    }

    /// Our own members of a shared subscription are these.
    pub fn members(&mut self, members: Members) {
        messages::members(&mut self.rooms, members);
    }

    /// A client of ours has connected; its CONNECT, which is later than all that this node knows of.
    ///
    /// # Errors
    /// The map is full.
    pub fn connected(&mut self, now: Moment, client: &str) -> Result<Version, Refusal> {
        let me = self.rooms.me();
        let change = self.rooms.map.put(now, client, Value::Client(me), None)?;
        let version = change.record.version;
        let living = self.rooms.peers.living();
        self.rooms.changed(now, change, living);
        Ok(version)
    }

    /// A client of ours has gone.
    pub fn disconnected(&mut self, client: &str, since: Version) {
        let gone = Buried { key: Key::new(Kind::Client, client), version: since };
        if let Some(key) = self.rooms.map.gone(&gone) {
            self.rooms.effect(Effect::Forgotten(key));
        }
        let living = self.rooms.peers.living();
        self.rooms.tell(living, Gone { records: alloc::vec![gone] });
    }

    /// A client of ours publishes a report or an order of a zone; [`Effect::Settled`] tells when its owner has it.
    ///
    /// # Errors
    /// There is no room; the publisher is not read further.
    pub fn report(
        &mut self,
        now: Moment,
        zone: &str,
        message: Arc<Message>,
        token: Option<Token>,
    ) -> Result<(), Full> {
        reports::report(&mut self.rooms, now, zone, message, token)
    }

    /// The owner of this epoch has opened its session for a zone here.
    ///
    /// # Errors
    /// The zone has a later owner; the session must not be opened.
    pub fn claim(&mut self, now: Moment, zone: &str, epoch: u64) -> Result<(), Refusal> {
        reports::claim(&mut self.rooms, now, zone, epoch)
    }

    /// The owner's session of this epoch has ended.
    pub fn unclaim(&mut self, now: Moment, zone: &str, epoch: u64) {
        reports::close(&mut self.rooms, now, zone, epoch);
    }

    /// The owner has answered what it was offered.
    pub fn settle(&mut self, now: Moment, zone: &str, of: (Life, u64), outcome: Outcome) {
        reports::settle(&mut self.rooms, now, zone, of, outcome);
    }

    /// The home has agreed that this life of a node is over.
    pub fn dead(&mut self, now: Moment, life: Life) {
        messages::dead(&mut self.rooms, now, life);
    }

    /// Everything up to this change is on our disk.
    pub fn stored(&mut self, change: u64) {
        self.rooms.map.stored(change);
    }

    /// The map.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.rooms.map
    }

    /// Who claims a zone, as far as this node knows.
    #[must_use]
    pub fn claim_of(&self, zone: &str) -> Option<Claim> {
        Claims::find(self.rooms.map.table(), zone)
    }

    /// Peers that have told this life all that their maps had.
    #[must_use]
    pub fn matched(&self) -> Nodes {
        self.rooms.peers.matching()
    }

    /// Peers with a link.
    #[must_use]
    pub fn living(&self) -> Nodes {
        self.rooms.peers.living()
    }

    /// The life of a peer that was met last.
    #[must_use]
    pub fn life_of(&self, node: NodeId) -> Option<Incarnation> {
        self.rooms.peers.life(node)
    }

    /// What the site's clock shows, for the disk.
    #[must_use]
    pub fn site_time(&self, now: Moment) -> SiteTime {
        self.rooms.map.shown(now)
    }

    /// Everything of a zone that is held here.
    #[must_use]
    pub fn held(&self, zone: &str) -> usize {
        self.rooms.held.waiting(zone)
    }

    /// What went wrong or was left undone.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            alone: self.rooms.holds.alone(),
            dropped: self.rooms.log.dropped(),
            reports_dropped: self.rooms.held.dropped(),
            held_bytes: self.rooms.held.bytes(),
        }
    }

    /// Zones that this node's broker has announced, or will.
    #[must_use]
    pub fn unclaimed(&self) -> Vec<Box<str>> {
        self.rooms.held.unclaimed().map(Into::into).collect()
    }
}
