//! What can be a topic level of Hearth: a site, a zone, a device.

/// Longest name, in bytes; keeps every topic far below MQTT's 65,535.
pub const LONGEST: usize = 128;

/// Why a text cannot be a topic level of Hearth.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing between two slashes.
    #[error("a name must not be empty")]
    Empty,
    /// More than 128 bytes.
    #[error("a name has at most {LONGEST} bytes, this one {0}")]
    TooLong(usize),
    /// `/`, `+`, `#` or a control character.
    #[error("a name must not contain {0:?}")]
    Forbidden(char),
    /// Levels that begin with `$` belong to brokers.
    #[error("a name must not begin with '$'")]
    Dollar,
}

/// Whether a text can be a name.
///
/// # Errors
/// The first reason why it cannot.
pub fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > LONGEST {
        return Err(NameError::TooLong(text.len()));
    }
    if text.starts_with('$') {
        return Err(NameError::Dollar);
    }
    match text.chars().find(|c| matches!(c, '/' | '+' | '#') || c.is_control()) {
        Some(c) => Err(NameError::Forbidden(c)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_level_that_a_person_can_type() {
        assert_eq!(check("kitchen"), Ok(()));
        assert_eq!(check("salle à manger"), Ok(()));
        assert_eq!(check(&"x".repeat(LONGEST)), Ok(()));
        assert_eq!(check(""), Err(NameError::Empty));
        assert_eq!(check("a/b"), Err(NameError::Forbidden('/')));
        assert_eq!(check("a+"), Err(NameError::Forbidden('+')));
        assert_eq!(check("#"), Err(NameError::Forbidden('#')));
        assert_eq!(check("$SYS"), Err(NameError::Dollar));
        assert_eq!(check("a\0"), Err(NameError::Forbidden('\0')));
        assert_eq!(check(&"x".repeat(129)), Err(NameError::TooLong(129)));
    }
}
