//! Scenarios of a few lines each, with nodes whose links lose nothing.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::protocol::{Frame, Hello, Members, NEWEST, Wanted};
use mesh::{
    DiskId, Effect, Ended, HELD_MESSAGES, Incarnation, Kept, Kind, LOOSE, Lane, Life, LinkId, Mark,
    Marks, Message, Moment, Node, NodeId, Nodes, Outcome, Publisher, Qos, Record, Settings,
    SiteTime, TOMBSTONE_TIME, Taking, Token, Version,
};

fn node(number: u8) -> NodeId {
    NodeId::new(number).unwrap()
}

/// Nodes, their links, and what they wanted beside sending.
struct Home {
    nodes: BTreeMap<u8, Node>,
    now: Moment,
    effects: Vec<(u8, Effect)>,
    last_link: u64,
}

/// A link's number at one end, which tells node and peer.
fn link(at: u8, peer: u8, lane: Lane, round: u64) -> LinkId {
    LinkId(
        round * 10_000
            + u64::from(at) * 100
            + u64::from(peer) * 10
            + u64::from(lane == Lane::Zones),
    )
}

impl Home {
    fn new(count: u8) -> Self {
        let nodes = BTreeMap::new();
        let now = Moment::default();
        let mut home = Self { nodes, now, effects: Vec::new(), last_link: 0 };
        (1..=count).for_each(|number| home.start(number, count, u64::from(number), Vec::new()));
        home
    }

    fn start(&mut self, number: u8, count: u8, disk: u64, records: Vec<Record>) {
        let life = Life { node: node(number), incarnation: Incarnation(self.last_link + disk) };
        let members: Nodes = (1..=count).map(node).collect();
        let (disk, spare_disk) = (DiskId(disk), DiskId(disk + 1_000));
        let floor = SiteTime(1 << 40);
        let settings = Settings { me: life, members, disk, spare_disk, floor };
        let mut node = Node::new(settings);
        records.into_iter().for_each(|record| node.restore(record));
        self.nodes.insert(number, node);
    }

    fn at(&mut self, number: u8) -> &mut Node {
        self.nodes.get_mut(&number).unwrap()
    }

    fn join(&mut self, a: u8, b: u8) {
        self.last_link += 1;
        let (round, now) = (self.last_link, self.now);
        for lane in [Lane::Messages, Lane::Zones] {
            self.at(a).opened(now, node(b), lane, link(a, b, lane, round));
            self.at(b).opened(now, node(a), lane, link(b, a, lane, round));
        }
        self.settle();
    }

    fn part(&mut self, a: u8, b: u8) {
        let round = self.last_link;
        for round in 1..=round {
            for lane in [Lane::Messages, Lane::Zones] {
                self.at(a).closed(link(a, b, lane, round));
                self.at(b).closed(link(b, a, lane, round));
            }
        }
        self.settle();
    }

    /// Carries frames until nobody has more to say.
    fn settle(&mut self) {
        loop {
            let now = self.now;
            let mut sent = Vec::new();
            for (at, node) in &mut self.nodes {
                node.ready(now);
                for effect in node.effects(now) {
                    match effect {
                        Effect::Send(link, frame) => sent.push((*at, link, frame)),
                        effect => self.effects.push((*at, effect)),
                    }
                }
            }
            if sent.is_empty() {
                return;
            }
            for (at, LinkId(id), frame) in sent {
                let peer = (id / 10 % 10) as u8;
                let lane = if id % 10 == 1 { Lane::Zones } else { Lane::Messages };
                let there = link(peer, at, lane, id / 10_000);
                if let Some(node) = self.nodes.get_mut(&peer) {
                    node.receive(now, there, frame);
                }
            }
        }
    }

    /// Lets time pass, with beats, and disks that write.
    fn pass(&mut self, time: Duration, steps: u32) {
        for _ in 0..steps {
            self.now = self.now.after(time / steps);
            let (now, all) = (self.now, self.nodes.keys().copied().collect::<Vec<_>>());
            for (at, node) in &mut self.nodes {
                all.iter()
                    .filter(|other| *other != at)
                    .for_each(|o| node.heard(now, self::node(*o)));
                node.tick(now);
                node.stored(u64::MAX);
            }
            self.settle();
        }
    }

    fn retain(&mut self, at: u8, topic: &str, payload: &'static [u8]) {
        let now = self.now;
        let message = Message::new(topic, Bytes::from_static(payload), Qos::AtLeastOnce);
        self.at(at).publish(now, Message { retain: true, ..message }, None).unwrap();
        self.settle();
    }

    fn has(&self, at: u8, topic: &str) -> bool {
        self.nodes[&at].map().table().value(Kind::Retained, topic).is_some()
    }

    fn records(&self, at: u8) -> Vec<Record> {
        self.nodes[&at].map().table().iter().map(|(key, entry)| entry.record(key)).collect()
    }

    fn whole(count: u8) -> Self {
        let mut home = Self::new(count);
        for a in 1..=count {
            (a + 1..=count).for_each(|b| home.join(a, b));
        }
        home
    }
}

#[test]
fn what_was_removed_while_a_node_was_away_does_not_come_back_and_is_forgotten_in_the_end() {
    let mut home = Home::whole(3);
    home.retain(1, "a", b"1");
    let files = home.records(3);
    home.part(3, 1);
    home.part(3, 2);
    home.nodes.remove(&3);
    home.retain(1, "a", b"");
    home.pass(Duration::from_secs(3_600), 200);
    assert_eq!(home.nodes[&1].map().table().tombstones(), 1, "one member has not confirmed");
    home.last_link += 1;
    home.start(3, 3, 3, files);
    assert!(home.has(3, "a"));
    home.join(2, 3);
    assert!(!home.has(3, "a") && !home.has(2, "a"));
    home.join(1, 3);
    home.pass(Duration::from_secs(120), 120);
    for number in 1..=3 {
        assert!(!home.has(number, "a"));
        assert_eq!(home.nodes[&number].map().table().tombstones(), 0, "at {number}");
    }
}

#[test]
fn a_member_that_is_away_for_too_long_is_written_off_and_drops_what_it_knew() {
    let mut home = Home::whole(3);
    for number in 1..=3 {
        let now = home.now;
        home.at(number).begin(now);
    }
    home.settle();
    home.retain(1, "a", b"1");
    let files = home.records(3);
    home.part(3, 1);
    home.part(3, 2);
    home.nodes.remove(&3);
    home.retain(1, "a", b"");
    home.retain(1, "b", b"1");
    home.pass(TOMBSTONE_TIME + Duration::from_secs(60), 4_000);
    home.pass(Duration::from_secs(120), 120);
    assert_eq!(home.nodes[&1].map().table().tombstones(), 0, "nobody waits any longer");
    home.last_link += 1;
    home.start(3, 3, 3, files);
    home.effects.clear();
    home.join(2, 3);
    let anew = |(at, effect): &(u8, Effect)| *at == 3 && matches!(effect, Effect::BegunAnew(_));
    assert!(home.effects.iter().any(anew));
    assert!(!home.has(3, "a") && !home.has(2, "a") && home.has(3, "b"));
}

#[test]
fn sleeping_members_of_a_shared_subscription_get_only_what_nobody_awake_could() {
    let mut home = Home::whole(3);
    let members = |ready, asleep| Members { path: "$share/g/t".into(), ready, asleep };
    home.at(2).members(members(0, 3));
    home.at(3).members(members(1, 0));
    home.settle();
    let told = |home: &mut Home, qos| {
        home.effects.clear();
        let now = home.now;
        for _ in 0..6 {
            home.at(1).publish(now, Message::new("t", Bytes::new(), qos), None).unwrap();
        }
        home.settle();
        let delivered = home.effects.iter().filter_map(|(at, effect)| match effect {
            Effect::Deliver(delivery) if !delivery.groups.is_empty() => Some(*at),
            _ => None,
        });
        delivered.collect::<Vec<_>>()
    };
    assert_eq!(told(&mut home, Qos::AtLeastOnce), [3; 6]);
    home.at(3).members(members(0, 0));
    home.settle();
    assert_eq!(told(&mut home, Qos::AtLeastOnce), [2; 6]);
    assert_eq!(told(&mut home, Qos::AtMostOnce), [0; 0], "nobody is promised it");
    home.at(2).members(members(2, 0));
    home.at(3).members(members(1, 0));
    home.settle();
    let by_turns = told(&mut home, Qos::AtMostOnce);
    assert_eq!(by_turns.iter().filter(|at| **at == 2).count(), 4, "by how many are awake");
}

#[test]
fn what_a_dead_member_had_not_confirmed_goes_to_another_one() {
    let mut home = Home::whole(3);
    let members = Members { path: "$share/g/t".into(), ready: 1, asleep: 0 };
    home.at(2).members(members.clone());
    home.settle();
    let now = home.now;
    let dead = Life { node: node(2), incarnation: Incarnation(2) };
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        home.at(1).publish(now, Message::new("t", Bytes::new(), qos), None).unwrap();
    }
    // Its frames are lost with it.
    home.nodes.remove(&2);
    home.settle();
    home.at(3).members(members);
    home.settle();
    home.effects.clear();
    for lane in [Lane::Messages, Lane::Zones] {
        (1..=3).for_each(|round| home.at(1).closed(link(1, 2, lane, round)));
    }
    home.at(1).dead(now, dead);
    home.settle();
    let given = home.effects.iter().filter_map(|(at, effect)| match effect {
        Effect::Deliver(delivery) => Some((*at, delivery.message.qos)),
        _ => None,
    });
    let given: Vec<_> = given.collect();
    assert_eq!(given, [(3, Qos::AtLeastOnce)], "QoS 2 is not given twice");
}

#[test]
fn a_publisher_waits_for_a_second_node_for_half_a_second() {
    let mut home = Home::whole(2);
    let now = home.now;
    let message = || Message {
        retain: true,
        ..Message::new("t", Bytes::from_static(b"1"), Qos::AtLeastOnce)
    };
    home.at(1).publish(now, message(), Some(Token(1))).unwrap();
    home.settle();
    let acknowledged = |home: &Home, token, kept| {
        home.effects.contains(&(1, Effect::Acknowledge(Token(token), kept)))
    };
    assert!(acknowledged(&home, 1, Kept::Promised));
    // The other one hears nothing, and nobody has noticed.
    home.at(1).publish(now, message(), Some(Token(2))).unwrap();
    home.nodes.remove(&2);
    home.settle();
    home.now = home.now.after(Duration::from_millis(499));
    let now = home.now;
    home.at(1).tick(now);
    home.settle();
    assert!(!acknowledged(&home, 2, Kept::Alone));
    home.now = home.now.after(Duration::from_millis(1));
    let now = home.now;
    home.at(1).tick(now);
    home.settle();
    assert!(acknowledged(&home, 2, Kept::Alone));
    assert_eq!(home.nodes[&1].counts().alone, 1);
}

#[test]
fn a_node_of_another_version_is_told_so_by_the_end_of_the_link() {
    let mut home = Home::new(2);
    let now = home.now;
    home.at(1).opened(now, node(2), Lane::Messages, LinkId(7));
    let life = Life { node: node(2), incarnation: Incarnation(9) };
    let hello = Hello {
        oldest: NEWEST + 1,
        newest: NEWEST + 3,
        lane: Lane::Messages,
        life,
        disk: DiskId(1),
        got: None,
        serving: 0,
        reach: Nodes::NONE,
    };
    home.at(1).receive(now, LinkId(7), Frame::Hello(hello));
    let effects = home.at(1).effects(now);
    assert!(effects.contains(&Effect::Close(LinkId(7), Ended::Foreign)));
    assert!(home.nodes[&1].living().is_empty());
}

#[test]
fn a_zone_holds_no_more_than_its_bounds() {
    let mut home = Home::new(1);
    let now = home.now;
    let report = |qos| Arc::new(Message::new("home/hall/door/report", Bytes::new(), qos));
    let mut tokens = (1..).map(Token);
    for _ in 0..HELD_MESSAGES {
        home.at(1).report(now, "hall", report(Qos::AtLeastOnce), tokens.next()).unwrap();
    }
    assert!(home.at(1).report(now, "hall", report(Qos::AtLeastOnce), tokens.next()).is_err());
    for _ in 0..=LOOSE {
        home.at(1).report(now, "hall", report(Qos::AtMostOnce), None).unwrap();
    }
    assert_eq!(home.nodes[&1].held("hall"), HELD_MESSAGES + LOOSE);
    assert_eq!(home.nodes[&1].counts().reports_dropped, 1);
}

#[test]
fn a_report_goes_to_the_claimed_node_and_its_answer_comes_back_the_whole_way() {
    let mut home = Home::whole(3);
    let now = home.now;
    home.at(2).claim(now, "hall", 4).unwrap();
    home.settle();
    let report = Arc::new(Message::new("home/hall/door/report", Bytes::new(), Qos::AtLeastOnce));
    home.at(1).report(now, "hall", report, Some(Token(5))).unwrap();
    home.settle();
    let offer = home.effects.iter().find_map(|(at, effect)| match effect {
        Effect::Offer(offer) if *at == 2 => Some(offer.clone()),
        _ => None,
    });
    let offer = offer.unwrap();
    assert_eq!((offer.epoch, offer.holder.node, offer.counter, offer.before), (4, node(1), 1, 0));
    let settled = (1, Effect::Settled(Token(5), None));
    assert!(!home.effects.contains(&settled), "only its owner acknowledges");
    home.at(2).settle(now, "hall", (offer.holder, offer.counter), Outcome::Taken(None));
    home.settle();
    assert!(home.effects.contains(&settled));
    assert!(home.at(3).claim(now, "hall", 3).is_err(), "an epoch that is over");
}

#[test]
fn marks_take_each_report_once_in_order_and_no_old_one_after_a_newer() {
    let mut marks = Marks::default();
    let life =
        |number, incarnation| Life { node: node(number), incarnation: Incarnation(incarnation) };
    let mut take = |holder, counter, before, since: u64| {
        let since = Version { epoch: 0, time: SiteTime(since), node: 1 };
        let publisher = Publisher { client: "door".into(), since };
        marks.take(Mark { holder, counter, before }, "door", Some(&publisher))
    };
    assert_eq!(take(life(1, 1), 1, 0, 1), Taking::New);
    assert_eq!(take(life(1, 1), 3, 2, 1), Taking::OutOfOrder);
    assert_eq!(take(life(1, 1), 2, 1, 1), Taking::New);
    assert_eq!(take(life(1, 1), 3, 2, 1), Taking::New);
    assert_eq!(take(life(1, 1), 1, 0, 1), Taking::Repeated);
    assert_eq!(take(life(1, 2), 1, 0, 1), Taking::New, "a later life counts anew");
    assert_eq!(take(life(2, 1), 1, 0, 9), Taking::New);
    assert_eq!(take(life(1, 2), 2, 0, 1), Taking::Superseded);
    assert_eq!(take(life(1, 2), 2, 1, 1), Taking::Superseded, "the first answer may be lost");
    assert_eq!(take(life(1, 2), 3, 1, 10), Taking::New, "its holder has let go of the refused one");
}

#[test]
fn a_suback_waits_for_every_living_node_and_for_no_other() {
    let mut home = Home::whole(3);
    let now = home.now;
    let wanted = [Wanted { path: "a/+".into(), kept: false }];
    home.at(1).subscribe(now, Token(1), &wanted);
    let told = home.at(1).effects(now);
    assert!(!told.contains(&Effect::Subscribed(Token(1))), "{told:?}");
    // Both links end before anybody answers.
    for peer in [2, 3] {
        (1..=3).for_each(|round| home.at(1).closed(link(1, peer, Lane::Messages, round)));
    }
    assert!(home.at(1).effects(now).contains(&Effect::Subscribed(Token(1))));
}
