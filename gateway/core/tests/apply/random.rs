//! Two claims about every log: replicas that apply it are equal, and a restart forgets nothing.
//!
//! `SEEDS=n` tries more logs than a plain run; a failure names its seed.

use gateway_core::command::{Agreed, Entry, Leadership, Move, Offset, Op, Origin, Said, TimerName};
use gateway_core::house::{Change, House};
use gateway_core::id::Incarnation;
use hearth_random::Random;
use wire::{
    Account, Allowance, Clock, Epoch, GatewayId, Kind, Maker, NodeId, OrderNumber, Stamp, State,
    UnixMillis,
};

use crate::home::{id, split, spoken, zone};
use crate::rows::Rows;

#[test]
fn replicas_that_apply_one_log_are_equal_and_a_restart_forgets_nothing() {
    let seeds = std::env::var("SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    for seed in 0..seeds {
        play(seed, 400, 16);
    }
}

#[test]
fn the_same_holds_for_a_log_so_long_that_zones_forget_what_they_saw() {
    assert!(play(7, 12_000, 500) > 0, "the log was too short for anything to be forgotten");
}

/// Applies a random log twice, and restores the house from its rows after every `often` entries;
/// gives how often something was forgotten.
fn play(seed: u64, entries: usize, often: usize) -> usize {
    let mut forgot = 0;
    let mut dice = Random::new(seed);
    let (mut one, mut two, mut rows) = (House::new(), House::new(), Rows::default());
    for at in 1..=entries {
        let entry = random_entry(&mut dice, &one);
        let (first, second) = (one.apply(&entry), two.apply(&entry));
        assert_eq!(first, second, "seed {seed}, entry {at}: {entry:?}");
        forgot += first.changes.iter().filter(|c| matches!(c, Change::Forgot(_))).count();
        first.changes.into_iter().for_each(|change| rows.keep(change));
        if at % often == 0 {
            assert_eq!(one, two, "seed {seed}, entry {at}");
            assert_eq!(rows.restore(), one, "seed {seed}, entry {at}");
        }
    }
    forgot
}

const PLACES: [&str; 6] = ["a/door", "a/bulb", "b/bulb", "b/motion", "c/thing", "d/door"];

fn random_entry(dice: &mut Random, house: &House) -> Entry {
    let time = UnixMillis(house.counters().time.0 + dice.less_than(60));
    let (clock, by) = (Clock(dice.less_than(1000)), GatewayId(1 + dice.less_than(3) as u8));
    Entry { time, clock, by, op: random_op(dice, house) }
}

fn random_op(dice: &mut Random, house: &House) -> Op {
    let (zone_of, device) = split(PLACES[dice.less_than(6) as usize]);
    let (gateway, incarnation) =
        (GatewayId(1 + dice.less_than(3) as u8), Incarnation(1 + dice.less_than(3)));
    match dice.less_than(26) {
        0 => {
            let (serves, caches) = (gateway.0 < 3, gateway.0 != 2);
            Op::Join { gateway, incarnation, serves, caches }
        }
        1 => Op::Dead { gateway, incarnation },
        20 => Op::Lead,
        23 => Op::Make { zone: zone_of, maker: random_maker(dice) },
        24 => {
            let (kind, maker) = (random_kind(dice), random_maker(dice));
            Op::Enrol { zone: zone_of, device, kind, tag: 0, maker }
        }
        25 => {
            let row = house.zones().get(&zone_of);
            let (epoch, next) = row.map_or((Epoch(1), 1), |row| (row.epoch, row.next));
            Op::Remove { zone: zone_of, epoch, next }
        }
        22 => Op::Clock { offset: Offset(dice.less_than(9000) as i64 - 4500) },
        21 => {
            let leadership =
                Leadership(house.counters().leadership.0.saturating_sub(dice.less_than(2)));
            Op::Move { leadership, why: Move::Dead { gateway, incarnation } }
        }
        2 => {
            let door_closes_after = [None, Some(0), Some(50)][dice.less_than(3) as usize];
            Op::Settings(Agreed { threshold: 1 + dice.less_than(3) as u32, door_closes_after })
        }
        3 => Op::Place { zone: zone(["a", "b", "c", "d", "e"][dice.less_than(5) as usize]) },
        4 => Op::Register { zone: zone_of, device, kind: random_kind(dice), tag: 0 },
        5 | 6 => random_firing(dice, house),
        7..=11 => {
            let (state, origin) = (random_state(dice), random_origin(dice, house, &zone_of));
            let expires = dice.once_in(3).then(|| dice.less_than(200));
            Op::Set { zone: zone_of, device, state, expires, origin }
        }
        _ => {
            let (report, origin) = (random_said(dice), random_origin(dice, house, &zone_of));
            Op::Report { zone: zone_of, device, report, origin }
        }
    }
}

fn random_firing(dice: &mut Random, house: &House) -> Op {
    let timers: Vec<_> = house.timers().iter().collect();
    match timers.get(dice.less_than(4) as usize) {
        Some((name, timer)) => Op::Fire { timer: **name, generation: timer.generation },
        None => Op::Fire { timer: TimerName::DropOrder(NodeId(2)), generation: dice.less_than(9) },
    }
}

/// With so little room that it is used up.
fn random_maker(dice: &mut Random) -> Maker {
    let user = ["ada", "eve"][dice.less_than(2) as usize].to_owned();
    let account = Account { role: "person".to_owned(), user };
    Maker {
        may: Allowance { user: 2, role: 3, all: 5 },
        account: dice.once_in(2).then_some(account),
    }
}

fn random_said(dice: &mut Random) -> Said {
    Said {
        state: random_state(dice),
        presence: [None, Some(true), Some(false)][dice.less_than(3) as usize],
        kind: dice.once_in(2).then(|| random_kind(dice)),
        order: dice.once_in(3).then(|| OrderNumber(dice.less_than(5))),
        retained: dice.once_in(10),
    }
}

fn random_state(dice: &mut Random) -> State {
    [spoken("1"), spoken("ON"), spoken("0"), spoken("warm")][dice.less_than(4) as usize].clone()
}

fn random_kind(dice: &mut Random) -> Kind {
    Kind::ALL[dice.less_than(7) as usize].0
}

/// Mostly the next proposal; sometimes one that the fence must keep out, or one seen before.
fn random_origin(dice: &mut Random, house: &House, of: &wire::Zone) -> Origin {
    let row = house.zones().get(of);
    let (mut epoch, mut number) = row.map_or((Epoch(1), 1), |row| (row.epoch, row.next));
    if dice.once_in(10) {
        epoch = Epoch(dice.less_than(10));
    }
    if dice.once_in(10) {
        number = number.saturating_sub(1) + dice.less_than(3);
    }
    let name = dice.once_in(4).then(|| format!("r{}", dice.less_than(30)));
    // Beyond what a zone remembers, so that it forgets too.
    let counter = dice.less_than(30_000);
    let stamp = (!dice.once_in(8)).then_some(Stamp { broker: 1, incarnation: 1, counter });
    Origin { epoch, number, id: name.and_then(|name| id(&name)), stamp }
}
