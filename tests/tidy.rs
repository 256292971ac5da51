//! House rules, as tests: who may import whom, how long a file may be, how it may be called.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

#[path = "tidy/imports.rs"]
mod imports;

use std::fs;
use std::path::{Path, PathBuf};

/// Crate, its folder, and which of ours it may depend on.
const IMPORTS: &[(&str, &[&str])] = &[
    ("tests/mistakes", &[]),
    // Lists of deliberate mistakes, with the feature `mutants` only.
    ("paxos", &["mistakes"]),
    ("paxos/bench", &[]),
    ("paxos/model", &["paxos"]),
    ("broker/core", &["broker-settings", "hearth-names", "mistakes"]),
    ("broker/mesh", &["mistakes"]),
    ("broker/settings", &[]),
    ("broker", &["broker-core", "broker-settings", "hearth-storage"]),
    ("config", &["broker-settings", "hearth-address", "hearth-names"]),
    ("config/address", &[]),
    ("devices/names", &[]),
    ("devices/wire", &["hearth-names"]),
    ("devices/link", &["hearth-address"]),
    ("devices", &["link", "wire"]),
    ("tests/broker", &["broker-core", "hearth-random"]),
    ("tests/fuzz", &["hearth-random"]),
    ("gateway/core", &["mistakes", "paxos", "wire"]),
    ("gateway", &["gateway-core", "hearth-storage", "link", "paxos", "wire"]),
    ("gateway/storage", &[]),
    ("tests/linear", &[]),
    ("tests/mesh", &["hearth-random", "mesh"]),
    ("tests/random", &[]),
    ("tests/sim", &["broker-core", "gateway-core", "hearth-random", "linear", "paxos", "wire"]),
];

/// What is ours, by package name.
const OURS: &[&str] = &[
    "broker",
    "broker-core",
    "broker-settings",
    "broker-sim",
    "devices",
    "gateway",
    "gateway-core",
    "hearth-address",
    "hearth-config",
    "hearth-fuzz",
    "hearth-names",
    "hearth-random",
    "hearth-sim",
    "hearth-storage",
    "linear",
    "link",
    "mesh",
    "mesh-sim",
    "mistakes",
    "paxos",
    "wire",
];

/// Crates that decide and do nothing else.
const PURE: &[&str] = &[
    "paxos",
    "gateway/core",
    "devices/names",
    "devices/wire",
    "broker/core",
    "broker/mesh",
    "broker/settings",
    "tests/linear",
];

#[test]
fn crates_import_only_what_the_design_allows() {
    for (folder, allowed) in IMPORTS {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        let dependencies = section(&manifest, "[dependencies]");
        for ours in OURS {
            let uses = dependencies
                .lines()
                .any(|line| line.split(['=', '.', ' ']).next().is_some_and(|name| name == *ours));
            assert!(
                !uses || allowed.contains(ours),
                "{folder} must not depend on {ours}: it may use {allowed:?} (see ARCHITECTURE.md)"
            );
        }
    }
}

#[test]
fn pure_crates_depend_on_nothing_that_opens_anything() {
    for folder in PURE {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        let dependencies = section(&manifest, "[dependencies]");
        for impure in ["tokio", "rumqttd", "rumqttc", "rusqlite", "rustix", "mio", "socket2"] {
            assert!(
                !dependencies.lines().any(|line| line.starts_with(impure)),
                "{folder} must not depend on {impure}: its shell does what needs it"
            );
        }
    }
}

/// Crates whose files reach each other as a tree, with the circles that they have all the same; each has its reason in
/// the documentation of its modules.
const TREES: &[(&str, &[&[&str]])] =
    &[("broker/core/src", &[]), ("broker/mesh/src", &[]), ("gateway/core/src", &[])];

#[test]
fn files_reach_each_other_as_a_tree() {
    for (folder, known) in TREES {
        for circle in imports::circles(&root().join(folder)) {
            assert!(
                known.contains(&circle.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
                "in {folder} these reach each other: {circle:?}; give a role what it may touch as an argument, and let \
                 it return what it wants of the others"
            );
        }
    }
}

#[test]
fn pure_crates_read_no_clock_and_open_nothing() {
    for folder in PURE {
        for file in rust_files(&root().join(folder).join("src")) {
            let text = read(&file);
            for forbidden in
                ["std::fs", "std::net", "std::thread", "SystemTime", "Instant::now", "tokio::"]
            {
                assert!(
                    !text.contains(forbidden),
                    "{}: a pure core takes time and input as values, so it never uses {forbidden}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn what_a_crate_takes_in_at_compile_time_is_its_own() {
    let product = IMPORTS.iter().map(|(folder, _)| *folder).filter(|f| !f.starts_with("tests/"));
    for file in product.flat_map(|folder| rust_files(&root().join(folder))) {
        let text = read(&file);
        let taken = ["include_str!(\"", "include_bytes!(\""];
        let paths = taken.iter().flat_map(|open| text.split(open).skip(1));
        for path in paths.filter_map(|rest| rest.split('"').next()) {
            let from = file.parent().unwrap().join(path).canonicalize().unwrap();
            assert_eq!(
                package_of(&from),
                package_of(&file.canonicalize().unwrap()),
                "{} takes {path} from another crate, so it cannot be packaged by itself",
                file.display()
            );
        }
    }
}

#[test]
fn only_the_router_module_knows_rumqttd() {
    // The router, this rule, and the stock broker to measure beside.
    let allowed = ["broker/src/router.rs", "tests/tidy.rs", "broker/examples/stock_rumqttd.rs"];
    for file in rust_files(&root()) {
        let allowed = allowed.iter().any(|path| file == root().join(path));
        let code = read(&file);
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let uses = code.clone().any(|line| line.contains("rumqttd::"));
        assert!(!uses || allowed, "{}: only broker/src/router.rs may use rumqttd", file.display());
    }
}

#[test]
fn files_are_short() {
    for file in rust_files(&root()) {
        let lines = read(&file).lines().count();
        assert!(
            lines <= 500,
            "{} has {lines} lines; above 500 a file has two roles: give each its own",
            file.display()
        );
    }
}

#[test]
fn file_names_say_what_is_inside() {
    for file in rust_files(&root()) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let vague = ["util", "utils", "helper", "helpers", "common", "misc"];
        assert!(!vague.contains(&stem.as_str()), "{}: name what it does", file.display());
    }
}

#[test]
fn every_file_with_settings_loads() {
    for entry in fs::read_dir(root().join("config")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "toml") || name == "Cargo.toml" {
            continue;
        }
        let sources = hearth_config::Sources {
            file: Some(path.clone()),
            ..hearth_config::Sources::default()
        };
        if let Err(error) = sources.load() {
            panic!("{} does not load: {error}", path.display());
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the nearest manifest above a file.
fn package_of(file: &Path) -> &Path {
    file.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file()).unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn section<'a>(manifest: &'a str, head: &str) -> &'a str {
    let Some((_, rest)) = manifest.split_once(head) else { return "" };
    rest.split("\n[").next().unwrap_or(rest)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
