//! Who is not allowed to do something, chapters 3.1.4, 3.3.5 and 5.4: how that is said.

use std::path::PathBuf;
use std::process::Command;

use broker::{Access, Resident};

use crate::case::{Version, cases};
use crate::server::{Own, Server};
use crate::wire::{Connect, Publish, kind};

cases! {
    a_wrong_password_is_refused: V311 "3.2.2-4 3.2.2-5", V5 "3.1.4-2 3.2.2-6 3.2.2-7";
    a_publish_that_is_not_allowed_is_answered_or_ends: V311 "3.3.5-2", V5 "3.4.2-1 3.5.2-1";
    after_a_refused_pubrec_the_id_is_new: V5 "4.3.3-9";
    a_subscription_that_is_not_allowed_fails: V311 "3.8.4-5 3.9.3-2", V5 "3.8.4-7 3.9.3-2";
    a_will_that_is_not_allowed_is_not_published: V311 "", V5 "";
}

const USER: &str = "tester";
const PASSWORD: &str = "secret";

/// A broker with one user, who may do everything below `open`, and read below `readable`.
fn own(server: &Server) -> Own {
    let file = |name: &str, text: &str| {
        let name = format!("{}-{}-{name}", server.root, server.kind.name());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).expect("a file to write");
        path
    };
    let users = file("users", "nobody tester -\n");
    let roles = file("roles", "role tester\nboth open/#\nread readable/#\n");
    let passwords = file("passwords", "");
    let rules =
        file("rules", &format!("user {USER}\ntopic readwrite open/#\ntopic read readable/#\n"));
    let made =
        Command::new("mosquitto_passwd").arg("-b").arg(&passwords).args([USER, PASSWORD]).status();
    let lines = format!(
        "password_file {}\nacl_file {}\nallow_anonymous false",
        passwords.display(),
        rules.display()
    );
    let resident = Resident { name: USER.into(), role: "tester".into(), password: PASSWORD.into() };
    let access = Access { users: Some(users), roles: Some(roles), residents: vec![resident] };
    assert!(
        made.is_ok_and(|status| status.success()) || server.kind == crate::server::Kind::Hearth
    );
    server.own(|settings| settings.access = access, &lines)
}

fn login(server: &Server, who: &str) -> Connect {
    Connect { user: Some(USER.into()), password: Some(PASSWORD.into()), ..server.connect(who) }
}

fn a_wrong_password_is_refused(server: &Server) {
    let own = own(server);
    let right = login(&own.server, "right");
    for wrong in [
        Connect { password: Some("wrong".into()), ..right.clone() },
        Connect { user: Some("stranger".into()), ..right.clone() },
        own.server.connect("without"),
    ] {
        let code = own.server.say(&wrong.bytes()).refusal();
        match server.version {
            Version::V311 => assert!(matches!(code, Some(4 | 5)), "{code:?}"),
            Version::V5 => assert!(matches!(code, Some(0x86 | 0x87)), "{code:?}"),
        }
    }
    own.server.open(&right).0.ping();
}

fn a_publish_that_is_not_allowed_is_answered_or_ends(server: &Server) {
    let own = own(server);
    let (mut watcher, _) = own.server.open(&login(&own.server, "watcher"));
    watcher.watch("readable/#", 1);
    for qos in [1, 2] {
        let (mut client, _) = own.server.open(&login(&own.server, "publisher"));
        let pid = client.start(&Publish::new("readable/x", "forged").qos(qos));
        let Some(answer) = client.next() else { continue };
        assert_eq!(answer.pid, pid, "{answer:?}");
        assert!(server.version == Version::V311 || answer.code == 0x87, "{answer:?}");
    }
    // Whatever was answered, nobody got it.
    watcher.watch("open/#", 1);
    let (mut client, _) = own.server.open(&login(&own.server, "publisher"));
    client.publish(&Publish::new("open/x", "allowed").qos(1));
    assert_eq!(watcher.take().text(), "allowed");
}

fn after_a_refused_pubrec_the_id_is_new(server: &Server) {
    let own = own(server);
    let (mut watcher, _) = own.server.open(&login(&own.server, "watcher"));
    watcher.watch("open/#", 2);
    let (mut client, _) = own.server.open(&login(&own.server, "publisher"));
    for text in ["one", "two"] {
        client.start(&Publish::new("readable/x", "forged").qos(2).pid(7));
        assert_eq!(client.expect(kind::PUBREC).code, 0x87);
        client.publish(&Publish::new("open/x", text).qos(2).pid(7));
    }
    assert_eq!(watcher.take_texts(2), ["one", "two"]);
}

fn a_subscription_that_is_not_allowed_fails(server: &Server) {
    let own = own(server);
    let (mut client, _) = own.server.open(&login(&own.server, "subscriber"));
    let failure = if server.version == Version::V5 { 0x87 } else { 0x80 };
    assert_eq!(
        client.subscribe(&[("open/#", 1), ("secret/x", 1), ("readable/+", 2)]),
        [1, failure, 2]
    );
}

fn a_will_that_is_not_allowed_is_not_published(server: &Server) {
    let own = own(server);
    let (mut watcher, _) = own.server.open(&login(&own.server, "watcher"));
    watcher.watch("readable/#", 1);
    let connect = login(&own.server, "liar").will(crate::wire::Will::new("readable/x", "forged"));
    // It may be refused with its will.
    let mut liar = own.server.say(&connect.bytes());
    if liar.next().is_some_and(|connack| connack.code == 0) {
        liar.send(&[0xF7, 0]);
        liar.end();
    }
    watcher.watch("open/#", 1);
    let (mut client, _) = own.server.open(&login(&own.server, "publisher"));
    client.publish(&Publish::new("open/x", "allowed").qos(1));
    assert_eq!(watcher.take().text(), "allowed");
}
