//! What an attack does to the broker's process.

use std::fs::{File, OpenOptions};

use super::{Home, text};

impl Home {
    pub(super) fn log(&self) -> File {
        let log = self.data().join("broker.log");
        OpenOptions::new().create(true).append(true).open(log).unwrap()
    }

    /// What a broker with limits of its own has logged.
    pub(crate) fn broker_log(&self) -> String {
        text(&std::fs::read(self.data().join("broker.log")).unwrap())
    }

    /// One of the kernel's figures of the broker's memory, in bytes.
    pub(crate) fn broker_memory(&self, figure: &str) -> usize {
        let status = format!("/proc/{}/status", self.broker.as_ref().unwrap().0.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// The peak of the broker's memory (`VmHWM`) counts from here on.
    pub(crate) fn forget_peak_memory(&self) {
        let refs = format!("/proc/{}/clear_refs", self.broker.as_ref().unwrap().0.id());
        std::fs::write(refs, "5").unwrap();
    }
}
