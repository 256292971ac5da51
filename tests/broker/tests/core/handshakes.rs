//! QoS 2 handshakes that a client of MQTT 3.1.1 leaves open are on its user's account.

use std::sync::Arc;

use broker_core::access::{Grant, Guest, Roles};
use broker_core::protocol::{Connect, Packet, Qos, Reason, Version};
use broker_core::{ConnId, Ended};

use super::{Bench, START, bench, connect, publish};

fn open(bench: &mut Bench, user: &str, client: &str, id: u64) -> ConnId {
    let roles = Roles::built_in().unwrap();
    let grant = Grant::new((&roles, &Arc::default()), "home", user, "person", [0; 32]).unwrap();
    let expiry = u32::MAX;
    let old =
        Connect { version: Version::V311, clean: false, session_expiry: expiry, ..connect(client) };
    bench.core.connect(START, ConnId(id), old, Guest::User(Arc::new(grant))).unwrap();
    ConnId(id)
}

/// How many publishes at QoS 2 are taken before the connection ends.
fn begun(bench: &mut Bench, conn: ConnId) -> u16 {
    let begin = |pid| {
        let publish = publish("reply/x", "x", Qos::ExactlyOnce, pid);
        let taken = bench.core.receive(START, conn, Packet::Publish(publish));
        taken.map_or_else(|reason| Some((pid - 1, reason)), |_| None)
    };
    let (taken, reason) = (1..=u16::MAX).find_map(begin).expect("a bound");
    assert_eq!(reason, Reason::Quota);
    bench.core.closed(START, conn, Ended::Lost);
    taken
}

#[test]
fn one_user_cannot_leave_as_many_open_as_there_are_packet_ids_in_every_session() {
    // A quarter is for one user: 256 KiB, of which each 1,024 handshakes take 64.
    let mut bench = bench(|settings| settings.limits.session_bytes = 1 << 20);
    let eve = open(&mut bench, "eve", "eve-1", 1);
    assert_eq!(begun(&mut bench, eve), 4 * 1024 - 1);
    let more = open(&mut bench, "eve", "eve-2", 2);
    assert_eq!(begun(&mut bench, more), 1023, "her other session took the rest");
    let ada = open(&mut bench, "ada", "ada-1", 3);
    assert_eq!(begun(&mut bench, ada), 4 * 1024 - 1, "hers are her own");
    // What is released makes room.
    let eve = open(&mut bench, "eve", "eve-1", 4);
    for pid in 1..=2048 {
        bench.send(eve, Packet::Pubrel(pid));
    }
    let more = open(&mut bench, "eve", "eve-3", 5);
    assert_eq!(begun(&mut bench, more), 3 * 1024 - 1);
}
