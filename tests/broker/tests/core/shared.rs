use super::*;

const ONCE: Qos = Qos::AtLeastOnce;
const EXACTLY: Qos = Qos::ExactlyOnce;

impl Bench {
    fn member(&mut self, connect: Connect, path: &str, qos: Qos) -> ConnId {
        let (conn, _) = self.open(connect);
        self.subscribe_as(conn, filter(path, qos));
        let suback = self.pull(conn);
        assert_eq!(suback[0], format!("Suback(1, [{}])", qos as u8));
        assert_eq!(suback.len(), 1, "nothing of what is retained");
        conn
    }

    fn tell(&mut self, writer: ConnId, payloads: &[&'static str], qos: Qos) {
        for (at, payload) in payloads.iter().enumerate() {
            let pid = if qos == Qos::AtMostOnce { 0 } else { at as u16 + 1 };
            self.send(writer, Packet::Publish(publish("a/b", payload, qos, pid)));
            if qos == EXACTLY {
                self.send(writer, Packet::Pubrel(pid));
            }
        }
        self.pull(writer);
    }

    /// Payloads only.
    fn heard(&mut self, conn: ConnId) -> String {
        let lines = self.pull(conn);
        let words = lines.iter().filter_map(|line| line.strip_prefix("a/b ")?.split(' ').next());
        words.collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn one_member_of_every_group_gets_a_message_and_they_take_turns() {
    for path in ["$share/g/a/b", "$share/g/a/+"] {
        let mut bench = bench(|_| {});
        let old = Connect { version: Version::V311, ..connect("old") };
        let members = [old, connect("new")].map(|connect| bench.member(connect, path, ONCE));
        let other = bench.member(connect("other"), &path.replace('g', "h"), ONCE);
        let plain = bench.open(connect("plain")).0;
        bench.subscribe(plain, "a/b");
        let writer = bench.open(connect("writer")).0;
        bench.tell(writer, &["1", "2", "3", "4"], ONCE);
        let heard = members.map(|conn| bench.heard(conn));
        assert_eq!(heard, ["1 3", "2 4"], "{path}");
        assert_eq!([bench.heard(other), bench.heard(plain)], ["1 2 3 4", "1 2 3 4"]);
    }
}

#[test]
fn whoever_has_least_to_do_is_next_and_a_sleeper_only_if_nobody_is_awake() {
    let mut bench = bench(|_| {});
    let path = "$share/g/a/b";
    let sleeper = bench.member(kept("sleeper", 60), path, ONCE);
    bench.core.closed(bench.now, sleeper, Ended::Lost);
    let writer = bench.open(connect("writer")).0;
    bench.tell(writer, &["0"], Qos::AtMostOnce);
    bench.tell(writer, &["1"], ONCE);
    let slow = bench.member(Connect { receive_maximum: 1, ..connect("slow") }, path, ONCE);
    let quick = bench.member(connect("quick"), path, ONCE);
    bench.tell(writer, &["2", "3", "4", "5"], ONCE);
    assert_eq!([bench.heard(slow), bench.heard(quick)], ["2", "3 4 5"]);
    let sleeper = bench.open(kept("sleeper", 60)).0;
    assert_eq!(bench.heard(sleeper), "1");
}

#[test]
fn what_an_ended_session_did_not_acknowledge_goes_to_another() {
    let mut bench = bench(|_| {});
    let path = "$share/g/a/b";
    let first = bench.member(Connect { receive_maximum: 2, ..connect("first") }, path, EXACTLY);
    let writer = bench.open(connect("writer")).0;
    bench.tell(writer, &["1"], ONCE);
    bench.tell(writer, &["2", "3"], EXACTLY);
    assert_eq!(bench.heard(first), "1 2");
    let second = bench.member(connect("second"), path, EXACTLY);
    bench.core.closed(bench.now, first, Ended::Lost);
    // 2 was under way at QoS 2: nobody else may have it. 3 was never sent.
    assert_eq!(bench.heard(second), "1 3");
}

#[test]
fn a_sleeping_session_keeps_what_it_was_sent_and_no_more() {
    let mut bench = bench(|_| {});
    let path = "$share/g/a/+";
    let client = Connect { receive_maximum: 1, ..kept("first", 60) };
    let first = bench.member(client.clone(), path, ONCE);
    let writer = bench.open(connect("writer")).0;
    bench.tell(writer, &["1", "2"], ONCE);
    assert_eq!(bench.heard(first), "1");
    let second = bench.member(connect("second"), path, ONCE);
    bench.core.closed(bench.now, first, Ended::Lost);
    assert_eq!(bench.heard(second), "2");
    let (first, present) = bench.open(client);
    assert!(present);
    assert_eq!(bench.pull(first), ["a/b 1 q1 #1 dup"]);
}

#[test]
fn a_group_ends_with_its_last_member() {
    let mut bench = bench(|_| {});
    let path = "$share/g/a/b";
    let member = bench.member(connect("c"), path, ONCE);
    bench.send(member, Packet::Unsubscribe { pid: 2, filters: vec![path.into(), path.into()] });
    assert_eq!(bench.pull(member), ["Unsuback(2, [0, 17])"]);
    let writer = bench.open(connect("writer")).0;
    bench.tell(writer, &["1"], ONCE);
    assert_eq!(bench.heard(member), "");
    assert_eq!(inside(&bench.core).exact_subscribers(), 0);
    bench.core.closed(START, member, Ended::Lost);
    bench.core.closed(START, writer, Ended::Lost);
    assert!(inside(&bench.core).is_empty());
}

#[test]
fn names_without_sense_are_refused_and_no_local_is_an_error() {
    let mut bench = bench(|_| {});
    let (conn, _) = bench.open(connect("c"));
    for path in ["$share/", "$share/g", "$share//a", "$share/g/", "$share/+/a", "$share/g/a#"] {
        bench.subscribe(conn, path);
        assert_eq!(bench.pull(conn), ["Suback(1, [143])"], "{path}");
    }
    let filter = Filter { no_local: true, ..filter("$share/g/a", ONCE) };
    let subscribe = Packet::Subscribe { pid: 1, id: None, filters: vec![filter] };
    assert!(matches!(bench.core.receive(START, conn, subscribe), Err(Reason::Protocol)));
}
