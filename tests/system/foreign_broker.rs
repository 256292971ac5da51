//! A home on a broker that is not Hearth's own: no takeover fences anybody off there, so every move of a zone waits
//! until no lease on it is left.

use crate::kit::Home;

/// Three gateways on mosquitto, and a meter whose zone has an owner.
fn home_with_a_meter() -> (Home, u8) {
    let home = Home::on_mosquitto();
    let meter = r#"{"zone":"cellar","name":"meter","kind":"sensor"}"#;
    home.until("a meter is registered", |home| {
        home.ask("hearth/home/api/register", meter)["status"] == "ok"
    });
    home.until("the cellar has an owner", |home| home.owner("cellar").is_some());
    let owner = home.owner("cellar").unwrap();
    (home, owner)
}

fn reports(home: &Home, value: f64) {
    let value = value.to_string();
    home.publish("home/cellar/meter/report", &value, &[]);
    home.until("the meter is told", |home| {
        home.ask("home/cellar/meter/get", "")["state"] == value.as_str()
    });
}

#[test]
fn a_zone_moves_when_its_owner_dies_and_comes_home_when_it_is_back() {
    let (mut home, owner) = home_with_a_meter();
    reports(&home, 1.5);
    home.kill(owner);
    home.until("another one owns the cellar", |home| {
        home.owner("cellar").is_some_and(|now| now != owner)
    });
    reports(&home, 2.5);
    home.start_gateway(owner);
    home.until("the cellar is at home", |home| home.owner("cellar") == Some(owner));
    reports(&home, 3.5);
}

#[test]
fn whoever_loses_its_vote_loses_its_zones_after_that() {
    let (home, owner) = home_with_a_meter();
    reports(&home, 1.5);
    home.until("it has no vote", |home| {
        home.hearth(&["voters", "--remove", &owner.to_string()]).status.success()
    });
    home.until("another one owns the cellar", |home| {
        home.owner("cellar").is_some_and(|now| now != owner)
    });
    home.until("it is not there any more", |home| {
        home.member(owner).is_some_and(|gateway| gateway["alive"] == false)
    });
    reports(&home, 2.5);
}
