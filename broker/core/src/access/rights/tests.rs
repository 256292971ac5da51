use super::*;

fn names() -> Arc<Names> {
    Arc::new(["ada", "ada:old", "hall/lamp"].into_iter().collect())
}

fn grant(user: &str, role: &str) -> Guest {
    let roles = Roles::built_in().unwrap();
    Guest::User(Arc::new(Grant::new((&roles, &names()), "home", user, role, [0; 32]).unwrap()))
}

fn rights(user: &str, role: &str) -> Rights {
    Rights::new(grant(user, role), "client".into()).unwrap()
}

fn custom(text: &str, user: &str, client: &str) -> Rights {
    let roles = Roles::parse(text).unwrap();
    let grant = Grant::new((&roles, &names()), "home", user, "r", [0; 32]).unwrap();
    Rights::new(Guest::User(Arc::new(grant)), client.into()).unwrap()
}

/// Publishable topics, and filters that may be subscribed in full.
fn check(rights: &mut Rights, writes: &[&str], reads: &[&str], neither: &[&str]) {
    for topic in writes {
        assert!(rights.may_publish(topic), "may publish {topic}");
        assert!(rights.may_publish(topic), "still may publish {topic}");
    }
    for filter in reads {
        assert_eq!(rights.may_subscribe(filter), Reading::All, "may subscribe {filter}");
    }
    for topic in neither {
        assert!(!rights.may_publish(topic), "must not publish {topic}");
        assert_eq!(rights.may_subscribe(topic), Reading::Nothing, "must not subscribe {topic}");
        assert!(!rights.may_read(topic), "must not read {topic}");
    }
}

const GATEWAYS_OWN: [&str; 3] =
    ["hearth/home/paxos/1/request", "hearth/home/paxos/2/response", "hearth/home/broker/waiting"];

#[test]
fn a_gateway_has_the_site_and_nothing_else() {
    let mut gateway = rights("gateway-1", "gateway");
    let own = ["hearth/home/gateway/1/status", "home/hall/door/state", "reply/x", "hearth/reply/y"];
    check(&mut gateway, &GATEWAYS_OWN, &GATEWAYS_OWN, &["cabin/hall/door/set", "zigbee2mqtt/x"]);
    check(&mut gateway, &own, &["home/#", "hearth/home/#", "home/+/+/get"], &["$SYS/x"]);
    assert_eq!(gateway.may_subscribe("#"), Reading::Nothing);
}

#[test]
fn a_device_has_its_own_topics_and_nothing_else() {
    let mut lamp = rights("hall/lamp", "device");
    check(
        &mut lamp,
        &["home/hall/lamp/report", "home/hall/lamp/status", "home/hall/lamp/report/response"],
        &["home/hall/lamp/command", "home/hall/lamp/state"],
        &[
            "home/hall/door/report",
            "home/hall/lamp/set",
            "home/hall/lamp/report/x",
            "hearth/home/api/devices",
        ],
    );
    check(&mut lamp, &[], &[], &GATEWAYS_OWN);
    assert!(
        !lamp.may_publish("home/hall/lamp/state") && !lamp.may_publish("home/hall/lamp/command")
    );
    for filter in [
        "#",
        "home/#",
        "home/hall/+/command",
        "home/hall/lamp/#",
        "home/hall/lamp/+",
        "+/hall/lamp/command",
    ] {
        assert_eq!(lamp.may_subscribe(filter), Reading::Nothing, "{filter}");
    }
}

#[test]
fn a_person_asks_and_orders_and_pretends_nothing() {
    let mut ada = rights("ada", "person");
    check(
        &mut ada,
        &[
            "home/hall/lamp/set",
            "home/hall/lamp/get",
            "hearth/home/api/devices",
            "reply/1",
            "hearth/reply/client",
        ],
        &[
            "home/+/+/state",
            "home/#",
            "hearth/home/gateway/+/status",
            "reply/1",
            "hearth/reply/client",
            "$SYS/#",
        ],
        &["hearth/reply/another", "hearth/home/api/voters", "hearth/home/gateway/1/lead"],
    );
    check(&mut ada, &[], &[], &GATEWAYS_OWN);
    for topic in
        ["home/hall/lamp/report", "home/hall/lamp/state", "hearth/home/gateway/1/status", "$SYS/x"]
    {
        assert!(!ada.may_publish(topic), "{topic}");
    }
}

#[test]
fn an_admin_has_all_but_what_only_gateways_say() {
    let mut admin = rights("boss", "admin");
    let free = ["zigbee2mqtt/x", "hearth/home/api/voters", "home/hall/lamp/report"];
    check(&mut admin, &free, &["zigbee2mqtt/#", "$SYS/#", "home/#"], &GATEWAYS_OWN[..2]);
    for topic in ["home/hall/lamp/state", "home/hall/lamp/command", "hearth/home/gateway/1/status"]
    {
        assert!(!admin.may_publish(topic), "{topic}");
    }
    assert_eq!(admin.may_subscribe("#"), Reading::Filtered);
    assert_eq!(admin.may_subscribe("$share/g/#"), Reading::Nothing);
    assert_eq!(admin.may_subscribe("$share/g/home/#"), Reading::All);
    assert!(admin.may_read("home/hall/lamp/state"));
}

#[test]
fn a_client_id_never_widens_a_filter() {
    let text = "role r\nboth box/%c/x\nread %c/#";
    check(
        &mut custom(text, "u", "dev"),
        &["box/dev/x"],
        &["dev/a", "dev/#"],
        &["box/other/x", "$SYS/x"],
    );
    for id in ["+", "#", "a/b", "$SYS", "a/+", ""] {
        let mut rights = custom(text, "u", id);
        let named = [format!("box/{id}/x"), format!("{id}/y")];
        assert!(!rights.may_publish(&named[0]), "{id:?}");
        assert!(!rights.may_read(&named[1]) && !rights.may_read("any/topic"), "{id:?}");
        assert_eq!(rights.may_subscribe("box/dev/x"), Reading::Nothing, "{id:?}");
        assert_eq!(rights.may_subscribe("#"), Reading::Nothing, "{id:?}");
    }
}

#[test]
fn a_percent_in_a_name_stays_one() {
    let mut rights = custom("role r\nboth box/%u", "%c", "victim");
    check(&mut rights, &["box/%c"], &["box/%c"], &["box/victim"]);
}

#[test]
fn what_is_denied_is_denied_wherever_it_stands() {
    for text in ["role r\nboth a/#\ndeny both a/b", "role r\ndeny both a/b\nboth a/#"] {
        check(&mut custom(text, "u", "c"), &["a/c"], &["a/c"], &["a/b"]);
    }
}

#[test]
fn client_ids_of_gateways_are_for_gateways() {
    for (user, role, allowed) in
        [("gw", "gateway", true), ("ada", "person", false), ("boss", "admin", false)]
    {
        let rights = Rights::new(grant(user, role), "hearth-home-zone-hall".into());
        assert_eq!(rights.is_ok(), allowed, "{role}");
    }
    assert!(Rights::new(Guest::Anyone, "hearth-home-zone-hall".into()).is_ok());
}

#[test]
fn a_client_called_after_a_user_is_that_users() {
    for (client, owner) in [
        ("ada", Some("ada")),
        ("ada:phone", Some("ada")),
        ("ada:old", Some("ada:old")),
        ("ada:old:1", Some("ada:old")),
        ("hall/lamp", Some("hall/lamp")),
        ("adam", None),
        ("ada-phone", None),
        (":ada", None),
        ("", None),
    ] {
        assert_eq!(names().owner(client), owner, "{client}");
        for user in ["ada", "ada:old", "hall/lamp", "boss"] {
            let rights = Rights::new(grant(user, "admin"), client.into());
            assert_eq!(rights.is_ok(), owner.is_none_or(|owner| owner == user), "{user}: {client}");
        }
    }
    assert_eq!(names().owner(&"ada:".repeat(16_000)), Some("ada"), "however long it is");
}

#[test]
fn a_session_follows_its_user_and_a_gateways_one_its_role() {
    let as_client =
        |user, role, client: &str| Rights::new(grant(user, role), client.into()).unwrap();
    let ada = as_client("ada", "person", "phone");
    assert!(as_client("ada", "person", "phone").may_follow(&ada));
    assert!(!as_client("eve", "person", "phone").may_follow(&ada));
    assert!(!as_client("boss", "admin", "phone").may_follow(&ada));
    assert!(!Rights::new(Guest::Anyone, "phone".into()).unwrap().may_follow(&ada));
    let zone = "hearth-home-zone-hall";
    assert!(as_client("gw-2", "gateway", zone).may_follow(&as_client("gw-1", "gateway", zone)));
    assert!(!as_client("gw-2", "gateway", "x").may_follow(&as_client("gw-1", "gateway", "x")));
}

#[test]
fn rights_are_renewed_by_name() {
    let mut ada = rights("ada", "person");
    assert!(ada.may_publish("home/hall/lamp/set"));
    assert_eq!(ada.renew(|name| Some(grant(name.unwrap(), "person"))), Renewed::Same);
    assert_eq!(ada.renew(|name| Some(grant(name.unwrap(), "admin"))), Renewed::Login);
    assert_eq!(ada.renew(|_| None), Renewed::Gone);
    assert!(!ada.may_publish("home/hall/lamp/set") && !ada.may_read("home/hall/lamp/state"));
    assert_eq!(ada.may_subscribe("home/hall/lamp/state"), Reading::Nothing);
}

#[test]
fn answers_may_be_sent_where_the_one_who_asks_may_publish() {
    let told = |mut rights: Rights| {
        let encoded = rights.replies();
        let filters = ["#", "reply/#", "hearth/reply/client", "hearth/reply/a/b"].into_iter();
        let in_it = |filter: &&str| {
            let property = user_property(REPLY_PROPERTY, filter);
            encoded.windows(property.len()).any(|part| part == property)
        };
        filters.filter(in_it).collect::<Vec<_>>()
    };
    assert_eq!(told(Rights::new(Guest::Anyone, "client".into()).unwrap()), ["#"]);
    for role in ["person", "admin", "gateway"] {
        assert_eq!(told(rights("ada", role)), ["reply/#", "hearth/reply/client"], "{role}");
    }
    assert!(told(rights("hall/lamp", "device")).is_empty());
    let some = custom("role r\nwrite reply/#\ndeny write reply/ada\nwrite hearth/#", "u", "a/b");
    assert!(told(some).is_empty(), "neither what a denial cuts into, nor another level");
    let mut gone = rights("ada", "person");
    gone.replies();
    gone.renew(|_| None);
    assert!(told(gone).is_empty());
}
