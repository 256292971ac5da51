//! Everything at once, by seed: reports, orders and queries while gateways die, return, are cut
//! off and stop hearing each other. `SEEDS=n` plays more of them, `SEED=n` one alone.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use serde_json::json;

use crate::world::{MS, World};

const PLACES: [&str; 6] = ["a/sensor", "b/sensor", "c/lamp", "d/lamp", "e/sensor", "a/lamp"];

#[test]
fn every_claim_holds_whatever_fails_and_afterwards_everything_settles() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(100),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| play(seed))) {
            eprintln!("again: SEED={seed} cargo test -p gateway-core --test cluster every_claim");
            resume_unwind(panic);
        }
    }
}

fn play(seed: u64) {
    // Every third home has a standby, every seventh is a large one.
    let (serving, standbys) =
        if seed % 7 == 6 { (3, 2) } else { (3 - (seed % 3 == 2) as u8, (seed % 3 == 2) as u8) };
    let mut world = World::new(seed, serving, standbys, |settings| {
        settings.cache = [0, 1, 2, 8][(seed % 4) as usize];
        // In every second home whoever is away for a moment needs a snapshot.
        settings.log_keep = [65_536, 24][(seed % 2) as usize];
    });
    world.delay = [1, 3, 10][(seed % 3) as usize] * MS;
    world.loss = [0, 0, 3, 10][(seed % 4) as usize];
    // An order for a lamp that never reported would be refused. These lamps only listen: what two
    // orders make a lamp report may overtake each other, and the claims want reports in order.
    for lamp in PLACES.iter().filter(|place| place.ends_with("lamp")) {
        world.report(lamp);
        world.people.devices.entry((*lamp).to_owned()).or_default().obeys = false;
    }
    let end = world.now + 5000 * MS;
    while world.now < end {
        let pause = 1 + world.dice.below(40);
        world.run(pause);
        say_something(&mut world);
        if world.dice.one_in(20) {
            break_or_mend(&mut world);
        }
    }
    mend_all(&mut world);
    world.run(3000);
    world.assert_settled();
    if let Err(violation) = linear::check(&world.orders_seen()) {
        panic!("{violation}");
    }
}

fn say_something(world: &mut World) {
    let place = PLACES[world.dice.below(PLACES.len() as u64) as usize];
    let lamp = place.ends_with("lamp");
    match world.dice.below(10) {
        0..=3 if !lamp => drop(world.report(place)),
        0..=3 => {
            let extra = [json!({}), json!({"wait": "state"}), json!({"expires": 0.3})];
            let extra = extra[world.dice.below(3) as usize].clone();
            world.set(place, extra);
        }
        4 if lamp => {
            let online = world.dice.one_in(2);
            world.presence(place, online);
        }
        5 => drop(world.nonsense(place, wire::ZoneVerb::Report)),
        _ => drop(world.get(place)),
    }
}

fn break_or_mend(world: &mut World) {
    let id = 1 + world.dice.below(world.nodes.len() as u64) as u8;
    let node = &world.nodes[&wire::GatewayId(id)];
    match (node.core.is_some(), node.cut.is_some()) {
        (false, _) => world.start(id),
        (true, true) => world.heal(id),
        (true, false) => match world.dice.below(4) {
            0 | 1 => world.kill(id),
            2 => world.cut(id),
            _ => {
                let other = 1 + world.dice.below(world.nodes.len() as u64) as u8;
                world.part(id, other);
                if world.dice.one_in(2) {
                    world.parted.clear();
                }
            }
        },
    }
}

fn mend_all(world: &mut World) {
    (world.loss, world.delay) = (0, 2 * MS);
    world.parted.clear();
    for id in 1..=world.nodes.len() as u8 {
        match &world.nodes[&wire::GatewayId(id)].core {
            None => world.start(id),
            Some(_) => world.heal(id),
        }
    }
    for place in PLACES {
        world.presence(place, true);
    }
}
