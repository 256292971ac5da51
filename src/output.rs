//! Standard output that may end before we do, as in `hearth status | head`.

use std::fmt;
use std::io::{ErrorKind, Write};

/// Prints a line.
macro_rules! out {
    () => { $crate::output::line(format_args!("")) };
    ($($part:tt)+) => { $crate::output::line(format_args!($($part)+)) };
}

pub(crate) use out;

/// Prints a line. When nobody reads any more, that is a good end of the command.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        let code = if error.kind() == ErrorKind::BrokenPipe { 0 } else { 1 };
        std::process::exit(code);
    }
}
