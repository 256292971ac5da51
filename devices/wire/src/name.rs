//! Names that become topic levels, checked once.

use core::fmt;

use hearth_names::{NameError, check};
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// When the text cannot be one topic level.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl core::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name! {
    /// Name of one home: the root of its topics.
    Site
}
name! {
    /// A zone: the topic level under the site that one gateway owns, serves and hands over.
    Zone
}
name! {
    /// Name of a device, unique within its zone.
    Device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_level_that_a_person_can_type() {
        assert!(Zone::new("kitchen").is_ok());
        assert!(Zone::new("salle à manger").is_ok());
        assert_eq!(Zone::new(""), Err(NameError::Empty));
        assert_eq!(Zone::new("a/b"), Err(NameError::Forbidden('/')));
        assert_eq!(Zone::new("a+"), Err(NameError::Forbidden('+')));
        assert_eq!(Zone::new("$SYS"), Err(NameError::Dollar));
        assert_eq!(Zone::new("a\0"), Err(NameError::Forbidden('\0')));
        assert_eq!(Zone::new("x".repeat(129)), Err(NameError::TooLong(129)));
    }
}
