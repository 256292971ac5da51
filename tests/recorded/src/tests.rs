use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    Easy,
    Hard,
}

const LIST: List<'_, Mistake> = List {
    all: &[Mistake::Easy, Mistake::Hard],
    words: |mistake| match mistake {
        Mistake::Easy => "one in three",
        Mistake::Hard => "none",
    },
    item: |_| 7,
    play: |mistake, seed| {
        (mistake == Mistake::Easy && seed % 3 == 2).then(|| "assertion at a.rs:12".to_owned())
    },
    plain: |_| None,
};

fn with_file(text: &str, test: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mistakes.txt");
    std::fs::write(&path, text).expect("a file");
    test(&path);
}

#[test]
fn a_search_finds_the_first_seed_and_the_file_comes_back_as_it_was_written() {
    let found = Found::Seed { seed: 2, claim: "assertion at a.rs".to_owned() };
    assert_eq!(LIST.hunt(Mistake::Easy), found);
    let rows = [
        LIST.row(Mistake::Easy, found),
        LIST.row(Mistake::Hard, Found::Scenario("a_rare_case".to_owned())),
    ];
    with_file("", |path| {
        file::write(path, &rows);
        assert_eq!(read(path), rows);
    });
}

#[test]
fn a_seed_that_finds_its_mistake_passes() {
    let text =
        "Easy | 7 | 5 | assertion at a.rs | one in three\nHard | 7 | - | scenario x | none\n";
    with_file(text, |path| replay(path, &LIST));
}

#[test]
#[should_panic(expected = "UPDATE=1")]
fn a_seed_that_finds_nothing_any_more_fails() {
    let text =
        "Easy | 7 | 6 | assertion at a.rs | one in three\nHard | 7 | - | scenario x | none\n";
    with_file(text, |path| replay(path, &LIST));
}

#[test]
#[should_panic(expected = "other mistakes")]
fn a_mistake_without_a_row_fails() {
    with_file("Easy | 7 | 5 | assertion at a.rs | one in three\n", |path| replay(path, &LIST));
}

#[test]
fn an_update_keeps_seeds_and_scenarios_that_still_hold() {
    let text = "Easy | 7 | 5 | old words | one in three\nHard | 7 | - | scenario x | none\n";
    with_file(text, |path| {
        update(path, &LIST);
        let rows = read(path);
        assert!(matches!(rows[0].found, Found::Seed { seed: 5, .. }), "{rows:?}");
        assert_eq!(rows[1].found, Found::Scenario("x".to_owned()));
        replay(path, &LIST);
    });
}

#[test]
fn a_known_hole_is_kept_and_passes() {
    let text =
        "Easy | 7 | 5 | assertion at a.rs | one in three\nHard | 7 | - | nothing below 9 | none\n";
    with_file(text, |path| {
        assert_eq!(read(path)[1].found, Found::NoneBelow(9));
        update(path, &LIST);
        replay(path, &LIST);
    });
}

#[test]
#[should_panic(expected = "not as recorded")]
fn a_mistake_that_nothing_finds_fails() {
    let text = "Easy | 7 | 5 | assertion at a.rs | one in three\nHard | 7 | - | nothing | none\n";
    with_file(text, |path| replay(path, &LIST));
}

#[test]
fn a_seed_that_fails_anyway_finds_no_mistake() {
    let broken = List { plain: |seed| (seed == 2).then(|| "a bug".to_owned()), ..LIST };
    assert!(matches!(broken.hunt(Mistake::Easy), Found::Seed { seed: 5, .. }));
}
