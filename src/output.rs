//! Standard output and standard error: the only ways to a terminal. What others wrote cannot act there. Standard output
//! may end before we do, as in `hearth status | head`.

use std::fmt::{self, Write as _};
use std::io::{ErrorKind, Write};

use serde_json::Value as Json;
use wire::{is_hidden, visible};

/// Prints a line, or several.
macro_rules! out {
    () => { $crate::output::line(format_args!("")) };
    ($($part:tt)+) => { $crate::output::line(format_args!($($part)+)) };
}

pub(crate) use out;

/// Prints lines. When nobody reads any more, that is a good end of the command.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    print(&harmless(&text.to_string()));
}

/// Prints JSON, in which a character that would act on a terminal is an escape too.
pub(crate) fn json(json: &Json) {
    print(&harmless_json(&json.to_string()));
}

/// Prints a line on standard error.
pub(crate) fn complain(text: impl fmt::Display) {
    // Without standard error there is nobody to complain to.
    let _ = writeln!(std::io::stderr().lock(), "{}", harmless(&text.to_string()));
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        let code = if error.kind() == ErrorKind::BrokenPipe { 0 } else { 1 };
        std::process::exit(code);
    }
}

/// The end of a line may be our own; what others wrote is escaped where it is put into a line.
fn harmless(text: &str) -> String {
    text.split('\n').map(|line| visible(line).to_string()).collect::<Vec<_>>().join("\n")
}

/// Outside of its texts JSON has no such characters.
fn harmless_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            // All of them have four hexadecimal digits at most.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_not_act() {
        assert_eq!(harmless("a\nb\u{1b}[2J\r"), "a\nb\\u{1b}[2J\\r");
        let json = serde_json::json!({"a\u{85}": "\u{9b}2J\n\u{202e}\u{7f}é"});
        let shown = harmless_json(&json.to_string());
        assert!(!shown.contains(is_hidden), "{shown}");
        assert_eq!(serde_json::from_str::<Json>(&shown).expect("still JSON"), json);
    }
}
