//! What can be wrong with a payload.

use core::fmt;

/// Why a payload was refused; its text is what the sender is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// No bytes at all where a state was expected.
    Empty,
    /// More bytes than a payload may have.
    TooLarge {
        /// Bytes received.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes are not UTF-8.
    NotText,
    /// It begins like a JSON object and is none; the text says where it breaks.
    BadJson(String),
    /// A member is missing or has the wrong type.
    Member {
        /// Name of the member.
        name: &'static str,
        /// What it should have been.
        expected: &'static str,
    },
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the payload is empty; send a state such as ON or 21.5"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "the payload has {bytes} bytes; at most {limit} are taken")
            }
            Self::NotText => write!(f, "the payload is not UTF-8 text"),
            Self::BadJson(why) => write!(f, "the payload is not valid JSON: {why}"),
            Self::Member { name, expected } => write!(f, "member \"{name}\" must be {expected}"),
        }
    }
}

impl std::error::Error for PayloadError {}
