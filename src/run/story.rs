//! Prints what happens: the player's lines as they are, the processes' with their names before them.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::children::{LINES, Line};
use crate::output::{complain, out};

/// The one place that prints while a home runs, so that lines never mix.
#[derive(Debug)]
pub(crate) struct Story {
    lines: mpsc::Sender<Line>,
    printer: JoinHandle<()>,
}

impl Story {
    /// A story on standard output; quiet, only the processes' errors are shown.
    pub(crate) fn new(quiet: bool) -> Self {
        let (lines, told) = mpsc::channel(LINES);
        Self { lines, printer: tokio::spawn(print(told, quiet)) }
    }

    /// Where processes send their lines.
    pub(crate) fn lines(&self) -> &mpsc::Sender<Line> {
        &self.lines
    }

    /// Prints one or more lines.
    pub(crate) async fn say(&self, text: impl Into<String>) {
        let line = Line { from: String::new(), text: text.into(), error: false };
        // The printer ends only after us.
        let _ = self.lines.send(line).await;
    }

    /// Prints what is left. All processes must have ended.
    pub(crate) async fn end(self) {
        drop(self.lines);
        let _ = timeout(Duration::from_secs(2), self.printer).await;
    }
}

async fn print(mut lines: mpsc::Receiver<Line>, quiet: bool) {
    while let Some(Line { from, text, error }) = lines.recv().await {
        match (error, from.is_empty()) {
            (true, _) => complain(format_args!("{from} | {text}")),
            (false, _) if quiet => {}
            (false, true) => out!("{}", text.trim_end_matches('\n')),
            (false, false) => out!("{from} | {text}"),
        }
    }
}
