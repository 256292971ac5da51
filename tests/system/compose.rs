//! The home in containers. Runs where `./test` found an engine (`HEARTH_COMPOSE=1`), and says so
//! where it did not.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value as Json;

use crate::kit::{PATIENCE, root, text};

/// The binary for the image, as the folder knows it from which images are made.
fn binary() -> Option<PathBuf> {
    let binary = PathBuf::from(std::env::var_os("HEARTH_BINARY")?);
    Some(binary.strip_prefix(root()).map(Path::to_owned).unwrap_or(binary))
}

/// A compose project that is taken down with its volumes when it is dropped.
struct Project {
    name: String,
    port: u16,
}

impl Project {
    fn up() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let project = Self { name: format!("hearth-test-{}", std::process::id()), port: free };
        let output = project.compose(&["up", "--detach", "--build"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        project
    }

    fn compose(&self, arguments: &[&str]) -> Output {
        Command::new("docker-compose")
            .args(["--project-name", &self.name])
            .args(arguments)
            .current_dir(root())
            .envs(binary().map(|binary| ("HEARTH_BINARY", binary)))
            .env("HEARTH_PORT", self.port.to_string())
            .env("HEARTH_ADMIN_PASSWORD", &self.name)
            .output()
            .unwrap()
    }

    fn container(&self, service: &str) -> String {
        text(&self.compose(&["ps", "-q", service]).stdout).trim().to_owned()
    }

    /// `mosquitto_rr` from the host; null when nobody answers.
    fn ask(&self, topic: &str) -> Json {
        let reply = format!("reply/{}", self.name);
        let output = Command::new("mosquitto_rr")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-t", topic, "-e", &reply])
            .args(["-m", "", "-W", "2", "-u", "admin", "-P", &self.name])
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Json::Null)
    }

    fn until(&self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !so(self) {
            if began.elapsed() > PATIENCE * 2 {
                let logs = self.compose(&["logs", "--tail", "50"]);
                panic!("waited in vain until {what}\n{}", text(&logs.stdout));
            }
        }
    }

    /// The gateway that answers for the door.
    fn answers_for_the_door(&self) -> Option<u64> {
        let answer = self.ask("home/hallway/doorSensor/get");
        (answer["status"] == "ok").then(|| answer["owner"].as_u64())?
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["down", "--volumes", "--timeout", "5"]);
    }
}

#[test]
fn a_home_in_containers_survives_a_dead_gateway_and_a_cut_one() {
    if std::env::var_os("HEARTH_COMPOSE").is_none() {
        eprintln!("skipped: HEARTH_COMPOSE is not set; ./test sets it where docker can be used");
        return;
    }
    let home = Project::up();
    home.until("the five devices are registered", |home| {
        home.ask("hearth/home/api/devices")["devices"].as_array().is_some_and(|all| all.len() == 5)
    });
    home.until("every container is healthy", |home| {
        (1..=3).all(|id| {
            let container = home.container(&format!("gateway-{id}"));
            let format = "{{.State.Health.Status}}";
            let health =
                Command::new("docker").args(["inspect", "-f", format, &container]).output();
            text(&health.unwrap().stdout).trim() == "healthy"
        })
    });
    killed_owner_is_replaced(&home);
    cut_owner_is_replaced_and_let_back(&home);
    let stopped = home.compose(&["stop", "--timeout", "10"]);
    assert!(stopped.status.success(), "{}", text(&stopped.stderr));
    for service in ["broker", "gateway-1", "gateway-2", "gateway-3", "door"] {
        let container = home.container(service);
        let inspect = ["inspect", "-f", "{{.State.ExitCode}}", &container];
        let state = Command::new("docker").args(inspect).output().unwrap();
        assert_eq!(text(&state.stdout).trim(), "0", "{service} stops cleanly on SIGTERM");
    }
}

fn killed_owner_is_replaced(home: &Project) {
    let mut owner = None;
    home.until("someone answers for the door", |home| {
        owner = home.answers_for_the_door();
        owner.is_some()
    });
    let owner = owner.unwrap();
    let service = format!("gateway-{owner}");
    assert!(home.compose(&["kill", &service]).status.success());
    home.until("another gateway answers for the door", |home| {
        home.answers_for_the_door().is_some_and(|now| now != owner)
    });
    assert!(home.compose(&["start", &service]).status.success());
    home.until("it serves the door again", |home| home.answers_for_the_door() == Some(owner));
}

fn cut_owner_is_replaced_and_let_back(home: &Project) {
    let owner = home.answers_for_the_door();
    let mut before = owner;
    home.until("someone answers for the door", |home| {
        before = before.or_else(|| home.answers_for_the_door());
        before.is_some()
    });
    let owner = before.unwrap();
    let container = home.container(&format!("gateway-{owner}"));
    let network = format!("{}_default", home.name);
    let docker = |verb: &str| {
        let done = Command::new("docker").args(["network", verb, &network, &container]).output();
        let done = done.unwrap();
        assert!(done.status.success(), "docker network {verb}: {}", text(&done.stderr));
    };
    docker("disconnect");
    home.until("another gateway answers for the door", |home| {
        home.answers_for_the_door().is_some_and(|now| now != owner)
    });
    docker("connect");
    home.until("it serves the door again", |home| home.answers_for_the_door() == Some(owner));
}
