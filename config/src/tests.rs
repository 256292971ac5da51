use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn with_file(text: &str) -> Result<Settings, Error> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("written");
    Sources { file: Some(file.path().to_owned()), ..Sources::default() }.load()
}

fn with_variables(variables: &[(&str, &str)]) -> Result<Settings, Error> {
    let environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sources { environment: environment.collect(), ..Sources::default() }.load()
}

fn with_flag(flag: &'static str, key: &'static str, value: &str) -> Result<Settings, Error> {
    let flags = vec![Flag { flag, key, value: value.to_owned() }];
    Sources { flags, ..Sources::default() }.load()
}

fn refusal(settings: Result<Settings, Error>) -> String {
    settings.expect_err("refused").to_string()
}

#[test]
fn every_shipped_file_loads() {
    for name in ["default.toml", "six-gateways.toml", "compose.toml"] {
        let sources = Sources { file: Some(shipped(name)), ..Sources::default() };
        assert!(sources.load().is_ok(), "{name}: {:?}", sources.load());
    }
}

#[test]
fn the_default_file_names_every_key() {
    let layer = Layer::from_toml(DEFAULT, Origin::Default).expect("valid");
    for key in key::all().filter(|key| key != "gateway.id") {
        assert!(layer.sets(&key), "default.toml does not set {key}");
    }
}

#[test]
fn the_default_file_has_the_brokers_own_bounds() {
    let settings = Sources::default().load().expect("valid");
    assert_eq!(settings.broker.limits, broker_settings::Limits::default());
}

#[test]
fn the_defaults_are_the_home_of_three_gateways_and_five_devices() {
    let settings = Sources::default().load().expect("valid");
    assert_eq!(settings.site, "home");
    assert_eq!(settings.gateway.voters, [1, 2, 3]);
    assert_eq!((settings.gateway.threshold, settings.gateway.id), (3, None));
    let names: Vec<_> = settings.devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["tempSensor", "smartOutlet", "doorSensor", "smartBulb", "motionSensor"]);
}

#[test]
fn a_later_place_wins() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(
        file.path(),
        "site = \"cabin\"\n[gateway]\ncache = 1\nvoters = [1, 2]\nserving = [1]\n",
    )
    .expect("written");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: vec![
            ("HEARTH_GATEWAY__CACHE".into(), "2".into()),
            ("HEARTH_GATEWAY__VOTERS".into(), "1, 2,3".into()),
            ("HEARTH_LOG".into(), "debug".into()),
            ("HEARTH_PORT_1883_TCP".into(), "tcp://10.0.0.1:1883".into()),
            ("PATH".into(), "/bin".into()),
        ],
        flags: vec![Flag { flag: "--cache", key: "gateway.cache", value: "3".into() }],
    };
    let settings = sources.load().expect("valid");
    assert_eq!(settings.site, "cabin");
    assert_eq!(settings.gateway.voters, [1, 2, 3]);
    assert_eq!(settings.gateway.serving, [1]);
    assert_eq!(settings.gateway.cache, 3);
    assert_eq!(settings.gateway.threshold, 3);
}

#[test]
fn all_voters_serve_unless_someone_says_who() {
    let settings = with_flag("--voters", "gateway.voters", "4,5,6").expect("valid");
    assert_eq!(settings.gateway.serving, [4, 5, 6]);
}

#[test]
fn devices_of_a_file_replace_the_list() {
    let settings = with_file("[[device]]\nzone = \"attic\"\nname = \"lamp\"\nkind = \"bulb\"\n");
    assert_eq!(settings.expect("valid").devices.len(), 1);
}

#[test]
fn a_door_closes_late_at_once_or_never() {
    let after = |text| with_variables(&[("HEARTH_GATEWAY__DOOR_CLOSES_AFTER_MS", text)]);
    let after = |text| after(text).expect("valid").gateway.door_closes_after;
    assert_eq!(after("250"), Some(Duration::from_millis(250)));
    assert_eq!(after("0"), Some(Duration::ZERO));
    assert_eq!(after("-1"), None);
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_named() {
    let sources = Sources { file: Some("no/such.toml".into()), ..Sources::default() };
    assert!(refusal(sources.load()).contains("no/such.toml"));
    let text = refusal(with_file("site = \n"));
    assert!(text.contains("no valid TOML") && text.contains("line 1"), "{text}");
}

#[test]
fn an_unknown_key_is_named_with_those_that_exist() {
    let text = refusal(with_file("[gateway]\ncahce = 3\n"));
    assert!(text.contains("gateway.cahce") && text.contains("gateway.cache"), "{text}");
    let text = refusal(with_file("[kitchen]\nsink = 3\n"));
    assert!(text.contains("kitchen.sink") && text.contains("site"), "{text}");
    let text = refusal(with_variables(&[("HEARTH_BROKER__PORT", "1883")]));
    assert!(text.contains("HEARTH_BROKER__PORT") && text.contains("broker.bind"), "{text}");
    let text =
        refusal(with_file("[[device]]\nzone=\"a\"\nname=\"b\"\nkind=\"bulb\"\ncolour=\"red\"\n"));
    assert!(text.contains("device.colour") && text.contains("device.kind"), "{text}");
}

#[test]
fn a_wrong_type_is_named_with_what_is_allowed() {
    for (file, parts) in [
        ("site = 3\n", ["site is 3", "a text"]),
        (
            "[gateway]\nthreshold = \"three\"\n",
            ["gateway.threshold is \"three\"", "a whole number"],
        ),
        ("[gateway]\nvoters = [1, \"x\"]\n", ["gateway.voters is [1, \"x\"]", "[1, 2, 3]"]),
        ("[gateway]\nvoters = 3\n", ["gateway.voters is 3", "[1, 2, 3]"]),
        ("[broker]\ndurable_ack = 1\n", ["broker.durable_ack is 1", "true or false"]),
        ("broker = 5\n", ["no setting broker", "broker.bind"]),
        ("[site]\nname = \"x\"\n", ["site is a table", "a text"]),
        ("device = [3]\n", ["device is 3", "[[device]]"]),
        ("[[device]]\nzone = \"a\"\nname = \"b\"\n", ["device.kind is missing", "a text"]),
    ] {
        let text = refusal(with_file(file));
        assert!(parts.iter().all(|part| text.contains(part)), "{file}: {text}");
    }
    let text = refusal(with_variables(&[("HEARTH_GATEWAY__CACHE", "big")]));
    assert!(text.starts_with("variable HEARTH_GATEWAY__CACHE: gateway.cache is \"big\""), "{text}");
    assert!(refusal(with_variables(&[("HEARTH_DEVICE", "x")])).contains("in a file"));
    let text = refusal(with_flag("--voters", "gateway.voters", "1,b"));
    assert!(text.starts_with("--voters: "), "{text}");
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (file, parts) in [
        ("site = \"hearth\"\n", ["site is \"hearth\"", "another name"]),
        ("site = \"my/home\"\n", ["site is \"my/home\"", "without /"]),
        ("[gateway]\nserving = [4]\n", ["gateway.serving is [4]", "[1, 2, 3]"]),
        ("[gateway]\nserving = []\n", ["gateway.serving is []", "at least one"]),
        ("[gateway]\nleaders = [9]\n", ["gateway.leaders is [9]", "[1, 2, 3]"]),
        ("[gateway]\nvoters = [1,2,3,4,5,6,7,8]\n", ["gateway.voters is", "1 to 7"]),
        ("[gateway]\nvoters = []\n", ["gateway.voters is []", "1 to 7"]),
        ("[gateway]\nvoters = [1, 1]\n", ["gateway.voters is [1, 1]", "once"]),
        ("[gateway]\nvoters = [0, 1]\n", ["gateway.voters is [0, 1]", "1 to 254"]),
        ("[gateway]\nid = 255\n", ["gateway.id is 255", "to 254"]),
        ("[gateway]\nthreshold = 0\n", ["gateway.threshold is 0", "from 1"]),
        ("[gateway]\nlog_keep = 3\n", ["gateway.log_keep is 3", "from 16"]),
        ("[gateway]\ncache = -1\n", ["gateway.cache is -1", "from 0"]),
        ("[gateway]\ndata_dir = \"\"\n", ["gateway.data_dir", "a folder"]),
        ("[broker]\nbind = \"0.0.0.0:0\"\n", ["broker.bind", "1 to 65535"]),
        ("[broker]\nbind = \"1883\"\n", ["broker.bind", "host:port"]),
        ("[broker]\nbind = \"\"\n", ["broker.bind", "broker.tls.bind"]),
        ("[broker]\nid = 0\n", ["broker.id is 0", "from 1"]),
        ("[broker.limits]\ninflight = 70000\n", ["broker.limits.inflight is 70000", "65535"]),
        ("[client]\nbroker = \"mqtt://u:secret@h:0\"\n", ["client.broker", "from 1 to 65535"]),
        ("[client]\ntimeout_ms = 0\n", ["client.timeout_ms is 0", "from 1"]),
        ("[[device]]\nzone=\"a\"\nname=\"b\"\nkind=\"toaster\"\n", ["\"toaster\"", "outlet"]),
    ] {
        let text = refusal(with_file(file));
        assert!(parts.iter().all(|part| text.contains(part)), "{file}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
    let twice = "[[device]]\nzone=\"a\"\nname=\"b\"\nkind=\"bulb\"\n".repeat(2);
    assert!(refusal(with_file(&twice)).contains("a/b twice"));
}

#[test]
fn only_a_flag_may_ask_for_any_free_port() {
    assert!(with_flag("--bind", "broker.bind", "127.0.0.1:0").is_ok());
    assert!(with_variables(&[("HEARTH_BROKER__BIND", "127.0.0.1:0")]).is_err());
}
