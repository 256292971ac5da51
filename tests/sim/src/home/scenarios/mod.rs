//! Scenarios of whole gateways, one fault at a time.

mod agreed;
mod files;
mod membership;
mod ownership;
mod queries;
mod snapshots;
mod time;
mod upgrades;

use super::world::{MS, World};
use crate::Mistake;
use crate::fleet::What;
use crate::verdict::judge;

impl World {
    /// Runs until something is so; panics when it is not within the time. Gives the milliseconds that it took.
    #[track_caller]
    fn until(&mut self, what: &str, millis: u64, is_so: impl Fn(&Self) -> bool) -> u64 {
        let (start, end) = (self.now, self.now + millis * MS);
        while !is_so(self) {
            assert!(self.step(end), "within {millis} ms: {what}");
        }
        (self.now - start) / MS
    }

    fn server(&self, zone: &str) -> Option<u8> {
        self.server_of(&zone.parse().expect("a name"))
    }

    /// A home with one sensor in every zone, whose first report is agreed.
    fn furnish(&mut self, places: &[&str]) {
        self.until("someone leads", 3000, |world| world.leader().is_some());
        let all = self.nodes.len();
        self.until("everyone has joined", 1000, |world| world.joined().len() == all);
        for place in places {
            let stamp = self.report(place);
            self.until("a report is agreed", 2000, |world| world.is_acknowledged(stamp));
        }
    }
}

/// Mistakes that no seed finds, by the scenario that `mistakes/` names.
const ONLY_HERE: [(&str, fn()); 6] = [
    (
        "a_user_who_has_made_as_many_zones_as_it_may_makes_no_more",
        ownership::a_user_who_has_made_as_many_zones_as_it_may_makes_no_more,
    ),
    (
        "a_folder_that_was_put_back_promises_nothing_before_it_is_found_out",
        files::a_folder_that_was_put_back_promises_nothing_before_it_is_found_out,
    ),
    (
        "what_a_leader_wanted_to_move_does_not_move_when_it_leads_again",
        queries::what_a_leader_wanted_to_move_does_not_move_when_it_leads_again,
    ),
    (
        "a_new_owner_takes_reports_only_when_the_old_one_cannot_answer_any_more",
        queries::a_new_owner_takes_reports_only_when_the_old_one_cannot_answer_any_more,
    ),
    (
        "an_owner_whose_disk_is_behind_answers_when_it_has_caught_up",
        queries::an_owner_whose_disk_is_behind_answers_when_it_has_caught_up,
    ),
    (
        "an_order_that_is_over_is_not_sent_though_its_end_cannot_be_agreed",
        time::an_order_that_is_over_is_not_sent_though_its_end_cannot_be_agreed,
    ),
];

#[test]
fn a_mistake_that_no_seed_finds_breaks_its_scenario() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mistakes");
    let rows = |file| recorded::read(&folder.join(file));
    let mistakes = [Mistake::all(What::Home), Mistake::all(What::System)].concat();
    let mut named = Vec::new();
    for row in rows("home.txt").into_iter().chain(rows("system.txt")) {
        let recorded::Found::Scenario(name) = row.found else { continue };
        let mistake = mistakes.iter().copied().find(|mistake| format!("{mistake:?}") == row.name);
        let scenario = ONLY_HERE.iter().find(|(known, _)| *known == name);
        let (_, scenario) = scenario.unwrap_or_else(|| panic!("there is no scenario {name}"));
        Mistake::make(Some(mistake.expect("a mistake of the list")));
        let verdict = judge(0, scenario);
        Mistake::make(None);
        let violation = verdict.expect_err(&name);
        println!("{}: {violation}", row.name);
        named.push(name);
    }
    assert_eq!(named.len(), ONLY_HERE.len(), "a scenario that is not needed: {named:?}");
}
