use std::time::{Duration, Instant};

use broker::{BindError, Broker};

use crate::kit::{Client, packet, settings, start, start_with};

#[test]
fn filters_and_topics_that_are_not_taken_are_answered() {
    let broker = start();
    let mut client = broker.v5("c").connect();
    let long = "a".repeat(4097);
    for filter in [&*long, "$share/g/$share/g/t", &format!("$share/g/{long}")] {
        assert_eq!(client.subscribe_only(filter, 0), 0x8F, "{filter}");
    }
    client.publish("a/#", "m", 0);
    assert_eq!(client.end(), Some(0x90));
    let mut old = broker.v4("old").connect();
    for filter in [&*long, "$share/g", "$share//t"] {
        assert_eq!(old.subscribe_only(filter, 0), 0x80, "{filter}");
    }
    old.ping();
}

#[test]
fn broken_packets_end_only_their_own_connection() {
    let broker = start();
    let mut witness = broker.v4("witness").connect();
    let broken: [&[u8]; 9] = [
        &[0x00, 0x00],
        &[0x20, 2, 0, 0],
        &[0xB0, 3, 0, 1, 0],
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x36, 5, 0, 1, b'a', 0, 1],
        &[0x32, 5, 0, 1, b'a', 0, 0],
        &[0x82, 2, 0, 1],
        &[0x30, 4, 0, 2, 0xC3, 0x28],
        &packet(0x10, b"\0\x04MQTT\x04\x02\0\0\0\x01a"),
    ];
    for bytes in broken {
        for v5 in [false, true] {
            let options = if v5 { broker.v5("bad") } else { broker.v4("bad") };
            let mut client = options.connect();
            client.send(bytes);
            let reason = client.end();
            assert_eq!(reason.is_some(), v5, "{bytes:?}: {reason:?}");
        }
    }
    witness.ping();
}

#[test]
fn a_stranger_may_send_no_more_than_a_connect_needs() {
    // So long that it is not what ends the connection.
    let mut settings = settings();
    settings.limits.connect_timeout = Duration::from_secs(600);
    let broker = start_with(settings);
    let mut will = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0x06, 0, 60, 0, 1, b'w', 0, 1, b't'];
    will.extend(u16::MAX.to_be_bytes());
    will.extend([b'x'; u16::MAX as usize]);
    let mut client = Client::raw(broker.addr, false);
    client.send(&packet(0x10, &will));
    client.expect(0x20);
    // 200,000 bytes are announced, and it is told at once that they are too many.
    let mut greedy = Client::raw(broker.addr, false);
    greedy.send(&[0x10, 0xC0, 0x9A, 0x0C]);
    assert!(greedy.try_packet().is_none());
}

#[test]
fn random_bytes_do_no_harm() {
    let broker = start();
    let mut witness = broker.v4("witness").connect();
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut valid = Client::raw(broker.addr, true);
    let (_, mut template) =
        valid.publish_bytes("fuzz/1", "payload", 2, &[0x26, 0, 1, b'k', 0, 1, b'v']);
    template.extend(packet(0x82, b"\0\x01\0\0\x03a/#\x01"));
    for round in 0..500 {
        let connected = round % 2 == 0;
        let mut client =
            if connected { broker.v5("fuzz").connect() } else { Client::raw(broker.addr, true) };
        let mut bytes = template.clone();
        for _ in 0..1 + random() % 4 {
            let at = (random() % bytes.len() as u64) as usize;
            bytes[at] = random() as u8;
        }
        client.send(&bytes);
    }
    witness.publish_acked("alive", "yes");
}

#[test]
fn too_large_a_packet_and_a_missing_connect_end_the_connection() {
    let mut settings = settings();
    settings.limits.packet_bytes = 1000;
    settings.limits.connect_timeout = Duration::from_millis(50);
    let broker = start_with(settings);
    let mut client = broker.v5("large").connect();
    client.send(&[0x30, 0xFF, 0x7F]);
    assert_eq!(client.end(), Some(0x95));
    assert_eq!(Client::raw(broker.addr, false).end(), None, "no CONNECT");
    let mut old = Client::raw(broker.addr, false);
    old.send(&packet(0x10, b"\0\x06MQIsdp\x03\x02\0\0\0\x01a"));
    assert_eq!(old.expect(0x20), [0, 1], "unacceptable protocol version");
}

#[test]
fn a_write_stands_still_from_its_own_beginning_on() {
    let mut settings = settings();
    settings.limits.write_timeout = Duration::from_millis(1);
    let broker = start_with(settings);
    let mut reader = broker.v5("reader").connect();
    reader.subscribe("t", 0);
    let mut writer = broker.v5("writer").connect();
    for _ in 0..50 {
        // The reader is sent nothing for longer than a write may take.
        let quiet = Instant::now();
        while quiet.elapsed() < Duration::from_millis(2) {
            writer.ping();
        }
        writer.publish("t", "m", 0);
        assert_eq!(reader.got().payload, "m");
    }
}

#[test]
fn a_taken_port_is_named() {
    let broker = start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut settings = settings();
    settings.bind = broker.addr.to_string();
    let error = runtime.block_on(Broker::bind(settings.clone())).unwrap_err();
    assert!(matches!(error, BindError::Taken { .. }));
    assert!(error.to_string().contains(&settings.bind), "{error}");
    settings.bind = "nonsense".to_owned();
    assert!(matches!(
        runtime.block_on(Broker::bind(settings)).unwrap_err(),
        BindError::Address { .. }
    ));
}

#[test]
fn stopping_says_goodbye_and_publishes_no_wills() {
    let mut broker = start();
    let mut watcher = broker.v5("watcher").connect();
    watcher.subscribe("will", 0);
    let mut client = broker.v5("client").will("will", "dead").connect();
    broker.stop().unwrap();
    assert_eq!(client.end(), Some(0x8B));
    assert_eq!(watcher.packet().0, 0xE0, "the goodbye and nothing before it");
}
