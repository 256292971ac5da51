//! Messages between nodes: out to the peers that want them, in to our subscribers.

mod planted;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::{Delivery, Effect, Lost};
use crate::forward::{Asked, Hold, Kept};
use crate::id::{Lane, Life, LinkId, NodeId, Nodes, Token};
use crate::map::{Key, Kind, Record, Refusal, Value};
use crate::message::{Message, Qos};
use crate::moment::Moment;
use crate::records;
use crate::rooms::Rooms;
use crate::stream::{Orphan, Verdict};
use crate::wire::{Gap, Got, Members, Publish, Subacked, Subscribe, Unsubscribe, Wanted};

/// What the node at which a message was published does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The message, with its place among the retained ones of its topic.
    pub message: Arc<Message>,
    /// Shared subscriptions for which our own members were chosen.
    pub groups: Vec<Box<str>>,
}

/// A message is published here. `token` is told when its publisher may be acknowledged.
pub(crate) fn publish(
    rooms: &mut Rooms,
    now: Moment,
    mut message: Message,
    token: Option<Token>,
) -> Result<Published, Refusal> {
    if planted::is_former(is_former(rooms, &message)) {
        return Err(Refusal::Epoch);
    }
    if message.retain {
        retain(rooms, now, &mut message)?;
    }
    let message = Arc::new(message);
    let me = rooms.me().node;
    let mut there = rooms.peers.opened_all();
    there.insert(me);
    let mut chosen = rooms.groups.choose(&message.topic, message.qos, there);
    let groups = chosen.extract_if(.., |(_, node)| *node == me).map(|(group, _)| group).collect();
    enter(rooms, now, &message, chosen, token);
    Ok(Published { message, groups })
}

/// Puts a retained message into the map. The peers get it as a message, so they are not told of the record.
fn retain(rooms: &mut Rooms, now: Moment, message: &mut Message) -> Result<(), Refusal> {
    let epoch = message.fence.as_ref().map(|fence| fence.epoch);
    let change = if message.payload.is_empty() {
        let key = Key::new(Kind::Retained, &message.topic);
        rooms.map.remove(now, key, epoch)?
    } else {
        let value = Value::Retained(Arc::new(message.clone()));
        Some(rooms.map.put(now, &message.topic, value, epoch)?)
    };
    if let Some(change) = change {
        message.version = Some(change.record.version);
        rooms.changed(now, change, Nodes::NONE);
    }
    Ok(())
}

/// Enters a message into the log, and lets its publisher wait where that is due.
fn enter(
    rooms: &mut Rooms,
    now: Moment,
    message: &Arc<Message>,
    chosen: Vec<(Box<str>, NodeId)>,
    token: Option<Token>,
) {
    let token = token.filter(|_| message.qos > Qos::AtMostOnce);
    if !rooms.log.has_peers() {
        return acknowledge(rooms, token, Kept::Promised);
    }
    let wanting = rooms.interest.wanting(&message.topic);
    let record = message.version.is_some();
    let loose = message.qos == Qos::AtMostOnce;
    if loose && wanting.deliver.is_empty() && chosen.is_empty() && !record {
        return;
    }
    let counter = rooms.log.push(now, message.clone(), chosen);
    let Some(token) = token else { return };
    let one_of = if record { rooms.peers.living() } else { Nodes::NONE };
    let each_of = wanting.kept;
    if one_of.is_empty() && each_of.is_empty() {
        let kept = if record { rooms.holds.count_alone() } else { Kept::Promised };
        return acknowledge(rooms, Some(token), kept);
    }
    if !planted::waits(true) {
        return acknowledge(rooms, Some(token), Kept::Promised);
    }
    rooms.holds.add(token, Hold { counter, one_of, each_of, since: now });
}

fn acknowledge(rooms: &mut Rooms, token: Option<Token>, kept: Kept) {
    if let Some(token) = token {
        rooms.effect(Effect::Acknowledge(token, kept));
    }
}

/// Whether a message is of an ownership that is over.
fn is_former(rooms: &mut Rooms, message: &Message) -> bool {
    let Some(fence) = &message.fence else { return false };
    rooms.claims.is_over(rooms.map.table(), &fence.zone, fence.epoch)
}

/// A message of a peer.
pub(crate) fn arrive(rooms: &mut Rooms, now: Moment, node: NodeId, frame: Publish) {
    let Publish { counter, deliver, groups, left, message } = frame;
    if !take(rooms, node, counter) {
        return;
    }
    let mut message = message;
    if let Some(left) = left {
        Arc::make_mut(&mut message).expires = Some(now.after(Duration::from_millis(left)));
    }
    if planted::is_former(is_former(rooms, &message)) {
        return;
    }
    if let Some(version) = message.version.filter(|_| message.retain) {
        let key = Key::new(Kind::Retained, &message.topic);
        let value = (!message.payload.is_empty()).then(|| Value::Retained(message.clone()));
        let there = rooms.map.table().get(&key).map_or(0, |entry| entry.version.epoch);
        records::apply(rooms, now, node, Record { key, version, value });
        if message.fence.is_some() && planted::is_former(version.epoch < there) {
            return;
        }
    }
    if deliver || !groups.is_empty() {
        let again = planted::passed_on(None, &message);
        if let Some(message) = again {
            enter(rooms, now, &message, Vec::new(), None);
        }
        let delivery = Delivery { from: node, message, everyone: deliver, groups };
        rooms.effect(Effect::Deliver(delivery));
    }
}

/// Notes how far we got; whether it is the first time.
fn take(rooms: &mut Rooms, node: NodeId, counter: crate::id::Counter) -> bool {
    rooms.unconfirmed.insert(node);
    rooms.inboxes.get_mut(&node).is_some_and(|inbox| inbox.take(counter))
}

/// A peer has nothing for us up to here.
pub(crate) fn mark(rooms: &mut Rooms, node: NodeId, counter: crate::id::Counter) {
    take(rooms, node, counter);
}

/// A peer has given messages up before we came for them.
pub(crate) fn gap(rooms: &mut Rooms, node: NodeId, gap: Gap) {
    if take(rooms, node, gap.upto) {
        rooms.effect(Effect::Lost(Lost { at: node, topics: gap.topics }));
    }
}

/// A peer says how far it got with our messages.
pub(crate) fn got(rooms: &mut Rooms, node: NodeId, got: &Got) {
    rooms.log.confirm(node, got.got, got.kept);
    for token in rooms.holds.confirmed(node, got.kept) {
        rooms.effect(Effect::Acknowledge(token, Kept::Promised));
    }
}

/// Sends every peer what it may have now, and says how far we got.
pub(crate) fn flow(rooms: &mut Rooms, now: Moment) {
    for node in core::mem::take(&mut rooms.unconfirmed).iter() {
        let Some(inbox) = rooms.inboxes.get(&node) else { continue };
        let got = Got { got: inbox.got(), kept: inbox.kept() };
        rooms.tell(Nodes::from_iter([node]), got);
    }
    for node in rooms.peers.opened_all().iter() {
        let Some(link) = rooms.peers.link(node, Lane::Messages) else { continue };
        let Rooms { log, interest, effects, .. } = rooms;
        let wants = |_, message: &Message| Verdict {
            deliver: interest.wanting(&message.topic).deliver.contains(node),
            record: message.version.is_some(),
        };
        let mut frames = Vec::new();
        log.next(now, node, wants, &mut frames);
        effects.extend(frames.into_iter().map(|frame| Effect::Send(link, frame)));
    }
}

/// A client of ours subscribes.
pub(crate) fn subscribe(rooms: &mut Rooms, now: Moment, token: Token, wanted: &[Wanted]) {
    let living = rooms.peers.living();
    match rooms.subscribing.subscribe(now, token, wanted, living) {
        Asked::Done => rooms.effect(Effect::Subscribed(token)),
        Asked::Waits(None) => {}
        Asked::Waits(Some((request, wanted))) => rooms.tell(living, Subscribe { request, wanted }),
    }
}

/// A client of ours has these subscriptions no more.
pub(crate) fn unsubscribe(rooms: &mut Rooms, gone: &[Wanted]) {
    let over =
        gone.iter().filter(|Wanted { path, kept }| rooms.subscribing.unsubscribe(path, *kept));
    let paths: Vec<Box<str>> = over.map(|wanted| wanted.path.clone()).collect();
    if !paths.is_empty() {
        let living = rooms.peers.living();
        rooms.tell(living, Unsubscribe { paths });
    }
}

/// The clients of a peer want more.
pub(crate) fn wanted(rooms: &mut Rooms, from: (NodeId, LinkId), frame: &Subscribe) {
    let (node, link) = from;
    // What was published before and is not sent yet would otherwise be missed both as retained and as a message.
    let at = rooms.log.passed(node);
    rooms.interest.want(node, &frame.wanted);
    rooms.send(link, Subacked { request: frame.request, at });
}

/// The clients of a peer want less.
pub(crate) fn unwanted(rooms: &mut Rooms, node: NodeId, frame: &Unsubscribe) {
    frame.paths.iter().for_each(|path| rooms.interest.unwant(node, path));
}

/// A peer knows a subscription.
pub(crate) fn subacked(rooms: &mut Rooms, node: NodeId, frame: &Subacked) {
    for token in rooms.subscribing.answered(node, frame.request) {
        rooms.effect(Effect::Subscribed(token));
    }
}

/// Our own members of a shared subscription are these.
pub(crate) fn members(rooms: &mut Rooms, members: Members) {
    let me = rooms.me().node;
    rooms.groups.set(me, &members);
    let living = rooms.peers.living();
    rooms.tell(living, members);
}

/// A node is agreed dead: what its members of shared subscriptions had not confirmed goes to others.
pub(crate) fn dead(rooms: &mut Rooms, now: Moment, life: Life) {
    let node = life.node;
    if rooms.peers.life(node).is_some_and(|known| known != life.incarnation) {
        return;
    }
    rooms.interest.forget(node);
    rooms.groups.forget(node);
    rooms.offered.forget(|other| other == life);
    for key in rooms.map.forget_clients(|other| other == life) {
        rooms.effect(Effect::Forgotten(key));
    }
    for orphan in rooms.log.orphans(node) {
        share_again(rooms, now, orphan);
    }
}

fn share_again(rooms: &mut Rooms, now: Moment, orphan: Orphan) {
    let me = rooms.me().node;
    let mut there = rooms.peers.opened_all();
    there.insert(me);
    match rooms.groups.choose_one(&orphan.group, orphan.message.qos, there) {
        None => {}
        Some(node) if node == me => {
            let Orphan { message, group } = orphan;
            let groups = alloc::vec![group];
            let delivery = Delivery { from: me, message, everyone: false, groups };
            rooms.effect(Effect::Deliver(delivery));
        }
        Some(node) => drop(rooms.log.push_again(now, orphan, node)),
    }
}
