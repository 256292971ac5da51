//! A home whose broker knows its users. The password of each is the name and `!`.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Home, Process, hearth};

/// Who a test itself is.
pub(super) const MYSELF: &str = "ada";

pub(super) fn password(user: &str) -> String {
    format!("{user}!")
}

impl Home {
    /// Three gateways with these options and, besides theirs and an admin, these users with their roles.
    pub(crate) fn guarded(options: &[&str], users: &[(&str, &str)]) -> Self {
        Self::guarded_within(&[], options, users)
    }

    /// The same with these settings of the broker.
    pub(crate) fn guarded_within(
        limits: &[(&'static str, &'static str)],
        options: &[&str],
        users: &[(&str, &str)],
    ) -> Self {
        let mut home = Self::empty(options, true);
        home.limits = limits.to_vec();
        for (user, role) in [("gateway", "gateway"), (MYSELF, "admin")].iter().chain(users) {
            home.add_user(user, role);
        }
        home.begin();
        home
    }

    /// `hearth broker user …`
    pub(crate) fn user(&self, arguments: &[&str]) {
        let mut command = hearth();
        command.args(["broker", "user"]).args(arguments);
        command.arg("--users").arg(self.data().join("users"));
        // The password, if it asks for one; whatever it has to say is of no interest.
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::null()));
        let mut input = process.0.stdin.take().unwrap();
        let user = arguments.get(1).copied().unwrap_or_default();
        writeln!(input, "{}", password(user)).unwrap();
        drop(input);
        assert!(process.end().status.success(), "hearth broker user {arguments:?}");
    }

    pub(crate) fn add_user(&self, name: &str, role: &str) {
        self.user(&["add", name, "--role", role]);
    }

    /// Makes the broker read its users again; it does so soon.
    pub(crate) fn reload_broker(&self) {
        self.broker.as_ref().unwrap().signal("HUP");
    }

    /// One of the mosquitto programs with a user's name and password.
    pub(crate) fn mosquitto_as(&self, program: &str, user: &str) -> Command {
        let mut command = self.stranger(program);
        command.args(["-u", user, "-P", &password(user)]);
        command
    }
}
