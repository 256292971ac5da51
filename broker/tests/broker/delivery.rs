use crate::kit::{packet, settings, start, start_with};

#[test]
fn both_versions_share_a_port_and_properties_do_not_hurt_the_old_one() {
    let broker = start();
    let mut old = broker.v4("old").connect();
    let mut new = broker.v5("new").connect();
    old.subscribe("t/+", 1);
    new.subscribe("t/+", 1);
    let user = [&[0x26, 0, 1, b'k', 0, 1, b'v'][..], &[0x08, 0, 1, b'r']].concat();
    let (_, bytes) = new.publish_bytes("t/1", "hi", 2, &user);
    new.send(&bytes);
    assert_eq!(old.got().payload, "hi");
    new.expect(0x40);
    let got = new.got();
    assert_eq!(got.user("k").as_deref(), Some("v"));
    assert!(got.properties.windows(4).any(|w| w == [0x08, 0, 1, b'r']), "response topic");
    old.ping();
}

#[test]
fn qos_is_the_lower_of_both() {
    let broker = start();
    let mut client = broker.v4("c").connect();
    client.subscribe("a", 1);
    client.subscribe("b/#", 2);
    for (topic, flags, expected) in [("a", 0, 0), ("a", 4, 1), ("b/x", 2, 1), ("b/x", 4, 2)] {
        let mut other = broker.v4("p").connect();
        other.publish(topic, "m", flags);
        assert_eq!(client.got().qos, expected, "{topic} {flags}");
    }
}

#[test]
fn overlapping_subscriptions_give_one_copy_with_the_highest_qos() {
    let broker = start();
    let mut client = broker.v4("c").connect();
    client.subscribe("o/+", 0);
    client.subscribe("o/1", 1);
    client.subscribe("#", 2);
    client.publish("o/1", "m", 4);
    client.expect(0x50);
    let got = client.got();
    assert_eq!((got.payload.as_str(), got.qos), ("m", 2));
    client.publish("o/2", "end", 0);
    assert_eq!(client.got().payload, "end");
}

#[test]
fn dollar_topics_do_not_match_leading_wildcards_and_any_script_is_welcome() {
    let broker = start();
    let mut client = broker.v4("c").connect();
    client.subscribe("#", 0);
    client.subscribe("+/x", 0);
    client.publish("$own/x", "no", 0);
    client.publish("été/1", "yes", 0);
    let got = client.got();
    assert_eq!((got.topic.as_str(), got.payload.as_str()), ("été/1", "yes"));
}

#[test]
fn order_is_kept_through_wildcards_and_exact_topics() {
    let broker = start();
    let mut wild = broker.v4("wild").connect();
    wild.subscribe("s/#", 1);
    let mut exact = broker.v4("exact").connect();
    exact.subscribe("s/1", 0);
    let mut writer = broker.v4("writer").connect();
    let mut bytes = Vec::new();
    for n in 0..20_000 {
        bytes.extend(writer.publish_bytes("s/1", &n.to_string(), 0, &[]).1);
    }
    let sending = std::thread::spawn(move || writer.send(&bytes));
    for n in 0..20_000 {
        assert_eq!(exact.got().payload, n.to_string());
        assert_eq!(wild.got().payload, n.to_string());
    }
    sending.join().unwrap();
}

#[test]
fn a_qos_2_message_arrives_once_however_often_it_is_sent() {
    let broker = start();
    let mut reader = broker.v4("reader").connect();
    reader.subscribe("q", 2);
    let options = broker.v4("writer").keep();
    let mut writer = options.connect();
    let (pid, bytes) = writer.publish_bytes("q", "once", 4, &[]);
    writer.send(&bytes);
    writer.expect(0x50);
    drop(writer);
    let mut writer = options.connect();
    let mut again = bytes.clone();
    again[0] |= 8;
    writer.send(&again);
    writer.expect(0x50);
    writer.pid_packet(0x62, pid);
    writer.expect(0x70);
    writer.publish("q", "next", 0);
    let got = reader.got();
    assert_eq!((got.payload.as_str(), got.qos), ("once", 2));
    assert_eq!(reader.got().payload, "next");
}

#[test]
fn a_subscriber_that_stops_reading_loses_qos_0_only_and_hinders_nobody() {
    let mut settings = settings();
    settings.limits.queue_messages = 100;
    let broker = start_with(settings);
    let mut slow = broker.v5("slow").connect();
    slow.subscribe("flood", 0);
    let mut fast = broker.v4("fast").connect();
    fast.subscribe("flood", 0);
    let mut writer = broker.v4("writer").connect();
    let large = "x".repeat(100_000);
    for n in 0..400 {
        writer.publish("flood", &format!("{n:04}{large}"), 0);
        assert_eq!(fast.got().payload[..4], format!("{n:04}"));
    }
    let (done, seen) = std::sync::mpsc::channel::<()>();
    let ending = std::thread::spawn(move || {
        while seen
            .recv_timeout(std::time::Duration::from_millis(20))
            .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            writer.publish("flood", "end", 0);
        }
    });
    let mut received = 0;
    while slow.got().payload != "end" {
        received += 1;
    }
    drop(done);
    ending.join().unwrap();
    assert!(received > 100, "what was queued and in the socket: {received}");
    assert!(received < 400, "the rest was dropped: {received}");
}

#[test]
fn a_subscriber_that_cannot_keep_a_promise_of_qos_1_is_told_so() {
    let mut settings = settings();
    settings.limits.queue_messages = 10;
    let broker = start_with(settings);
    let mut slow = broker.v5("slow").connect();
    slow.subscribe("flood/#", 1);
    let mut writer = broker.v4("writer").connect();
    let large = "x".repeat(500_000);
    for _ in 0..100 {
        writer.publish_acked("flood/1", &large);
    }
    assert_eq!(slow.end(), Some(0x97));
}

#[test]
fn receive_maximum_of_a_client_is_respected() {
    let broker = start();
    let mut options = broker.v5("reader");
    options.receive_maximum = Some(2);
    let mut reader = options.connect();
    reader.subscribe("w", 1);
    let mut writer = broker.v4("writer").connect();
    for n in 0..4 {
        writer.publish_acked("w", &n.to_string());
    }
    let first = reader.got();
    reader.got();
    reader.ping();
    reader.ack(&first);
    assert_eq!(reader.got().payload, "2");
    reader.ping();
}

#[test]
fn a_message_expires_while_nobody_is_there() {
    let broker = start();
    let options = broker.v5("reader").keep();
    let mut reader = options.connect();
    reader.subscribe("e", 1);
    reader.disconnect();
    let mut writer = broker.v5("writer").connect();
    for (payload, seconds) in [("short", 1u32), ("long", 600)] {
        let expiry = [&[2][..], &seconds.to_be_bytes()].concat();
        let (_, bytes) = writer.publish_bytes("e", payload, 2, &expiry);
        writer.send(&bytes);
        writer.expect(0x40);
    }
    // A session of one second that begins its time later has ended: then the shorter message is too old as well.
    let mut clock = broker.v5("clock").keep().will("clock", "struck");
    (clock.expiry, clock.will_delay) = (Some(1), Some(600));
    let mut watcher = broker.v5("watcher").connect();
    watcher.subscribe("clock", 0);
    drop(clock.connect());
    assert_eq!(watcher.got().payload, "struck");
    let mut reader = options.connect();
    let got = reader.got();
    assert_eq!(got.payload, "long");
    let left = u32::from_be_bytes(got.properties[1..5].try_into().unwrap());
    assert!((1..600).contains(&left), "seconds left: {left}");
}

#[test]
fn unsubscribe_is_answered_for_every_filter() {
    let broker = start();
    let mut client = broker.v5("c").connect();
    client.subscribe("u", 0);
    client.send(&packet(0xA2, &[0, 9, 0, 0, 1, b'u', 0, 1, b'v']));
    assert_eq!(client.expect(0xB0), [0, 9, 0, 0, 0x11]);
    client.publish("u", "m", 0);
    client.ping();
}
