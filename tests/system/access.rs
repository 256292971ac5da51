//! A home with users, and somebody in it who has one device's password and wants more.

use std::process::Output;

use crate::kit::{Home, Talker, text};

/// The device whose password was stolen.
const INTRUDER: &str = "kitchen/lamp";

/// What only others may publish.
const FORBIDDEN: [&str; 11] = [
    "home/hall/door/report",
    "home/hall/door/status",
    "home/hall/door/set",
    "home/kitchen/lamp/state",
    "home/kitchen/lamp/command",
    "home/cellar/trap/report",
    "hearth/home/api/voters",
    "hearth/home/paxos/1/request",
    "hearth/home/paxos/2/response",
    "hearth/home/gateway/1/status",
    "hearth/home/broker/waiting",
];

/// What only others may subscribe to.
const SECRET: [&str; 7] = [
    "#",
    "home/#",
    "home/hall/door/command",
    "home/+/lamp/command",
    "hearth/home/paxos/#",
    "hearth/home/gateway/+/status",
    "$SYS/#",
];

/// Client ids that only gateways may have.
const GATEWAYS: [&str; 3] =
    ["hearth-home-gateway-1-own", "hearth-home-zone-hall", "hearth-home-site"];

fn guarded() -> Home {
    let users = [(INTRUDER, "device"), ("hall/door", "device"), ("eve", "person")];
    let home = Home::guarded(&["--door-closes-after", "0"], &users);
    for device in [INTRUDER, "hall/door"] {
        let report = ["-q", "1", "-t", &format!("home/{device}/report"), "-m", "1"];
        assert!(pub_as(&home, device, &report).status.success());
    }
    home
}

fn pub_as(home: &Home, user: &str, arguments: &[&str]) -> Output {
    home.mosquitto_as("pub", user).args(arguments).output().unwrap()
}

fn sub_as(home: &Home, user: &str, arguments: &[&str]) -> Output {
    // Who gets in where he must not would stay for ever.
    home.mosquitto_as("sub", user).args(arguments).args(["-W", "20"]).output().unwrap()
}

#[test]
fn a_stolen_device_is_that_device_and_nothing_else() {
    let home = guarded();
    let alive = |home: &Home| [1, 2, 3].map(|id| home.member(id).unwrap()["incarnation"].clone());
    let (zones, before) = (home.ask("hearth/home/api/zones", ""), alive(&home));
    let mut watcher = home.listen(&["home/#", "hearth/home/gateway/+/status"]);
    for topic in FORBIDDEN {
        for qos in ["1", "2"] {
            let publish = ["-q", qos, "-t", topic, "-m", "intruder", "-r", "-d"];
            let told = pub_as(&home, INTRUDER, &[&publish[..], &["-V", "5"]].concat());
            // What PUBREC says mosquitto_pub tells in words only.
            let code = qos == "2" || text(&told.stdout).contains("PUBACK (Mid: 1, RC:135)");
            assert!(code, "{topic}: {told:?}");
            assert!(text(&told.stderr).contains("Not authorized"), "{topic}: {told:?}");
            let told = pub_as(&home, INTRUDER, &[&publish[..], &["-V", "311"]].concat());
            assert!(text(&told.stderr).contains("connection was lost"), "{topic}: {told:?}");
        }
        // Nobody is told of these, and nobody hears them.
        assert!(pub_as(&home, INTRUDER, &["-t", topic, "-m", "intruder"]).status.success());
    }
    for filter in SECRET {
        for (version, code) in [("5", "135"), ("311", "128")] {
            let told = sub_as(&home, INTRUDER, &["-t", filter, "-d", "-V", version]);
            let said = text(&told.stdout);
            assert!(said.contains(&format!("): {code}")), "{filter}: {said}");
        }
    }
    for id in GATEWAYS {
        for (version, code) in [("5", 0x87), ("311", 5)] {
            let told = sub_as(&home, INTRUDER, &["-i", id, "-t", "x", "-V", version]);
            assert_eq!(told.status.code(), Some(code), "{id}: {told:?}");
        }
    }
    // All the while the home went on: the same gateways, the same owners, and not a word of the intruder's.
    let report = ["-q", "1", "-t", "home/hall/door/report", "-m", "0"];
    assert!(pub_as(&home, "hall/door", &report).status.success());
    watcher.next_where("hall/door/state", |state| {
        assert!(!state.contains("intruder"), "{state}");
        state.contains("\"state\":\"0\"")
    });
    let heard = watcher.received();
    assert!(!heard.iter().any(|(_, payload)| payload.contains("intruder")), "{heard:?}");
    assert_eq!(home.answer("home/kitchen/lamp/get", "")["state"], "1");
    assert_eq!((home.ask("hearth/home/api/zones", ""), alive(&home)), (zones, before));
}

#[test]
fn an_answer_goes_only_where_its_asker_may_publish() {
    let home = guarded();
    let mut answers = home.listen(&["+/+/+/+/response", "hearth/reply/ada", "reply/eve"]);
    for (topic, rest) in [
        ("home/hall/door/get", ""),
        ("home/hall/door/set", r#","state":"ON""#),
        ("hearth/home/api/devices", ""),
    ] {
        let ask = |reply_to: &str| {
            let payload = format!(r#"{{"id":"forged","reply_to":"{reply_to}"{rest}}}"#);
            let asked = ["-q", "1", "-t", topic, "-m", &payload, "-i", "eve", "-V", "311"];
            assert!(pub_as(&home, "eve", &asked).status.success());
        };
        ask("hearth/reply/ada");
        let (at, answer) = answers.next("response");
        assert!(
            at == format!("{topic}/response") && answer.contains("may not publish"),
            "{answer}"
        );
        for hers in ["reply/eve", "hearth/reply/eve"] {
            ask(hers);
        }
        let (_, answer) = answers.next("reply/eve");
        assert!(answer.contains(r#""status":"ok""#), "{answer}");
    }
    let heard = answers.received();
    assert!(!heard.iter().any(|(topic, _)| topic == "hearth/reply/ada"), "{heard:?}");
}

#[test]
fn nobody_comes_in_without_the_right_password() {
    let home = guarded();
    for (version, nobody, wrong) in [("5", 0x87, 0x86), ("311", 5, 4)] {
        let version = ["-V", version, "-t", "x", "-m", "x"];
        let mut stranger = home.stranger("pub");
        assert_eq!(stranger.args(version).status().unwrap().code(), Some(nobody));
        let mut guess = home.stranger("pub");
        guess.args(version).args(["-u", INTRUDER, "-P", "secret"]);
        assert_eq!(guess.status().unwrap().code(), Some(wrong));
    }
}

#[test]
fn a_reload_cuts_the_intruder_off_and_lets_others_in() {
    let home = guarded();
    let mut command = home.mosquitto_as("sub", INTRUDER);
    command.args(["-d", "-i", "thief", "-t", "home/kitchen/lamp/command", "-V", "5"]);
    let mut thief = Talker::start(&command);
    thief.until("received SUBACK");
    let person = ["-t", "home/kitchen/lamp/get", "-m", "", "-q", "1", "-V", "5"];
    let in_vain = |home: &Home, user: &str| pub_as(home, user, &person).status.code();
    assert_eq!(in_vain(&home, "mia"), Some(0x86), "she is not known yet");
    home.user(&["remove", INTRUDER]);
    home.add_user("mia", "person");
    assert_eq!(in_vain(&home, "mia"), Some(0x86), "nor before the broker was told");
    home.reload_broker();
    home.until("mia is known", |home| in_vain(home, "mia") == Some(0));
    // The thief is told why its connection ends, and does not come back.
    thief.until("DISCONNECT (135)");
    thief.end();
    let report = ["-q", "1", "-t", "home/kitchen/lamp/report", "-m", "0", "-V", "5"];
    assert_eq!(pub_as(&home, INTRUDER, &report).status.code(), Some(0x86));
    // The gateways never noticed.
    assert!([1, 2, 3].iter().all(|id| home.member(*id).unwrap()["alive"] == true));
    assert_eq!(home.answer("home/hall/door/get", "")["state"], "1");
}
