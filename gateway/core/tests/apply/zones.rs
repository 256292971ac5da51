//! Zones on somebody's account, and zones that go again.

use gateway_core::command::Op;
use gateway_core::house::{Outcome, Refusal, Verdict};
use wire::{Account, Allowance, Epoch, Kind, Maker};

use crate::home::{Home, moves, on, split, zone};
use crate::rows::Rows;

const TEN_MINUTES: u64 = 600_000;

fn maker(user: &str, role: &str) -> Maker {
    let may = Allowance { user: 2, role: 3, all: 5 };
    Maker { may, account: Some(Account { role: role.to_owned(), user: user.to_owned() }) }
}

fn make(home: &mut Home, name: &str, maker: Maker) -> Outcome {
    home.apply(Op::Make { zone: zone(name), maker })
}

fn remove(home: &mut Home, name: &str) -> Outcome {
    let row = home.house.zones()[&zone(name)];
    home.apply(Op::Remove { zone: zone(name), epoch: row.epoch, next: row.next })
}

fn why(outcome: &Outcome) -> &str {
    match &outcome.verdict {
        Verdict::Refused(Refusal::Quota, why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_user_and_each_role_may_make_so_many_zones_and_all_so_many() {
    let mut home = Home::with(1);
    for (name, user) in [("a", "ada"), ("b", "ada"), ("c", "eve")] {
        assert_eq!(moves(&make(&mut home, name, maker(user, "person"))).len(), 1, "{name}");
    }
    let refused = make(&mut home, "d", maker("ada", "person"));
    assert_eq!(why(&refused), "ada has made 2 zones, and may make no more");
    assert!(refused.moved.is_empty() && !home.house.zones().contains_key(&zone("d")));
    let refused = make(&mut home, "d", maker("eve", "person"));
    assert!(why(&refused).contains("role person"), "{refused:?}");
    for name in ["d", "e"] {
        assert_eq!(moves(&make(&mut home, name, maker("d/x", "device"))).len(), 1);
    }
    let refused = make(&mut home, "f", maker("f/x", "device"));
    assert_eq!(why(&refused), "the site has 5 zones, and there may be no more");
    // A zone that there is costs nothing, whoever registers there.
    let (of, device) = split("a/lamp");
    let maker = maker("ada", "person");
    let enrolled = home.apply(Op::Enrol { zone: of, device, kind: Kind::Bulb, tag: 0, maker });
    assert!(matches!(enrolled.verdict, Verdict::Done { .. }), "{enrolled:?}");
}

#[test]
fn a_restart_gives_nobody_another_budget() {
    let mut home = Home::with(1);
    let mut rows = Rows::default();
    let made = ["a", "b"].map(|name| make(&mut home, name, maker("ada", "person")));
    made.into_iter().flat_map(|outcome| outcome.changes).for_each(|row| rows.keep(row));
    let mut again = Home::with(0);
    again.house = rows.restore();
    again.join(1, 2);
    assert!(why(&make(&mut again, "c", maker("ada", "person"))).contains("ada"));
}

#[test]
fn a_zone_without_devices_goes_after_ten_minutes_and_comes_back_under_a_higher_epoch() {
    let mut home = Home::with(1);
    make(&mut home, "a", maker("ada", "person"));
    make(&mut home, "b", maker("ada", "person"));
    home.report("b/lamp", on());
    home.wait(TEN_MINUTES - 1);
    assert!(remove(&mut home, "a").removed.is_empty(), "too early");
    home.wait(1);
    let epoch = home.epoch("a");
    let old = home.origin("a/lamp");
    let late = Op::Remove { zone: zone("a"), epoch: Epoch(epoch + 1), next: 1 };
    assert!(home.apply(late).removed.is_empty(), "of another epoch");
    let late = Op::Remove { zone: zone("a"), epoch: Epoch(epoch), next: 2 };
    assert!(home.apply(late).removed.is_empty(), "its owner has proposed something since");
    assert!(remove(&mut home, "b").removed.is_empty(), "it has a device");
    assert_eq!(remove(&mut home, "a").removed, [zone("a")]);
    let fenced = home.report_from("a/lamp", on(), old);
    assert_eq!(fenced.verdict, Verdict::Fenced, "what its owner had under way is not applied");
    assert_eq!(moves(&make(&mut home, "a", maker("ada", "person"))).len(), 1, "and not counted");
    assert!(home.epoch("a") > epoch);
}
