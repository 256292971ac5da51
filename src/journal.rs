//! The log on standard error, of every part of the program.

use std::fmt::Write as _;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;
use wire::Visible;

use crate::failure::{Failure, Outcome};

/// Starts the log with a filter such as `info` or `broker=debug`.
pub(crate) fn start(filter: &str) -> Outcome {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("--log {filter}: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .fmt_fields(fields())
        .init();
    Ok(())
}

/// States, ids and names of others are in the fields and in the message. They are written so that they can neither
/// begin a line nor act on a terminal.
fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    debug_fn(|writer, field, value| match field.name() {
        "message" => write!(Visible(writer), "{value:?}"),
        name => write!(Visible(writer), "{name}={value:?}"),
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_of_the_log_cannot_be_forged() {
        let lines = Lines::default();
        let written = lines.clone();
        let log = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || written.clone())
            .fmt_fields(fields())
            .finish();
        let evil = "x\n2026-01-01 WARN \u{1b}[31m\u{202e}";
        tracing::subscriber::with_default(log, || {
            tracing::warn!(client = %evil, topic = ?evil, number = 7, "refused {evil}");
        });
        let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("text");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.trim_end().contains(wire::is_hidden), "{text}");
        assert!(text.contains("refused x\\n2026") && text.contains(" number=7"), "{text}");
    }
}
