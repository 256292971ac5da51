//! Texts of others on terminals and in logs.

use core::fmt::{self, Write};

/// Shows a text that somebody else wrote: what would move a cursor, begin a line or turn the direction of
/// writing is shown as an escape, such as `\u{1b}`.
#[must_use]
pub fn visible(text: &str) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| Visible(f).write_str(text))
}

/// Writes what is written into it so that it can be shown, see [`visible`].
#[derive(Debug)]
pub struct Visible<W>(pub W);

impl<W: Write> Write for Visible<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_hidden) {
            match part.char_indices().next_back() {
                Some((at, last)) if is_hidden(last) => {
                    self.0.write_str(&part[..at])?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// Whether a character acts instead of being seen: a control character, the end of a line or paragraph, or a
/// mark, an embedding, an override or an isolate of the direction of writing.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_and_the_rest_stays() {
        let shown = |text: &str| visible(text).to_string();
        assert_eq!(shown("half open, 21.5 °C \\ 👩‍👧"), "half open, 21.5 °C \\ 👩‍👧");
        assert_eq!(shown("a\nb\r\t"), "a\\nb\\r\\t");
        assert_eq!(shown("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(shown("\u{9b}2J\0\u{7f}"), "\\u{9b}2J\\u{0}\\u{7f}");
        assert_eq!(shown("x\u{202e}y\u{2069}\u{2028}"), "x\\u{202e}y\\u{2069}\\u{2028}");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn nothing_that_acts_is_ever_shown() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let shown = visible(&format!("a{c}b")).to_string();
            assert!(!shown.contains(is_hidden), "{c:?}");
            assert_eq!(shown == format!("a{c}b"), !is_hidden(c), "{c:?}");
        }
    }
}
