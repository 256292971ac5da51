#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use super::*;

fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> AddressError {
    text.parse::<Address>().expect_err(text)
}

#[test]
fn every_way_to_write_host_and_port() {
    for (text, host, port) in [
        ("localhost", "localhost", 1883),
        ("box.lan:1884", "box.lan", 1884),
        ("box.lan:", "box.lan", 1883),
        ("mqtt://box.lan", "box.lan", 1883),
        ("mqtt://box.lan:1884/", "box.lan", 1884),
        ("tcp://box.lan:1884", "box.lan", 1884),
        ("MQTT://Box", "Box", 1883),
        ("  mqtt://10.0.0.1/ ", "10.0.0.1", 1883),
        ("10.0.0.1:65535", "10.0.0.1", 65535),
        ("mqtt://[::1]:1885", "::1", 1885),
        ("[::1]", "::1", 1883),
        ("[fe80:0:0::1]:9", "fe80::1", 9),
        ("mqtt://ada:secret@[::1]:9", "::1", 9),
        ("mqtt://küche:9", "küche", 9),
    ] {
        let found = address(text);
        assert_eq!((found.host.as_str(), found.port), (host, port), "{text}");
        assert_eq!(address(&found.to_string()).place(), found.place(), "{text}");
    }
    assert_eq!(address("[::1]:9").place(), "[::1]:9");
    assert_eq!(Address::default(), address("127.0.0.1"));
}

#[test]
fn every_way_to_write_user_and_password() {
    for (text, user, password) in [
        ("mqtt://box", None, None),
        ("mqtt://@box:1", None, None),
        ("mqtt://ada@box", Some("ada"), None),
        ("ada@box", Some("ada"), None),
        ("mqtt://ada:@box", Some("ada"), None),
        ("mqtt://ada:secret@box", Some("ada"), Some("secret")),
        ("ada:secret@box:1884", Some("ada"), Some("secret")),
        ("mqtt://ada:p%40ss@box", Some("ada"), Some("p@ss")),
        ("mqtt://ada:p@ss:word@box", Some("ada"), Some("p@ss:word")),
        ("mqtt://ada:a%2Fb%25c%23%3F@box", Some("ada"), Some("a/b%c#?")),
        ("mqtt://a%40b:%3A%20@box", Some("a@b"), Some(": ")),
        ("mqtt://zo%C3%AB:zoë@box", Some("zoë"), Some("zoë")),
    ] {
        let found = address(text);
        assert_eq!((found.user.as_deref(), found.password.as_deref()), (user, password), "{text}");
        assert_eq!(address(&found.with_password()), found, "{text}");
    }
}

#[test]
fn what_is_no_address_is_refused_with_the_reason() {
    for (text, wrong) in [
        ("", AddressError::NoHost),
        ("mqtt://", AddressError::NoHost),
        ("mqtt://:1883", AddressError::NoHost),
        ("mqtt://ada:secret@", AddressError::NoHost),
        ("::1", AddressError::Ipv6),
        ("mqtt://ada:x@fe80::1/", AddressError::Ipv6),
        ("::1:1884", AddressError::Ipv6),
        ("mqtt://[::1", AddressError::Ipv6),
        ("[box]:1883", AddressError::Ipv6),
        ("[::1]9", AddressError::Ipv6),
        ("box:0", AddressError::Port),
        ("box:70000", AddressError::Port),
        ("box:http", AddressError::Port),
        ("http://box", AddressError::Scheme("http".into())),
        ("mqtts://box:8883", AddressError::Tls),
        ("mqtt://a b", AddressError::Host),
        ("mqtt://a%20b", AddressError::Host),
        ("mqtt://a\tb", AddressError::Host),
        ("mqtt://box:1883/home", AddressError::Tail),
        ("mqtt://box?keepalive=5", AddressError::Tail),
        ("mqtt://box#here", AddressError::Tail),
        ("mqtt://u:%4@box", AddressError::Percent),
        ("mqtt://u:100%@box", AddressError::Percent),
        ("mqtt://u:%FF@box", AddressError::Percent),
        ("mqtt://:secret@box", AddressError::NoUser),
    ] {
        assert_eq!(error(text), wrong, "{text}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let secret = address("mqtt://ada:secret@box");
    assert_eq!(format!("{secret} {secret:?}"), "mqtt://ada@box:1883 mqtt://ada@box:1883");
    for wrong in ["ada:secret/@box", "ada:secret://@box", "mqtt://ada:secret#@box", "ada:secret"] {
        assert!(!error(wrong).to_string().contains("secret"), "{wrong}");
    }
}
