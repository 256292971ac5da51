use crate::kit::start;

#[test]
fn a_retained_value_is_set_replaced_and_cleared_only_by_a_retained_empty_payload() {
    let broker = start();
    let mut writer = broker.v4("writer").connect();
    for value in ["1", "2"] {
        writer.publish("r/a", value, 1);
    }
    writer.publish("r/a", "", 0);
    writer.ping();
    let mut reader = broker.v4("reader").connect();
    reader.subscribe("r/+", 0);
    let got = reader.got();
    assert_eq!((got.payload.as_str(), got.retain), ("2", true));
    writer.publish("r/a", "3", 1);
    let live = reader.got();
    assert_eq!((live.payload.as_str(), live.retain), ("3", false), "live delivery clears the flag");
    writer.publish("r/a", "", 1);
    assert_eq!(reader.got().payload, "");
    let mut late = broker.v4("late").connect();
    late.subscribe("r/a", 0);
    late.ping();
}

#[test]
fn all_of_ten_thousand_retained_values_reach_a_new_subscriber() {
    let broker = start();
    let mut writer = broker.v4("writer").connect();
    for n in 0..10_000 {
        writer.publish(&format!("many/{n:05}"), "x", 1);
    }
    writer.ping();
    let mut reader = broker.v4("reader").connect();
    reader.subscribe("#", 1);
    for n in 0..10_000 {
        let got = reader.got();
        assert_eq!((got.topic, got.retain), (format!("many/{n:05}"), true));
    }
    reader.ping();
}

#[test]
fn retain_handling_and_retain_as_published_are_obeyed() {
    let broker = start();
    let mut writer = broker.v5("writer").connect();
    writer.publish("r", "kept", 1);
    writer.ping();
    let mut reader = broker.v5("reader").connect();
    reader.subscribe("r", 0x20);
    reader.ping();
    reader.subscribe("+", 0x18);
    assert_eq!(reader.got().payload, "kept", "handling 1 sends to a new subscription");
    reader.subscribe("+", 0x18);
    reader.ping();
    writer.publish("r", "live", 1);
    let live = reader.got();
    assert_eq!((live.payload.as_str(), live.retain), ("live", true), "as published, and one copy");
    reader.ping();
}
