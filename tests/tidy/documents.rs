//! What documents and comments name exists.

use std::process::Command;

use super::{read, root, rust_files};

/// The longest line of a comment, in characters.
const WIDTH: usize = 120;

#[test]
fn comments_fit_the_width() {
    for file in rust_files(&root()) {
        for (number, line) in read(&file).lines().enumerate() {
            // The cells of a table cannot be wrapped.
            let is_table = line.trim_start().trim_start_matches(['/', '!']).trim().starts_with('|');
            assert!(
                !line.trim_start().starts_with("//") || is_table || line.chars().count() <= WIDTH,
                "{}:{}: wrap this comment at {WIDTH} characters",
                file.display(),
                number + 1
            );
        }
    }
}

#[test]
fn rules_that_comments_name_are_in_the_repository() {
    let architecture = read(&root().join("ARCHITECTURE.md")).to_lowercase();
    for file in rust_files(&root()) {
        for line in read(&file).lines().filter(|line| line.trim_start().starts_with("//")) {
            for rule in numbered_rules(line) {
                assert!(
                    architecture.contains(&rule),
                    "{}: {line:?} names {rule}, which is not in ARCHITECTURE.md; say what it says",
                    file.display()
                );
            }
        }
    }
}

/// Every `rule 7` in a line.
fn numbered_rules(line: &str) -> Vec<String> {
    let words: Vec<String> = line.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let number = |word: &String| {
        let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then(|| format!("rule {digits}"))
    };
    words.windows(2).filter(|pair| pair[0] == "rule").filter_map(|pair| number(&pair[1])).collect()
}

#[test]
fn numbered_rules_are_seen() {
    assert_eq!(numbered_rules("/// Rule 3: an owner; rule 14, too"), ["rule 3", "rule 14"]);
    assert_eq!(numbered_rules("// A rule that fires."), Vec::<String>::new());
}

#[test]
fn commands_of_documents_name_what_is_there() {
    let folders = [".", "tests/sim", "tests/broker"];
    let documents = folders.iter().flat_map(|folder| {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    });
    for document in documents {
        let text = read(&document);
        let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        for command in blocks.flat_map(str::lines) {
            assert_known(command, &document.display().to_string());
        }
    }
}

#[test]
fn steps_of_a_release_exist() {
    let listed = Command::new(root().join("release")).arg("--list").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.lines().count() > 10, "./release --list says only {listed:?}");
    for step in listed.lines() {
        assert_known(step, "./release");
        let (_, command) = step.split_once(": ").unwrap_or_else(|| panic!("no command: {step}"));
        assert!(!command.contains(['[', ']']), "./release does not resolve the sizes of {step}");
    }
}

/// Packages, test programs and scripts that a command names are there.
fn assert_known(command: &str, place: &str) {
    let command = command.split(" # ").next().unwrap_or(command);
    let words: Vec<&str> = command.split_whitespace().collect();
    for pair in words.windows(2) {
        let is_there = match pair {
            ["-p", package] => has_package(package),
            ["--test", test] => has_test(test),
            _ => true,
        };
        assert!(is_there, "{place}: {command}: there is no {} {}", pair[0], pair[1]);
    }
    for script in words.iter().filter_map(|word| word.strip_prefix("./")) {
        let file = script.trim_end_matches([';', ')', '`']);
        assert!(root().join(file).exists(), "{place}: {command}: there is no {file}");
    }
}

fn has_package(name: &str) -> bool {
    let manifests = read(&root().join("Cargo.lock"));
    manifests.contains(&format!("name = \"{name}\"\n"))
}

fn has_test(name: &str) -> bool {
    let is_it = |file: &std::path::PathBuf| {
        let in_tests = file.parent().is_some_and(|parent| parent.ends_with("tests"));
        let is_folder = file.ends_with(format!("tests/{name}/main.rs"));
        is_folder || in_tests && file.file_stem().is_some_and(|stem| stem == name)
    };
    rust_files(&root()).iter().any(is_it)
}
