//! Files of users and roles as a broken disk, or a person in a hurry, leaves them.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::fs;
use std::sync::Arc;

use hearth_fuzz::{keep, run};

use super::*;
use broker_core::access::{Grant, Guest, Reading, Rights, Roles, RolesError};
use broker_core::protocol::topic;

const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$n7K1VyBcGkTYnVDh0yVBYmNXgLpLkTFT4DyDqyqTI0M";

/// Inputs for each file. 15,000: a second or two.
const USUAL: u64 = 15_000;

#[test]
fn users_are_read_as_they_are_written_or_the_error_names_the_line() {
    run("users", USUAL, |input| {
        let Ok(text) = str::from_utf8(input) else { return false };
        match Users::parse(text) {
            Ok(users) => {
                assert_eq!(Users::parse(&users.to_text()), Ok(users));
                true
            }
            Err(UsersError { line, why }) => {
                named(text, line, &why);
                let secrets = text.split_whitespace().filter(|word| word.len() > 20);
                secrets.for_each(|word| assert!(!why.contains(word), "it may be a password"));
                false
            }
        }
    });
}

#[test]
fn roles_mean_what_they_say_or_the_error_names_the_line() {
    run("roles", USUAL, |input| {
        let Ok(text) = str::from_utf8(input) else { return false };
        match Roles::parse(text) {
            Ok(roles) => {
                roles.names().for_each(|role| keeps_its_word(&roles, role));
                true
            }
            Err(RolesError { line, why }) => {
                named(text, line, &why);
                false
            }
        }
    });
}

fn named(text: &str, line: usize, why: &str) {
    assert!((1..=text.lines().count()).contains(&line) && why.len() > 10, "line {line}: {why}");
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, b"role r\n\xFF\n").unwrap();
    for error in [Users::read(&path).unwrap_err(), read_roles(&path).unwrap_err()] {
        assert!(error.path == path && error.why.contains("cannot read"), "{error}");
    }
}

/// A subscription that is granted brings nothing that may not be read.
fn keeps_its_word(roles: &Roles, role: &str) {
    const TOPICS: [&str; 7] = [
        "a",
        "home/hall/lamp/report",
        "home/hall/lamp/state",
        "phone/a",
        "reply/1",
        "$SYS/x",
        "%c/%u",
    ];
    const FILTERS: [&str; 7] =
        ["#", "+", "home/#", "home/+/lamp/state", "$share/g/home/#", "phone/#", "$SYS/#"];
    for (user, client) in [("hall/lamp", "phone"), ("%c", "%u"), ("ada", "a/+"), ("é%", "")] {
        let _in_words = roles.check(role, user);
        let grant =
            Arc::new(Grant::new((roles, &Arc::default()), "home", user, role, [0; 32]).unwrap());
        let Ok(mut rights) = Rights::new(Guest::User(grant), client.into()) else { continue };
        for wanted in TOPICS {
            assert_eq!(rights.may_publish(wanted), rights.may_publish(wanted));
        }
        for filter in FILTERS {
            let matched = filter.strip_prefix("$share/g/").unwrap_or(filter);
            let granted = rights.may_subscribe(filter) == Reading::All;
            let brought = TOPICS.iter().filter(|name| granted && topic::matches(matched, name));
            brought.for_each(|name| assert!(rights.may_read(name), "{filter} brings {name}"));
        }
    }
}

#[test]
#[ignore = "writes files"]
fn the_corpus_is_written_anew() {
    let mut users = Users::default();
    for (name, role) in
        [("ada", "admin"), ("hall/lamp", "device"), ("living room/lamp 1", "device")]
    {
        users.set(name, User { role: role.to_owned(), hash: Some(HASH.to_owned()) }).unwrap();
    }
    users.set("gateway", User { role: "gateway".to_owned(), hash: None }).unwrap();
    keep("users", "00", users.to_text().as_bytes());
    keep("users", "01", format!("ada person {HASH}\n").as_bytes());
    keep("users", "02", b"ada person secret-that-is-long-enough\n");
    keep("roles", "00", Roles::BUILT_IN.as_bytes());
    let small =
        "role r\nuser +/+\nclient x-%s-\nboth box/%c/x\nread %u/#\ndeny read %s/+/b\nwrite a\n";
    keep("roles", "01", small.as_bytes());
}
