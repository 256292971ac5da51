//! A file with settings that a person, or a broken disk, has written.

use std::fs;

use hearth_config::Sources;
use hearth_fuzz::run;

#[test]
fn a_file_with_settings_loads_or_the_error_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hearth.toml");
    let sources = Sources { file: Some(path.clone()), ..Sources::default() };
    run("settings", 2_000, |input| {
        fs::write(&path, input).unwrap();
        match sources.load() {
            Ok(_) => true,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                false
            }
        }
    });
}

#[test]
fn so_does_a_variable_of_the_environment() {
    run("settings-variable", 3_000, |input| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let environment = vec![(format!("HEARTH_{name}"), value.to_owned())];
        Sources { environment, ..Sources::default() }.load().is_ok()
    });
}
