//! How a link begins and ends.
//!
//! ```text
//!  HELLO --> <-- HELLO      versions, lives, how far each got
//!  WELCOME, INTEREST -->    what our clients want; whether the peer's disk is written off
//!  HASHES -->               after the peer's WELCOME
//!  PUBLISH ... -->          after the peer's INTEREST
//! ```

mod planted;

use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::{Effect, Ended};
use crate::id::{Lane, LinkId, NodeId, Nodes};
use crate::moment::Moment;
use crate::peers::{Met, SILENCE};
use crate::records;
use crate::rooms::{Greeting, Rooms};
use crate::wire::{Hello, Interest, NEWEST, OLDEST, Reach, Wanted, Welcome};

/// Filters in one frame. 2,000: about 100 KiB.
const FILTERS: usize = 2_000;
/// Filters that a peer may tell of on one link. Above what is kept of all peers, so that what does not fit is noticed.
const FILTERS_OF_ALL: usize = crate::forward::FILTERS + 1;

/// A connection to a peer is there.
pub(crate) fn open(rooms: &mut Rooms, now: Moment, node: NodeId, lane: Lane, link: LinkId) {
    match rooms.peers.open(now, node, lane, link) {
        Err(_) => return rooms.effect(Effect::Close(link, Ended::Confused)),
        Ok(Some(old)) => {
            rooms.effect(Effect::Close(old, Ended::Replaced));
            ended(rooms, node, lane);
        }
        Ok(None) => {}
    }
    let inbox = rooms.inboxes.get(&node).filter(|_| planted::remembers(true));
    let hello = Hello {
        oldest: OLDEST,
        newest: NEWEST,
        lane,
        life: rooms.me(),
        disk: rooms.map.disk(),
        got: inbox.map(|inbox| (inbox.life(), inbox.kept())),
        serving: millis(rooms.peers.serving(now)),
        reach: rooms.peers.living(),
    };
    rooms.send(link, hello);
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The other side says hello.
pub(crate) fn hello(rooms: &mut Rooms, now: Moment, from: (NodeId, LinkId), hello: &Hello) {
    let (node, link) = from;
    match rooms.peers.hello(link, hello) {
        Met::Known => {}
        Met::Restarted => restarted(rooms, node),
        Met::Foreign => return end(rooms, link, Ended::Foreign),
        Met::Stale => return end(rooms, link, Ended::Confused),
    }
    if hello.lane == Lane::Zones {
        return rooms.held.begin_again(node);
    }
    let life = rooms.me().incarnation;
    let got = hello.got.filter(|(of, _)| *of == life).map(|(_, counter)| counter);
    let serving = Duration::from_millis(hello.serving);
    rooms.greeted.insert(node, Greeting { at: now, got, serving, wanted: Vec::new() });
    let known = rooms.inboxes.get(&node).map(crate::stream::Inbox::life);
    if !planted::remembers(known == Some(hello.life.incarnation)) {
        rooms.inboxes.insert(node, crate::stream::Inbox::new(hello.life.incarnation));
    }
    let written_off = rooms.map.is_disk_written_off(node, hello.disk);
    rooms.send(link, Welcome { written_off });
    send_interest(rooms, link);
    let nodes = rooms.peers.living();
    rooms.tell(nodes, Reach { nodes });
}

fn send_interest(rooms: &mut Rooms, link: LinkId) {
    let all = rooms.subscribing.all();
    let me = rooms.me().node;
    let groups = rooms.groups.of(me);
    let mut parts: Vec<Vec<Wanted>> = all.chunks(FILTERS).map(<[Wanted]>::to_vec).collect();
    let rest = parts.pop().unwrap_or_default();
    for wanted in parts {
        rooms.send(link, Interest { wanted, groups: Vec::new(), last: false });
    }
    rooms.send(link, Interest { wanted: rest, groups, last: true });
}

/// An earlier life of a peer has ended, with all that it had.
fn restarted(rooms: &mut Rooms, node: NodeId) {
    let life = rooms.peers.life(node);
    let over = |other: crate::id::Life| other.node == node && Some(other.incarnation) != life;
    let last = rooms.log.last();
    rooms.holds.restarted(node, last);
    rooms.offered.forget(over);
    for key in rooms.map.forget_clients(over) {
        rooms.effect(Effect::Forgotten(key));
    }
    rooms.held.begin_again(node);
}

/// The peer has looked at our disk.
pub(crate) fn welcome(rooms: &mut Rooms, now: Moment, link: LinkId, welcome: &Welcome) {
    if welcome.written_off {
        records::begin_anew(rooms, now);
    }
    records::compare(rooms, link);
}

/// The peer has begun anew.
pub(crate) fn anew(rooms: &mut Rooms, link: LinkId) {
    records::compare(rooms, link);
}

/// What the peer's clients want; with the last part it is sent messages. Until then what they wanted before counts.
pub(crate) fn interest(rooms: &mut Rooms, now: Moment, node: NodeId, frame: Interest) {
    let Some(greeting) = rooms.greeted.get_mut(&node) else { return };
    greeting.wanted.extend(frame.wanted);
    greeting.wanted.truncate(FILTERS_OF_ALL);
    if !frame.last {
        return;
    }
    let Some(greeting) = rooms.greeted.remove(&node) else { return };
    rooms.interest.forget(node);
    rooms.groups.forget(node);
    rooms.interest.want(node, &greeting.wanted);
    frame.groups.iter().for_each(|members| rooms.groups.set(node, members));
    // What came while both said hello may be for somebody who has subscribed since.
    let serving = greeting.serving + now.since(greeting.at) + SILENCE;
    rooms.log.resume(now, node, greeting.got, serving);
    rooms.peers.opened(node);
}

/// A connection is gone.
pub(crate) fn closed(rooms: &mut Rooms, link: LinkId) {
    if let Some((node, lane)) = rooms.peers.close(link) {
        ended(rooms, node, lane);
    }
}

/// Ends a link.
pub(crate) fn end(rooms: &mut Rooms, link: LinkId, why: Ended) {
    rooms.effect(Effect::Close(link, why));
    closed(rooms, link);
}

fn ended(rooms: &mut Rooms, node: NodeId, lane: Lane) {
    if lane == Lane::Zones {
        return rooms.held.begin_again(node);
    }
    rooms.log.away(node);
    rooms.greeted.remove(&node);
    rooms.unconfirmed.remove(node);
    for token in rooms.subscribing.lost(node) {
        rooms.effect(Effect::Subscribed(token));
    }
    let nodes = rooms.peers.living();
    rooms.tell(nodes, Reach { nodes });
}

/// Ends the links of peers that are silent, or that leave unconfirmed what they were sent.
pub(crate) fn suspect(rooms: &mut Rooms, now: Moment) {
    let silent = rooms.peers.silent(now);
    let stalled: Nodes = rooms
        .peers
        .living()
        .iter()
        .filter(|node| {
            let (log, asked) = (rooms.log.waits_since(*node), rooms.subscribing.waits_since(*node));
            let waits = [log, asked].into_iter().flatten().min();
            waits.is_some_and(|since| now.since(since) >= crate::peers::STALL)
        })
        .collect();
    for node in silent.iter() {
        let links: Vec<LinkId> = rooms.peers.links(node).collect();
        links.into_iter().for_each(|link| end(rooms, link, Ended::Silent));
    }
    let unfinished: Vec<LinkId> = rooms.peers.unfinished(now).collect();
    unfinished.into_iter().for_each(|link| end(rooms, link, Ended::Stalled));
    for node in stalled.without(silent).iter() {
        if let Some(link) = rooms.peers.link(node, Lane::Messages) {
            end(rooms, link, Ended::Stalled);
        }
    }
}
