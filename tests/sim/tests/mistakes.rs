//! The simulators find every deliberate mistake, each by the seed that `mistakes/` records, or by a scenario.
//!
//! ```text
//! UPDATE=1 cargo test -p hearth-sim --test mistakes                # when seeds play other worlds than before
//! SEARCH=1 MISTAKE=OwnValueWins cargo test -p hearth-sim --test mistakes -- --nocapture
//! ```

use std::path::Path;

use hearth_sim::Mistake;
use hearth_sim::fleet::What;
use recorded::{List, check};

fn check_all(
    file: &str,
    what: What,
    play: fn(Mistake, u64) -> Option<String>,
    plain: fn(u64) -> Option<String>,
) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("mistakes").join(file);
    let all = &Mistake::all(what);
    check(&file, &List { all, words: Mistake::words, item: Mistake::item, play, plain });
}

#[test]
fn mistakes_of_the_agreement_are_found() {
    check_all(
        "group.txt",
        What::Group,
        |mistake, seed| Some(What::Group.play(Some(mistake), seed)?.claim),
        |seed| Some(What::Group.play(None, seed)?.claim),
    );
}

#[test]
fn mistakes_between_broker_and_gateways_are_found() {
    check_all(
        "system.txt",
        What::System,
        |mistake, seed| Some(What::System.play(Some(mistake), seed)?.claim),
        |seed| Some(What::System.play(None, seed)?.claim),
    );
}

#[test]
fn mistakes_of_gateways_are_found() {
    check_all(
        "home.txt",
        What::Home,
        |mistake, seed| Some(What::Home.play(Some(mistake), seed)?.claim),
        |seed| Some(What::Home.play(None, seed)?.claim),
    );
}
