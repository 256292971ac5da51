//! What zones hold, on somebody's account: nobody fills a zone, or the room for all of them, alone.

use std::sync::Arc;

use broker_core::access::{Grant, Guest, Roles};
use broker_core::protocol::{Packet, Properties, Publish, Qos};
use broker_core::{ConnId, Settings};

use super::{Bench, START, bench, connect, publish};

/// A broker that waits for gateways, and users who are persons.
struct Site {
    bench: Bench,
    roles: Roles,
}

impl Site {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        Self { bench: bench(change), roles: Roles::built_in().unwrap() }
    }

    fn user(&mut self, name: &str, role: &str, id: u64) -> ConnId {
        let grant = Grant::new((&self.roles, &Arc::default()), "home", name, role, [0; 32]);
        let (conn, guest) = (ConnId(id), Guest::User(Arc::new(grant.unwrap())));
        self.bench.core.connect(START, conn, connect(name), guest).unwrap();
        conn
    }

    /// What of so many orders is refused at once.
    fn order(&mut self, who: ConnId, topic: &str, count: u16, bytes: usize) -> Vec<String> {
        for pid in 1..=count {
            let order = publish(topic, "", Qos::AtLeastOnce, pid);
            let payload = vec![b'x'; bytes].into();
            let order = Publish { payload, properties: Properties::default(), ..order };
            self.bench.send(who, Packet::Publish(order));
        }
        self.bench.pull(who)
    }
}

#[test]
fn one_user_does_not_fill_a_zone() {
    let mut site = Site::new(|settings| settings.limits.zone_messages = 20);
    let (eve, ada) = (site.user("eve", "person", 90), site.user("ada", "person", 91));
    let refused = site.order(eve, "home/hall/lamp/set", 7, 1);
    assert_eq!(refused, ["Puback(6, Quota)", "Puback(7, Quota)"], "a quarter of twenty");
    assert!(site.order(ada, "home/hall/lamp/set", 5, 1).is_empty(), "hers wait");
    // What an owner has acknowledged makes room.
    let (zone, _) = site.bench.open(connect("hearth-home-zone-hall"));
    site.bench.subscribe(zone, "home/hall/+/set");
    assert_eq!(site.bench.pull(zone).len(), 1 + 10);
    for pid in 1..=10 {
        site.bench.send(zone, Packet::Puback(pid, None));
    }
    assert_eq!(site.bench.pull(eve).len(), 5, "acknowledged");
    assert!(site.order(eve, "home/hall/lamp/set", 5, 1).is_empty());
}

#[test]
fn one_user_does_not_fill_the_room_for_all_zones() {
    let mut site = Site::new(|settings| settings.limits.zone_bytes = 400_000);
    let (eve, ada) = (site.user("eve", "person", 90), site.user("ada", "person", 91));
    let zones = ["home/hall/lamp/set", "home/attic/lamp/set", "home/cellar/lamp/set"];
    let refused: Vec<usize> =
        zones.iter().map(|zone| site.order(eve, zone, 1, 40_000).len()).collect();
    assert_eq!(refused, [0, 0, 1], "a quarter of 400,000 bytes");
    assert!(site.order(ada, zones[2], 2, 40_000).is_empty());
    // All persons together have three quarters.
    for number in 0..4 {
        let other = site.user(&format!("person-{number}"), "person", 100 + number);
        let refused = site.order(other, zones[0], 2, 40_000).len();
        assert_eq!(refused, [0, 1, 2, 2][number as usize], "person {number}");
    }
}

#[test]
fn one_user_at_qos_0_does_not_fill_it_either() {
    let mut site = Site::new(|settings| settings.limits.zone_bytes = 400_000);
    site.bench.core.connect(START, ConnId(1), connect("hearth-home-site"), Guest::Anyone).unwrap();
    let (eve, ada) = (site.user("eve", "person", 90), site.user("ada", "person", 91));
    for _ in 0..20 {
        let order = publish("home/hall/lamp/set", "", Qos::AtMostOnce, 0);
        let order = Publish { payload: vec![b'x'; 40_000].into(), ..order };
        site.bench.send(eve, Packet::Publish(order));
    }
    assert!(site.order(ada, "home/attic/lamp/set", 2, 40_000).is_empty());
}
