//! How long a session lasts, however long its client asks for.

use std::sync::Arc;

use broker_core::access::{Grant, Guest, Roles};

use super::kept::{keeping, next_life};
use super::*;

const DAY: u64 = 24 * 3600;

fn of(user: &str, role: &str) -> Guest {
    let roles = Roles::built_in().unwrap();
    Guest::User(Arc::new(
        Grant::new((&roles, &Arc::default()), "home", user, role, [0; 32]).unwrap(),
    ))
}

/// A session that is to last for ever, and what its client is told.
fn sleeper(bench: &mut Bench, client: &str, guest: Guest) -> Option<u32> {
    let conn = ConnId(bench.last + 1);
    bench.last += 1;
    let connected = bench.core.connect(bench.now, conn, kept(client, u32::MAX), guest).unwrap();
    bench.core.closed(bench.now, conn, Ended::Lost);
    connected.session_expiry
}

#[test]
fn a_session_that_is_to_last_for_ever_lasts_as_long_as_its_role_may() {
    let mut bench = bench(|_| {});
    let told = [
        sleeper(&mut bench, "lamp", of("kitchen/lamp", "device")),
        sleeper(&mut bench, "phone", of("ada", "person")),
        sleeper(&mut bench, "hearth-home-gateway-1-own", of("gateway", "gateway")),
    ];
    assert_eq!(told, [Some(30 * DAY as u32), Some(90 * DAY as u32), None]);
    for (days, left) in [(29, 3), (2, 2), (58, 2), (2, 1), (100_000, 1)] {
        bench.later(days * DAY);
        assert_eq!(bench.core.reading().sessions, left);
    }
}

#[test]
fn a_goodbye_does_not_prolong_a_session_beyond_that() {
    let mut bench = bench(|_| {});
    let (conn, _) = bench.open(kept("phone", 1));
    let goodbye = Packet::Disconnect { with_will: false, session_expiry: Some(u32::MAX) };
    bench.send(conn, goodbye);
    bench.core.closed(bench.now, conn, Ended::Goodbye);
    bench.later(91 * DAY);
    assert_eq!(bench.core.reading().sessions, 0);
}

#[test]
fn a_session_of_before_that_was_to_last_for_ever_is_cut_down_once() {
    let mut first = bench(|settings| {
        settings.store = true;
        settings.limits.session_seconds = u32::MAX;
    });
    sleeper(&mut first, "phone", Guest::Anyone);
    let mut second = next_life(&first, 0);
    let told = std::mem::take(&mut second.core.effects().keep);
    assert!(matches!(&told[..], [Keep::Session(lasting)] if lasting.ends_at.is_some()), "{told:?}");
    second.later(60 * DAY);
    let mut third = next_life(&second, 0);
    assert!(third.core.effects().keep.is_empty(), "the store knows");
    third.later(31 * DAY);
    assert_eq!(third.core.reading().sessions, 0, "a restart gives it no second life");
}

#[test]
fn a_client_that_was_connected_to_the_end_has_its_time_once() {
    let mut first = keeping();
    first.open(kept("phone", 60));
    let mut second = next_life(&first, 0);
    second.later(40);
    let mut third = next_life(&second, 0);
    third.later(40);
    assert_eq!(third.core.reading().sessions, 0);
}
