//! What a store is told, and what the next life makes of it.

use broker_core::mutant::{Mutant, set_active};
use broker_core::{Memory, StoredMessage, StoredSession, StoredWaiting, StoredWill, Waiting};

use super::*;

pub(super) fn keeping() -> Bench {
    bench(|settings| settings.store = true)
}

/// The next life of a broker that kept everything, `seconds` later.
pub(super) fn next_life(bench: &Bench, seconds: u64) -> Bench {
    let mut memory = Memory::default();
    let left = |at: Moment| at.0.saturating_sub(bench.now.0 + Duration::from_secs(seconds));
    for kept in bench.core.everything() {
        match kept {
            Keep::Gateways => memory.gateways = true,
            Keep::Will(last) => memory.wills.push(StoredWill {
                client: (*last.client).into(),
                user: last.user,
                will: last.will,
                left: last.due.map(left),
            }),
            Keep::Retained(message) => memory.retained.push(StoredMessage {
                topic: message.topic.clone(),
                payload: message.payload.clone(),
                qos: message.qos,
                properties: message.properties.clone(),
                left: message.expires.map(left),
                owner: message.owner.as_deref().map(Into::into),
                order: 0,
            }),
            Keep::Session(lasting) => memory.sessions.push(StoredSession {
                client: (*lasting.client).into(),
                user: lasting.user.clone(),
                expiry: lasting.expiry,
                left: lasting.ends_at.map(left),
                subscriptions: Vec::new(),
                waiting: Vec::new(),
                received: Vec::new(),
            }),
            Keep::Asleep(client, waiting, received) => {
                let session = memory.sessions.iter_mut().find(|s| *s.client == *client).unwrap();
                session.received = received;
                for Waiting { number, message, qos, retain, stored, ids, sent } in waiting {
                    let order = message.order;
                    let waiting = StoredWaiting { number, order, qos, retain, stored, ids, sent };
                    session.waiting.push(waiting);
                    memory.messages.push(StoredMessage {
                        order,
                        topic: message.topic.clone(),
                        payload: message.payload.clone(),
                        qos: message.qos,
                        properties: message.properties.clone(),
                        left: message.expires.map(left),
                        owner: None,
                    });
                }
            }
            Keep::Subscribed(client, filter, id) => {
                let session = memory.sessions.iter_mut().find(|s| *s.client == *client).unwrap();
                session.subscriptions.push((filter, id));
            }
            other => panic!("{other:?} is not part of everything"),
        }
    }
    let mut next = keeping();
    next.core.restore(next.now, memory, |_| Some(Guest::Anyone));
    next
}

#[test]
fn the_next_life_serves_a_sleeping_session_as_if_nothing_had_happened() {
    let mut first = keeping();
    let (sleeper, _) = first.open(kept("sleeper", 100));
    for path in ["a/+", "b", "$share/g/c"] {
        first.subscribe(sleeper, path);
    }
    first.send(sleeper, Packet::Unsubscribe { pid: 2, filters: vec!["b".to_owned()] });
    first.core.closed(first.now, sleeper, Ended::Lost);
    let mut second = next_life(&first, 60);
    let (other, _) = second.open(connect("other"));
    for topic in ["a/1", "b", "c"] {
        second.send(other, Packet::Publish(publish(topic, "x", Qos::AtLeastOnce, 1)));
    }
    second.pull(other);
    let (sleeper, present) = second.open(kept("sleeper", 100));
    assert!(present);
    assert_eq!(second.pull(sleeper), ["a/1 x q1 #28673", "c x q1 #28674"]);
    second.core.closed(second.now, sleeper, Ended::Lost);
    second.later(101);
    assert!(!second.open(kept("sleeper", 100)).1, "it has had its time");
}

#[test]
fn the_time_of_a_session_goes_on_while_the_broker_is_dead() {
    let mut first = keeping();
    let (asleep, _) = first.open(kept("asleep", 100));
    first.open(kept("connected", 100));
    first.core.closed(first.now, asleep, Ended::Lost);
    let mut second = next_life(&first, 60);
    // Nobody knows how long the other one had been without a broker.
    second.later(41);
    let present = ["asleep", "connected"].map(|id| second.open(kept(id, 100)).1);
    assert_eq!(present, [false, true]);
}

#[test]
fn what_is_kept_of_a_gateway_is_only_that_there_is_one() {
    let mut first = keeping();
    let (gateway, _) = first.open(kept("hearth-home-zone-hall", 600));
    first.subscribe(gateway, "home/hall/+/report");
    let beat = publish("hearth/home/gateway/1/status", "alive", Qos::AtMostOnce, 0);
    first.send(gateway, Packet::Publish(Publish { retain: true, ..beat }));
    let mut told = Kept::default();
    told.told(std::mem::take(&mut first.core.effects().keep));
    let mut only_that_there_are_gateways = Kept::default();
    only_that_there_are_gateways.told([Keep::Gateways]);
    assert_eq!(told, only_that_there_are_gateways);
    // Its next life waits for them, however long they take.
    assert_eq!(told_without_gateways(&first), [] as [&str; 0], "nothing that may not be true");
}

#[test]
fn the_scenario_sees_a_broker_that_forgets_its_gateways() {
    let mut first = keeping();
    first.open(kept("hearth-home-zone-hall", 600));
    set_active(Some(Mutant::GatewaysForgotten));
    let told = told_without_gateways(&first);
    set_active(None);
    assert_eq!(told, ["Puback(1, Normal)"]);
}

/// What the next life tells a device of its report, to which no gateway comes.
fn told_without_gateways(first: &Bench) -> Vec<String> {
    let mut second = next_life(first, 0);
    let (device, _) = second.open(connect("device"));
    second
        .send(device, Packet::Publish(publish("home/hall/door/report", "ON", Qos::AtLeastOnce, 1)));
    second.later(3600);
    second.pull(device)
}

#[test]
fn what_waited_for_a_sleeping_session_comes_in_the_next_life_with_its_handshakes() {
    let mut first = keeping();
    let (sleeper, _) = first.open(kept("sleeper", 100));
    let (other, _) = first.open(connect("other"));
    let filter = Filter { qos: Qos::ExactlyOnce, ..filter("t", Qos::AtMostOnce) };
    first.send(sleeper, Packet::Subscribe { pid: 1, id: None, filters: vec![filter] });
    for (pid, payload) in [(1, "done"), (2, "received"), (3, "sent")] {
        first.send(other, Packet::Publish(publish("t", payload, Qos::ExactlyOnce, pid)));
    }
    first.pull(sleeper);
    for pid in [1, 2] {
        first.send(sleeper, Packet::Pubrec(pid, true));
    }
    first.send(sleeper, Packet::Pubcomp(1));
    // Its own publish is received and not released.
    first.send(sleeper, Packet::Publish(publish("mine", "x", Qos::ExactlyOnce, 9)));
    first.core.closed(first.now, sleeper, Ended::Lost);
    let waits = publish("t", "waits", Qos::ExactlyOnce, 4);
    first.send(other, Packet::Publish(waits));
    let short = publish("t", "short", Qos::AtLeastOnce, 5);
    let expiry = Properties { expiry: Some(50), ..Properties::default() };
    first.send(other, Packet::Publish(Publish { properties: expiry, ..short }));
    let mut second = next_life(&first, 60);
    let (sleeper, _) = second.open(kept("sleeper", 100));
    let (mine, _) = second.open(connect("watches-mine"));
    second.subscribe(mine, "mine");
    second.pull(mine);
    let again = Publish { dup: true, ..publish("mine", "x", Qos::ExactlyOnce, 9) };
    second.send(sleeper, Packet::Publish(again));
    // The same ids as before, and for the new one an id that the client cannot know.
    let first_free = 7 * 4096 + 1;
    let wanted = ["Pubrec(9, Normal)", "Pubrel(2)", "t sent q2 #3 dup"].map(str::to_owned);
    let pulled = second.pull(sleeper);
    assert_eq!(pulled[..3], wanted);
    assert_eq!(pulled[3..], [format!("t waits q2 #{first_free}")]);
    assert_eq!(second.pull(mine), [] as [&str; 0], "a repetition is not a new message");
}
