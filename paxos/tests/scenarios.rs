//! Plays the scripts in `tests/scenarios` and compares what happens with the transcript in each.
//!
//! A script is a list of commands; below `----` stands what they led to, up to an empty line. `UPDATE=1` writes
//! the transcripts anew, to be reviewed as a diff. Every message takes 1 ms, every write half of that.

mod stage;

use std::fmt::Write as _;
use std::path::Path;

use stage::Stage;

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut paths: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scenarios found");
    for path in paths {
        let script = std::fs::read_to_string(&path).expect("a scenario");
        let played = play(&script);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &played).expect("write the scenario");
        }
        assert!(
            played == script || std::env::var_os("UPDATE").is_some(),
            "{} happens differently now (UPDATE=1 accepts it):\n{played}",
            path.display()
        );
    }
}

/// The script with fresh transcripts.
fn play(script: &str) -> String {
    let mut stage = Stage::default();
    let mut played = String::new();
    let mut expected = false;
    for line in script.lines() {
        if expected {
            expected = !line.is_empty();
            continue;
        }
        if line == "----" {
            expected = true;
            let _ = write!(played, "----\n{}\n", stage.transcript());
            continue;
        }
        let _ = writeln!(played, "{line}");
        if !line.is_empty() && !line.starts_with('#') {
            stage.command(line);
        }
    }
    played
}
