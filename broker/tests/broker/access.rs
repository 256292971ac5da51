//! Who may come in and do what, over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use broker::{Access, BindError, Broker, Settings, User, Users, hash_password};
use tempfile::TempDir;

use crate::kit::{Client, Options, Running, settings, start_with};

const NOT_AUTHORIZED: u8 = 0x87;
const BAD_CREDENTIALS: u8 = 0x86;
const CLIENT_ID: u8 = 0x85;

/// A broker with users, whose password is their name and `!`.
pub(crate) struct Guarded {
    pub(crate) broker: Running,
    folder: TempDir,
}

const EVERYONE: [(&str, &str); 7] = [
    ("ada", "person"),
    ("eve", "person"),
    ("boss", "admin"),
    ("gw-1", "gateway"),
    ("gw-2", "gateway"),
    ("hall/door", "device"),
    ("hall/lamp", "device"),
];

impl Guarded {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut users = Users::default();
        for (name, role) in EVERYONE {
            users.set(name, user(name, role)).unwrap();
        }
        fs::write(folder.path().join("users"), users.to_text()).unwrap();
        let access = Access { users: Some(folder.path().join("users")), ..Access::default() };
        let mut settings = Settings { access, durable_ack: false, ..settings() };
        change(&mut settings);
        Self { broker: start_with(settings), folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("users")
    }

    fn change(&self, change: impl FnOnce(&mut Users)) {
        Users::change(&self.file(), |users| {
            change(users);
            Ok(())
        })
        .unwrap();
        self.broker.reloader.reload().unwrap();
    }

    pub(crate) fn v5(&self, user: &str) -> Options {
        login(self.broker.v5(&user.replace('/', "-")), user)
    }

    pub(crate) fn v4(&self, user: &str) -> Options {
        login(self.broker.v4(&user.replace('/', "-")), user)
    }
}

fn user(name: &str, role: &str) -> User {
    let hash = hash_password(format!("{name}!").as_bytes()).unwrap();
    User { role: role.to_owned(), hash: Some(hash) }
}

fn login(options: Options, user: &str) -> Options {
    options.user(user, &format!("{user}!"))
}

/// Publishes at QoS 1 or 2 and gives the reason code of the answer.
pub(crate) fn publish(client: &mut Client, topic: &str, qos: u8, properties: &[u8]) -> u8 {
    let (pid, bytes) = client.publish_bytes(topic, "x", qos << 1, properties);
    client.send(&bytes);
    let body = client.expect(if qos == 1 { 0x40 } else { 0x50 });
    assert_eq!(body[..2], pid.to_be_bytes());
    body.get(2).copied().unwrap_or(0)
}

pub(crate) fn response_topic(topic: &str) -> Vec<u8> {
    let mut property = vec![0x08];
    crate::kit::text(&mut property, topic);
    property
}

#[test]
fn who_is_not_known_does_not_come_in_and_is_told_so() {
    let home = Guarded::start();
    let (v4, v5) = (home.broker.v4("x"), home.broker.v5("x"));
    for (name, password) in [("ada", "eve!"), ("nobody", "ada!"), ("ada", "")] {
        assert_eq!(v5.clone().user(name, password).refused(), BAD_CREDENTIALS, "{name}");
        assert_eq!(v4.clone().user(name, password).refused(), 4, "{name}");
    }
    assert_eq!((v5.refused(), v4.refused()), (NOT_AUTHORIZED, 5), "without a name");
    for options in [home.v5("ada"), home.v4("ada"), home.v5("ada")] {
        options.connect().ping();
    }
}

#[test]
fn a_refused_publish_is_answered_and_reaches_nobody() {
    let home = Guarded::start();
    let mut watcher = home.v5("boss").connect();
    watcher.subscribe("home/#", 0);
    let mut lamp = home.v5("hall/lamp").connect();
    for qos in [1, 2] {
        assert_eq!(publish(&mut lamp, "home/hall/door/report", qos, &[]), NOT_AUTHORIZED);
    }
    lamp.publish("home/hall/door/report", "qos 0", 0);
    lamp.publish("home/hall/door/report", "retained", 1);
    lamp.ping();
    let mut old = home.v4("hall/door").connect();
    old.publish("home/hall/lamp/report", "qos 0 is dropped", 0);
    old.ping();
    old.publish("home/hall/lamp/report", "an acknowledgement would be a lie", 2);
    assert_eq!(old.try_packet(), None, "the connection ends instead");
    assert_eq!(publish(&mut lamp, "home/hall/lamp/report", 1, &[]), 0);
    assert_eq!(watcher.got().topic, "home/hall/lamp/report", "nothing before it came through");
}

#[test]
fn a_refused_subscription_is_answered_and_brings_nothing() {
    let home = Guarded::start();
    let mut lamp = home.v5("hall/lamp").connect();
    let mut old = home.v4("hall/door").connect();
    for filter in ["#", "home/#", "home/hall/+/command", "hearth/home/paxos/#", "$SYS/#", "reply/x"]
    {
        assert_eq!(lamp.subscribe_only(filter, 0), NOT_AUTHORIZED, "{filter}");
        assert_eq!(old.subscribe_only(filter, 0), 0x80, "{filter}");
    }
    lamp.subscribe("home/hall/lamp/command", 0);
    old.subscribe("home/hall/door/command", 0);
    let mut gateway = home.v5("gw-1").connect();
    for device in ["door", "lamp"] {
        gateway.publish(&format!("home/hall/{device}/command"), device, 1);
    }
    assert_eq!((lamp.got().payload, old.got().payload), ("lamp".into(), "door".into()));
}

#[test]
fn what_is_denied_is_left_out_of_a_wider_subscription() {
    let home = Guarded::start();
    let mut gateway = home.v5("gw-1").connect();
    gateway.publish("hearth/home/paxos/1/request", "retained", 1);
    gateway.ping();
    let mut boss = home.v5("boss").connect();
    boss.subscribe("#", 0);
    for topic in ["hearth/home/paxos/2/request", "home/hall/lamp/state"] {
        gateway.publish(topic, "live", 0);
    }
    assert_eq!(boss.got().topic, "home/hall/lamp/state");
    assert_eq!(boss.subscribe_only("hearth/home/paxos/+/request", 0), NOT_AUTHORIZED);
}

#[test]
fn nobody_makes_a_gateway_answer_where_he_may_not_publish_himself() {
    let home = Guarded::start();
    let mut ada = home.v5("ada").connect();
    // She may read both, and a state that a gateway published there would be believed.
    for topic in ["home/hall/lamp/state", "hearth/home/gateway/1/status", "hearth/reply/eve"] {
        assert_eq!(
            publish(&mut ada, "home/hall/lamp/get", 1, &response_topic(topic)),
            NOT_AUTHORIZED
        );
    }
    for topic in ["reply/1", "hearth/reply/ada"] {
        assert_eq!(
            publish(&mut ada, "home/hall/lamp/get", 1, &response_topic(topic)),
            0,
            "{topic}"
        );
    }
}

#[test]
fn a_will_is_looked_at_when_it_is_made_and_when_it_is_published() {
    let home = Guarded::start();
    assert_eq!(
        home.v5("hall/lamp").will("home/hall/door/status", "offline").refused(),
        NOT_AUTHORIZED
    );
    assert_eq!(home.v4("hall/lamp").will("home/hall/door/status", "offline").refused(), 5);
    let mut watcher = home.v5("boss").connect();
    watcher.subscribe("#", 0);
    let lamp = home.v5("hall/lamp").will("home/hall/lamp/status", "offline").connect();
    drop(lamp);
    assert_eq!(watcher.got().topic, "home/hall/lamp/status");
    let mut ada = home.v5("ada").will("reply/last", "words").connect();
    home.change(|users| assert!(users.remove("ada")));
    assert_eq!(ada.end(), Some(NOT_AUTHORIZED));
    home.v5("hall/lamp").connect().publish_acked("home/hall/lamp/report", "after it");
    assert_eq!(watcher.got().payload, "after it", "who is gone has no last words");
}

#[test]
fn a_client_id_belongs_to_the_user_who_has_a_session_with_it() {
    let home = Guarded::start();
    let phone = |user: &str| login(home.broker.v5("phone"), user).keep();
    let mut ada = phone("ada").connect();
    assert_eq!(phone("eve").refused(), CLIENT_ID);
    let old = login(home.broker.v4("phone"), "eve");
    assert_eq!(old.refused(), 2, "MQTT 3.1.1 says identifier rejected");
    ada.ping();
    ada.disconnect();
    assert_eq!(phone("eve").refused(), CLIENT_ID, "also while it sleeps");
    assert!(phone("ada").open().1, "it is still there");
    // A zone goes from gateway to gateway.
    let zone = |user: &str| login(home.broker.v5("hearth-home-zone-hall"), user).keep();
    let mut first = zone("gw-1").connect();
    assert!(zone("gw-2").open().1);
    assert_eq!(first.end(), Some(0x8E), "taken over");
    for user in ["ada", "boss", "hall/lamp"] {
        assert_eq!(zone(user).refused(), NOT_AUTHORIZED, "{user}");
    }
}

#[test]
fn a_gateway_is_told_where_the_answer_to_a_request_may_go() {
    let home = Guarded::start();
    let mut gateway = login(home.broker.v5("hearth-home-site"), "gw-1").connect();
    let mut watcher = home.v5("boss").connect();
    for client in [&mut gateway, &mut watcher] {
        for filter in ["home/+/+/get", "hearth/home/api/+", "home/+/+/report"] {
            client.subscribe(filter, 0);
        }
    }
    let mut eve = home.v5("eve").connect();
    let mut forged = vec![0x26];
    crate::kit::text(&mut forged, "hearth-reply");
    crate::kit::text(&mut forged, "hearth/reply/ada");
    for topic in ["home/hall/lamp/get", "hearth/home/api/devices"] {
        assert_eq!(publish(&mut eve, topic, 1, &forged), 0);
        let got = gateway.got();
        assert_eq!((&*got.topic, got.user("hearth-reply").as_deref()), (topic, Some("reply/#")));
        let names = String::from_utf8_lossy(&got.properties).into_owned();
        assert!(names.contains("hearth/reply/eve") && !names.contains("hearth/reply/ada"));
        assert_eq!(watcher.got().user("hearth-reply"), None, "it concerns nobody else");
    }
    let mut lamp = home.v5("hall/lamp").connect();
    assert_eq!(publish(&mut lamp, "home/hall/lamp/report", 1, &[]), 0);
    assert_eq!(gateway.got().user("hearth-reply"), None, "a report has no answer elsewhere");
}

#[test]
fn a_client_called_after_its_user_finds_nobody_else_there() {
    let home = Guarded::start();
    let as_client = |client: &str, user: &str| login(home.broker.v5(client), user).keep();
    // Before there is a user of this name.
    let mut eve = as_client("tablet", "eve").connect();
    eve.subscribe("home/hall/lamp/state", 1);
    home.change(|users| users.set("tablet", user("tablet", "person")).unwrap());
    let (mut tablet, present) = as_client("tablet", "tablet").open();
    assert!(!present, "what waits for somebody else is not for it");
    assert_eq!(eve.end(), Some(0x8E), "taken over");
    assert_eq!(as_client("tablet", "eve").refused(), CLIENT_ID);
    assert_eq!(as_client("tablet:2", "boss").refused(), CLIENT_ID);
    tablet.ping();
    as_client("tablets", "eve").connect().ping();
    as_client("tablet:2", "tablet").connect().ping();
}

#[test]
fn a_session_that_outlives_the_broker_is_still_its_users() {
    let data = tempfile::tempdir().unwrap();
    let mut home = Guarded::with(|settings| settings.data_dir = Some(data.path().to_owned()));
    let phone =
        |home: &Guarded, user: &str| login(home.broker.v5(&format!("{user}-phone")), user).keep();
    for user in ["ada", "eve"] {
        let mut client = phone(&home, user).connect();
        client.subscribe("home/hall/lamp/state", 1);
        client.disconnect();
    }
    home.broker.stop().unwrap();
    let file = home.file();
    Users::change(&file, |users| Ok(users.remove("eve"))).unwrap();
    let access = Access { users: Some(file), ..Access::default() };
    let data_dir = Some(data.path().to_owned());
    home.broker = start_with(Settings { access, data_dir, durable_ack: false, ..settings() });
    let id = |client: &str, user: &str| login(home.broker.v5(client), user).keep();
    assert_eq!(id("ada-phone", "boss").refused(), CLIENT_ID);
    assert!(phone(&home, "ada").open().1, "hers is there");
    assert!(!id("eve-phone", "ada").open().1, "whose user is gone, is gone");
}

#[test]
fn a_flood_of_bad_logins_keeps_nobody_waiting() {
    // On a busy machine the last of them waits for longer than a login usually may.
    let home = Guarded::with(|settings| settings.limits.connect_timeout *= 10);
    let mut inside = home.v5("ada").connect();
    let flood: Vec<Client> = (0..20)
        .map(|n| {
            let mut client = Client::raw(home.broker.addr, true);
            client.send(&home.broker.v5(&format!("bad-{n}")).user("boss", &n.to_string()).packet());
            client
        })
        .collect();
    // 20 verifications take half a second. A ping and a login from elsewhere are answered before the last of them.
    inside.ping();
    let mut other = from([127, 0, 0, 2], home.broker.addr);
    other.send(&home.v5("eve").packet());
    assert_eq!(other.expect(0x20)[1], 0);
    let waiting = flood.iter().filter(|client| !client.has_more()).count();
    assert!(waiting > 0, "all bad logins were dealt with before a good one");
    for mut client in flood {
        assert_eq!(client.expect(0x20)[1], BAD_CREDENTIALS);
    }
}

/// A client with an address of its own.
fn from(address: [u8; 4], broker: SocketAddr) -> Client {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(socket.connect(broker)).unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    Client::on(stream, true)
}

#[test]
fn rules_are_loaded_anew_while_others_stay() {
    let home = Guarded::start();
    let mut eve = home.v5("eve").connect();
    eve.subscribe("home/+/+/state", 0);
    let mut ada = home.v5("ada").connect();
    ada.subscribe("home/+/+/state", 0);
    let (mut boss, mut lamp) = (home.v5("boss").connect(), home.v5("hall/lamp").connect());
    home.change(|users| {
        assert!(users.remove("eve"));
        users.set("ada", user("ada", "person")).unwrap();
        users.set("boss", user("boss", "person")).unwrap();
    });
    assert_eq!(eve.end(), Some(NOT_AUTHORIZED), "gone");
    assert_eq!(ada.end(), Some(NOT_AUTHORIZED), "with another password");
    assert_eq!(boss.end(), Some(NOT_AUTHORIZED), "with another role");
    assert_eq!(home.v5("eve").refused(), BAD_CREDENTIALS);
    let mut boss_again = home.v5("boss").connect();
    assert_eq!(publish(&mut boss_again, "zigbee2mqtt/x", 1, &[]), NOT_AUTHORIZED);
    lamp.publish_acked("home/hall/lamp/report", "still here");
}

#[test]
fn a_subscription_that_is_no_longer_allowed_ends_the_session_with_what_waits_in_it() {
    let roles =
        "role person\nread home/#\nrole admin\nboth #\nrole gateway\nboth #\nrole device\nboth #\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roles");
    fs::write(&file, roles).unwrap();
    let home = Guarded::with(|settings| settings.access.roles = Some(file.clone()));
    let mut ada = home.v5("ada").keep().connect();
    ada.subscribe("home/hall/door/state", 1);
    let mut eve = home.v5("eve").keep().connect();
    eve.subscribe("home/hall/lamp/state", 1);
    ada.disconnect();
    home.v5("gw-1").connect().publish_acked("home/hall/door/state", "secret");
    fs::write(&file, roles.replace("read home/#", "read home/hall/lamp/#")).unwrap();
    home.broker.reloader.reload().unwrap();
    let (mut ada, present) = home.v5("ada").keep().open();
    assert!(!present, "her session is over");
    assert_eq!(ada.subscribe_only("home/hall/door/state", 1), NOT_AUTHORIZED);
    ada.ping();
    home.v5("gw-1").connect().publish_acked("home/hall/lamp/state", "on");
    assert_eq!(eve.got().payload, "on", "hers goes on");
}

#[test]
fn a_broken_file_leaves_everything_as_it_was() {
    let home = Guarded::start();
    let good = fs::read_to_string(home.file()).unwrap();
    let mut ada = home.v5("ada").connect();
    for (broken, part) in [
        (format!("{good}nonsense\n"), "line 10"),
        (good.replace("  person ", "  king   "), "\"king\""),
    ] {
        fs::write(home.file(), broken).unwrap();
        let error = home.broker.reloader.reload().unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("users"), "{error}");
    }
    fs::remove_file(home.file()).unwrap();
    assert!(home.broker.reloader.reload().unwrap_err().to_string().contains("gone"));
    ada.ping();
    home.v5("eve").connect();
}

#[test]
fn the_first_user_ends_the_time_without_users() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    let access = Access { users: Some(file.clone()), ..Access::default() };
    let broker = start_with(Settings { access, ..settings() });
    let mut anyone = broker.v5("anyone").connect();
    Users::change(&file, |users| users.set("ada", user("ada", "person"))).unwrap();
    broker.reloader.reload().unwrap();
    assert_eq!(anyone.end(), Some(NOT_AUTHORIZED));
    assert_eq!(broker.v5("anyone").refused(), NOT_AUTHORIZED);
    login(broker.v5("ada"), "ada").connect();
}

#[tokio::test]
async fn without_users_only_this_machine_is_let_in() {
    let bind = "0.0.0.0:0".to_owned();
    let error = Broker::bind(Settings { bind, ..settings() }).await.unwrap_err();
    assert!(matches!(error, BindError::Unguarded { .. }));
    assert!(error.to_string().contains("hearth broker user add"), "{error}");
}

#[test]
fn mosquittos_programs_log_in() {
    let home = Guarded::start();
    let program = |name: &str, user: &str, args: &[&str]| {
        let password = format!("{user}!");
        let login = ["-u", user, "-P", &password];
        home.broker.mosquitto(name, &[&login, args].concat())
    };
    for version in ["mqttv311", "mqttv5"] {
        let of_lamp = ["-V", version, "-q", "1", "-t", "home/hall/lamp/report", "-r", "-m", "ON"];
        assert!(program("mosquitto_pub", "hall/lamp", &of_lamp).finish());
        let mut sub = program(
            "mosquitto_sub",
            "ada",
            &["-V", version, "-t", "home/#", "-C", "1", "-W", "15"],
        );
        assert_eq!(sub.line(), "ON");
        assert!(!program("mosquitto_pub", "nobody", &of_lamp).finish());
    }
}
