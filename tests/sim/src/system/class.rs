//! Classes of trouble that may be left out of a run, so that those that hold can be played while others are mended.

use std::fmt;
use std::str::FromStr;

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A class of trouble, with the claim that it is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Class {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Class {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As it is written on a command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

classes! {
    /// Floods at QoS 0 that fill the bounds of an owner and of its sessions.
    Flood = "flood",
    /// Devices that begin anew with packet ids whose publishes are not acknowledged.
    Reuse = "reuse",
    /// Refusals for good are told to MQTT 5 clients as what they are.
    Refusal = "refusal",
    /// Requests that come again under their `id` after more than a thousand others.
    Ids = "ids",
    /// Wall clocks that are wrong by more than the blink of an eye, and that jump.
    Clocks = "clocks",
    /// Files of gateways that are put back by a copy over the file, so that nothing tells them from the present one.
    Copies = "copies",
    /// Orders that have expired are not carried out.
    Expiry = "expiry",
    /// A published state never goes back, not even for a moment.
    States = "states",
    /// Files of brokers that are lost, or put back as they were.
    BrokerFile = "broker-file",
}

/// A set of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes(u16);

impl Classes {
    /// Everything.
    pub const ALL: Self = Self((1 << Class::ALL.len()) - 1);

    /// Those whose faults are mended: what every run of the tests plays.
    pub const MENDED: Self = Self(0)
        .with(Class::Flood)
        .with(Class::Reuse)
        .with(Class::Refusal)
        .with(Class::Clocks)
        .with(Class::Expiry)
        .with(Class::Copies)
        .with(Class::States);

    /// Whether this one is played.
    #[must_use]
    pub const fn has(self, class: Class) -> bool {
        self.0 & 1 << class as u8 != 0
    }

    /// The same with this one.
    #[must_use]
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as u8)
    }
}

impl Default for Classes {
    fn default() -> Self {
        Self::MENDED
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Class::ALL.iter().filter(|class| self.has(**class)).collect();
        if names.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&names.iter().map(|class| class.name()).collect::<Vec<_>>().join(","))
    }
}

/// A name that is no class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownClass(String);

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Class::ALL.iter().map(|class| class.name()).collect();
        write!(f, "{} is none of all, mended, none, {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownClass {}

impl FromStr for Classes {
    type Err = UnknownClass;

    /// Names with commas between them; `mended,flood` is those that hold and one more.
    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        text.split(',').try_fold(Self(0), |sum, name| {
            let more = match name {
                "all" => Self::ALL,
                "mended" => Self::MENDED,
                "none" => Self(0),
                name => {
                    let class = Class::ALL.iter().find(|class| class.name() == name);
                    Self(0).with(*class.ok_or_else(|| UnknownClass(name.to_owned()))?)
                }
            };
            Ok(Self(sum.0 | more.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_come_back_from_their_names() {
        for text in ["flood,clocks", "broker-file", "none"] {
            assert_eq!(text.parse::<Classes>().map(|classes| classes.to_string()), Ok(text.into()));
        }
        assert_eq!("all".parse(), Ok(Classes::ALL));
        assert!("floods".parse::<Classes>().is_err());
    }
}
