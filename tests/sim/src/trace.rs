//! What happened in one run, as JSON lines: one line per event, in order, so that it can be stepped through.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::Value as Json;

/// Where the events of a run go; nowhere, unless somebody wants to read them.
#[derive(Default)]
pub struct Trace {
    out: Option<Box<dyn Write + Send>>,
    lines: u64,
}

impl Trace {
    /// Keeps nothing and costs nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Writes the events into a new file.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        let out = BufWriter::new(File::create(path)?);
        Ok(Self { out: Some(Box::new(out)), lines: 0 })
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.out.is_some()
    }

    /// Adds one event, numbered. A trace that cannot be written ends there; the run goes on.
    pub(crate) fn line(&mut self, mut event: Json) {
        let Some(out) = &mut self.out else {
            return;
        };
        self.lines += 1;
        event["n"] = self.lines.into();
        if writeln!(out, "{event}").is_err() {
            self.out = None;
        }
    }
}
