//! Child processes: this same program in other roles, which never outlive us.
//!
//! Three things see to that. Dropping a child kills it. A child's standard input is a pipe that we
//! hold, and it stops when that ends, which also happens when we are killed. And Ctrl-C reaches the
//! whole process group.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child as Process, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::failure::{Failure, Outcome};

/// A line that a child printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The child's name.
    pub(crate) from: String,
    /// What it printed.
    pub(crate) text: String,
    /// Whether on standard error.
    pub(crate) error: bool,
}

/// How to start a child.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) arguments: Vec<OsString>,
    /// Its settings, as variables: others may read a command line, and it may hold a password.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A running child.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    process: Process,
    stdin: Option<ChildStdin>,
}

/// Lines that may wait for the printer; then the child waits.
pub(crate) const LINES: usize = 1024;

/// A child that was asked to stop is killed after this time: longer than a gateway needs to say
/// goodbye, shorter than a person's patience.
const GOODBYE: Duration = Duration::from_secs(3);

impl Plan {
    pub(crate) fn new<const N: usize>(name: impl Into<String>, arguments: [&str; N]) -> Self {
        let arguments = arguments.into_iter().map(OsString::from).collect();
        Self { name: name.into(), arguments, variables: Vec::new() }
    }

    pub(crate) fn variable(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    /// Starts the child; what it prints goes to `lines`.
    pub(crate) fn start(&self, lines: &mpsc::Sender<Line>) -> Outcome<Child> {
        let fail = |error| Failure::failed(format!("cannot start {}: {error}", self.name));
        let program = std::env::current_exe().map_err(fail)?;
        let mut process = Command::new(program)
            .arg("--stop-with-stdin")
            .args(&self.arguments)
            // A child is told who it is; what its parent is does not matter to it.
            .env_remove("HEARTH_GATEWAY__ID")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(fail)?;
        let stdin = process.stdin.take();
        if let Some(out) = process.stdout.take() {
            tokio::spawn(forward(out, self.name.clone(), false, lines.clone()));
        }
        if let Some(err) = process.stderr.take() {
            tokio::spawn(forward(err, self.name.clone(), true, lines.clone()));
        }
        Ok(Child { name: self.name.clone(), process, stdin })
    }
}

impl Child {
    /// Waits until the child has ended by itself.
    pub(crate) async fn ended(&mut self) -> Outcome<ExitStatus> {
        Ok(self.process.wait().await?)
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> Outcome {
        Ok(self.process.kill().await?)
    }

    /// Asks it to stop, and kills it if it does not.
    pub(crate) async fn stop(mut self) {
        drop(self.stdin.take());
        if timeout(GOODBYE, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }

    /// Lets it stand still, as an overloaded machine would.
    pub(crate) fn pause(&self) -> Outcome {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) -> Outcome {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Outcome {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let id = id.ok_or_else(|| Failure::failed(format!("{} has ended", self.name)))?;
        Ok(kill_process(id, signal)?)
    }
}

/// Stops all children at the same time.
pub(crate) async fn stop_all(children: impl IntoIterator<Item = Child>) {
    let stopping: Vec<_> = children.into_iter().map(|child| tokio::spawn(child.stop())).collect();
    for child in stopping {
        let _ = child.await;
    }
}

async fn forward(
    pipe: impl AsyncRead + Unpin,
    from: String,
    error: bool,
    lines: mpsc::Sender<Line>,
) {
    let mut read = BufReader::new(pipe).lines();
    while let Ok(Some(text)) = read.next_line().await {
        // Nobody prints any more; read on, so that the child does not stand at a full pipe.
        let _ = lines.send(Line { from: from.clone(), text, error }).await;
    }
}
