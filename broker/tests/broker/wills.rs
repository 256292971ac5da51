use crate::kit::start;

#[test]
fn a_reset_publishes_the_will_and_a_goodbye_does_not() {
    let broker = start();
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("will/+", 1);
    broker.v4("polite").will("will/polite", "dead").connect().disconnect();
    let mut asks = broker.v5("asks").will("will/asks", "dead").connect();
    asks.send(&[0xE0, 1, 4]);
    let got = watcher.got();
    assert_eq!((got.topic.as_str(), got.qos), ("will/asks", 1));
    drop(broker.v4("lost").will("will/lost", "dead").connect());
    assert_eq!(watcher.got().topic, "will/lost");
}

#[test]
fn a_silent_client_is_dead_even_while_it_is_sent_messages() {
    let broker = start();
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("will", 0);
    let mut silent = broker.v5("silent").alive(1).will("will", "dead").connect();
    silent.subscribe("news", 0);
    let mut writer = broker.v4("writer").connect();
    // Nothing but news goes to the silent client, all the time, until the watcher hears of its end.
    watcher.send(&[0xC0, 0]);
    watcher.expect(0xD0);
    watcher.until_it_hears(|| writer.publish("news", "n", 0));
    assert_eq!(watcher.got().payload, "dead");
    assert_eq!(silent.end(), Some(0x8D));
}

#[test]
fn a_client_that_stopped_reading_is_dead_too() {
    let broker = start();
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("will", 0);
    let mut stuck = broker.v4("stuck").alive(1).will("will", "dead").connect();
    stuck.subscribe("flood", 0);
    let mut writer = broker.v4("writer").connect();
    let large = "x".repeat(500_000);
    for _ in 0..40 {
        writer.publish("flood", &large, 0);
    }
    writer.ping();
    assert_eq!(watcher.got().payload, "dead");
}

#[test]
fn takeover_publishes_the_old_will_and_keeps_the_new_one() {
    let broker = start();
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("will", 0);
    for options in [broker.v5("clean"), broker.v5("kept").keep()] {
        let mut old = options.clone().will("will", "old").connect();
        let new = options.will("will", "new").connect();
        assert_eq!(watcher.got().payload, "old");
        assert_eq!(old.end(), Some(0x8E));
        drop(new);
        assert_eq!(watcher.got().payload, "new");
    }
}

#[test]
fn coming_back_within_the_delay_keeps_the_will_silent() {
    let broker = start();
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("will/#", 0);
    let mut options = broker.v5("back").keep().will("will/back", "dead");
    options.will_delay = Some(600);
    drop(options.connect());
    let (back, present) = options.open();
    assert!(present);
    drop(broker.v4("other").will("will/other", "dead").connect());
    assert_eq!(watcher.got().topic, "will/other");
    drop(back);
    let mut clean = options;
    clean.clean = true;
    let _clean = clean.connect();
    assert_eq!(
        watcher.got().topic,
        "will/back",
        "a clean start ends the session, so the will is due"
    );
}
