use crate::kit::{Client, start};

#[test]
fn a_kept_session_gets_what_it_missed_and_a_clean_one_does_not() {
    let broker = start();
    let options = broker.v4("kept").keep();
    let (mut client, present) = options.open();
    assert!(!present);
    client.subscribe("m/#", 1);
    client.subscribe("exact", 1);
    client.disconnect();
    let mut writer = broker.v4("writer").connect();
    writer.publish_acked("m/1", "one");
    writer.publish("exact", "gone", 0);
    writer.publish_acked("m/2", "two");
    let (mut client, present) = options.open();
    assert!(present);
    for expected in ["one", "two"] {
        let got = client.got();
        assert_eq!((got.payload.as_str(), got.dup), (expected, false));
        client.ack(&got);
    }
    client.ping();
    client.disconnect();
    let mut clean = broker.v4("kept");
    clean.clean = true;
    assert!(!clean.open().1);
    writer.publish_acked("m/1", "three");
    let (mut client, present) = options.open();
    assert!(!present, "the clean session in between ended the old one");
    client.ping();
}

#[test]
fn what_was_not_acknowledged_comes_again_with_dup_before_anything_newer() {
    let broker = start();
    let options = broker.v5("reader").keep();
    let mut reader = options.connect();
    reader.subscribe("d", 2);
    let mut writer = broker.v4("writer").connect();
    writer.publish_acked("d", "one");
    let first = reader.got();
    writer.publish("d", "two", 4);
    writer.expect(0x50);
    let second = reader.got();
    drop(reader);
    writer.publish_acked("d", "three");
    let mut reader = options.connect();
    for (old, qos) in [(first, 1), (second, 2)] {
        let again = reader.got();
        assert_eq!(
            (again.payload, again.pid, again.dup, again.qos),
            (old.payload, old.pid, true, qos)
        );
        if qos == 2 {
            reader.pid_packet(0x50, again.pid);
        } else {
            reader.pid_packet(0x40, again.pid);
        }
    }
    assert_eq!(reader.got().payload, "three");
    reader.expect(0x62);
    drop(reader);
    let mut reader = options.connect();
    let (mut pubrel, mut publish) = (false, false);
    for _ in 0..2 {
        match reader.packet().0 {
            0x62 => pubrel = true,
            kind => publish = kind >> 4 == 3,
        }
    }
    assert!(pubrel && publish, "the PUBREL and the third message come again");
}

#[test]
fn a_taken_over_connection_is_told_and_the_session_goes_on() {
    let broker = start();
    let options = broker.v5("one").keep();
    let mut old = options.connect();
    old.subscribe("t", 1);
    let (mut new, present) = options.open();
    assert!(present);
    assert_eq!(old.end(), Some(0x8E));
    new.publish("t", "m", 0);
    assert_eq!(new.got().payload, "m");
}

#[test]
fn keepalive_zero_is_no_keepalive_and_any_id_is_fine() {
    let broker = start();
    for id in ["dev/1", "a+b#$", "", "ü"] {
        let mut client = broker.v4(id).alive(0).connect();
        client.ping();
    }
}

#[test]
fn a_short_session_ends_when_its_time_is_over() {
    let broker = start();
    let mut options = broker.v5("short").keep();
    options.expiry = Some(1);
    options.will = Some(("gone".to_owned(), "w".to_owned(), 0, false));
    options.will_delay = Some(60);
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("gone", 0);
    drop(options.connect());
    assert_eq!(watcher.got().payload, "w", "the will comes no later than the session's end");
    assert!(!options.open().1);
}

#[test]
fn a_client_that_asks_for_ever_is_told_how_long_its_session_lasts() {
    let broker = start();
    let mut options = broker.v5("sleeper").keep();
    for (asked, told) in [(u32::MAX, true), (60, false)] {
        options.expiry = Some(asked);
        let mut client = Client::raw(broker.addr, true);
        client.send(&options.packet());
        let connack = client.expect(0x20);
        let property = [&[0x11][..], &(90_u32 * 24 * 3600).to_be_bytes()].concat();
        assert_eq!(connack.windows(5).any(|five| five == property), told, "{connack:?}");
    }
}
