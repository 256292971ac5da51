use crate::kit::start;

#[test]
fn a_request_reaches_an_old_responder_and_both_stay_alive() {
    let broker = start();
    let mut responder = broker.v4("responder").connect();
    responder.subscribe("req/x", 1);
    let mut rr = broker.mosquitto(
        "mosquitto_rr",
        &["-V", "mqttv5", "-q", "1", "-t", "req/x", "-e", "rep/1", "-m", "ask", "-W", "15"],
    );
    let got = responder.got();
    assert_eq!(got.payload, "ask");
    responder.ack(&got);
    responder.publish("rep/1", "answer", 0);
    assert_eq!(rr.line(), "answer");
    assert!(rr.finish());
    responder.ping();
}

#[test]
fn the_same_id_twice_and_with_a_slash_is_no_trouble() {
    let broker = start();
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("up/#", 0);
    for round in 0..2 {
        let topic = format!("up/{round}");
        let mut sub = broker.mosquitto(
            "mosquitto_sub",
            &[
                "-i",
                "dev/1",
                "-t",
                "x",
                "-t",
                &topic,
                "-W",
                "15",
                "--will-topic",
                &topic,
                "--will-payload",
                "gone",
            ],
        );
        let mut writer = broker.v4("writer").connect();
        // Heard means subscribed.
        loop {
            writer.publish("x", "hello", 1);
            writer.ping();
            if sub.line() == "hello" {
                break;
            }
        }
        sub.signal("-KILL");
        assert_eq!(watcher.got().payload, "gone", "round {round}");
    }
}

#[test]
fn a_stopped_process_that_receives_traffic_is_declared_dead() {
    let broker = start();
    let mut watcher = broker.v4("watcher").connect();
    watcher.subscribe("dead", 0);
    let args =
        ["-i", "stopped", "-k", "5", "-t", "x", "--will-topic", "dead", "--will-payload", "yes"];
    let mut sub = broker.mosquitto("mosquitto_sub", &args);
    let mut writer = broker.v4("writer").connect();
    writer.publish("x", "hello", 1);
    assert_eq!(sub.line(), "hello");
    sub.signal("-STOP");
    watcher.until_it_hears(|| writer.publish("x", "more", 0));
    assert_eq!(watcher.got().payload, "yes");
}

#[test]
fn mosquitto_pub_and_sub_understand_each_other_at_every_qos_and_version() {
    let broker = start();
    for version in ["mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            let topic = format!("p/{version}/{qos}");
            let mut publish = broker.mosquitto(
                "mosquitto_pub",
                &["-V", version, "-q", qos, "-r", "-t", &topic, "-m", "m"],
            );
            assert!(publish.finish());
            let mut subscribe = broker.mosquitto(
                "mosquitto_sub",
                &["-V", version, "-q", qos, "-t", &topic, "-C", "1", "-F", "%p %q %r", "-W", "15"],
            );
            assert_eq!(subscribe.line(), format!("m {qos} 1"));
            assert!(subscribe.finish());
        }
    }
}
