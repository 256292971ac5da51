//! Why a text is no broker's address. No text of these repeats what may be part of a password.

/// Why a text is no broker's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No host at all.
    #[error("a broker's address names a host, as in mqtt://box.lan")]
    NoHost,
    /// Something that no host's name holds.
    #[error("the host holds characters that no host's name has")]
    Host,
    /// An IPv6 number that is none, or without its brackets.
    #[error("an IPv6 address stands in brackets, and nothing else does, as in mqtt://[::1]:1883")]
    Ipv6,
    /// The port is none from 1 to 65535.
    #[error(
        "the port is no number from 1 to 65535; a password's / is written %2F, its # %23, its ? %3F"
    )]
    Port,
    /// A scheme for encrypted connections.
    #[error("Hearth's own clients use no TLS yet; the address begins with mqtt://")]
    Tls,
    /// Any other scheme.
    #[error("cannot speak {0}://; a broker's address begins with mqtt://")]
    Scheme(String),
    /// Something after the port.
    #[error(
        "nothing follows the port of a broker; a password's / is written %2F, its # %23, its ? %3F"
    )]
    Tail,
    /// A `%` that is no encoded character.
    #[error("two hexadecimal digits follow a %, as in %40 for @; a % itself is written %25")]
    Percent,
    /// A password without a name.
    #[error("a password needs a user name before it, as in mqtt://user:password@box.lan")]
    NoUser,
}

impl From<url::ParseError> for AddressError {
    fn from(error: url::ParseError) -> Self {
        match error {
            url::ParseError::EmptyHost => Self::NoHost,
            url::ParseError::InvalidPort => Self::Port,
            url::ParseError::InvalidIpv6Address => Self::Ipv6,
            _ => Self::Host,
        }
    }
}
