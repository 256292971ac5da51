//! Why a command did not do what was asked: one sentence, and the exit code.

use std::fmt;
use std::process::ExitCode;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    text: String,
}

/// What a command gives back.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// It was tried and went wrong.
    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Self { exit: 1, text: text.to_string() }
    }

    /// It was asked for in a way that has no meaning.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self { exit: 2, text: text.to_string() }
    }

    /// Nobody answered.
    pub(crate) fn no_answer(text: impl fmt::Display) -> Self {
        Self { exit: 3, text: text.to_string() }
    }

    /// The same; what a missing answer leaves open is said too.
    pub(crate) fn unanswered(self, open: &str) -> Self {
        if self.exit == 3 { Self { text: format!("{}; {open}", self.text), ..self } } else { self }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}
