//! Every command that the README shows runs.

use crate::kit::{Home, hearth, root, text};

/// The commands of the README's code blocks, without what starts a server or needs a network.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines);
    let commands = lines.map(|line| line.split("  #").next().unwrap_or(line).trim().to_owned());
    commands.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn every_command_of_the_readme_is_known_to_the_program() {
    let mut seen = 0;
    for command in commands() {
        let Some(rest) = command.strip_prefix("hearth ") else { continue };
        // Up to the first argument that is a value: `hearth run` of `hearth run FILE 1 1`.
        let subcommand = rest.split_whitespace().next().unwrap();
        let output = hearth().args([subcommand, "--help"]).output().unwrap();
        assert!(output.status.success(), "README: {command}: {}", text(&output.stderr));
        seen += 1;
    }
    assert!(seen > 10, "the README shows only {seen} commands of hearth");
}

#[test]
fn the_commands_that_talk_to_a_home_work_as_shown() {
    let mut home = Home::start();
    for (kind, zone, name) in [("bulb", "bedroom", "smartBulb"), ("door", "hallway", "doorSensor")]
    {
        home.device(kind, zone, name);
    }
    let mut run = 0;
    for command in commands() {
        let talks = ["mosquitto_pub", "mosquitto_rr"].iter().any(|p| command.starts_with(p))
            || [
                "get",
                "set",
                "status",
                "devices",
                "zones",
                "history",
                "log",
                "health",
                "broker sessions",
            ]
            .iter()
            .any(|verb| command.starts_with(&format!("hearth {verb}")));
        // There is no such session here.
        if !talks || command.contains("--end") {
            continue;
        }
        let program = env!("CARGO_BIN_EXE_hearth");
        let port = home.port;
        let script = command
            .replace("hearth ", &format!("{program} --broker mqtt://127.0.0.1:{port} "))
            .replace("mosquitto_pub", &format!("mosquitto_pub -p {port}"))
            .replace("mosquitto_rr", &format!("mosquitto_rr -W 10 -p {port}"));
        // `hearth/…` is a topic, not the program.
        let script =
            script.replace(&format!("{program} --broker mqtt://127.0.0.1:{port} /"), "hearth/");
        let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "README: {command}: {}", text(&output.stderr));
        run += 1;
    }
    assert!(run >= 6, "the README shows only {run} commands that talk to a home");
}
