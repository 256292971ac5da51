//! Where a broker is.

use core::fmt;
use core::str::FromStr;

/// MQTT's registered port.
const PORT: u16 = 1883;

/// A broker's address: `mqtt://user:password@host:port`, `host:port` or `host`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or number of the machine; an IPv6 number without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name to log in with; none for an anonymous connection.
    pub username: Option<String>,
    /// Password to log in with.
    pub password: Option<String>,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// No host at all.
    NoHost,
    /// The part after the last colon is no port from 1 to 65535.
    Port(String),
    /// A scheme other than `mqtt://` and `tcp://`.
    Scheme(String),
    /// Something after the port.
    Path(String),
    /// An IPv6 number whose bracket is not closed.
    Bracket,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => write!(f, "a broker's address names a host, as in mqtt://box.local"),
            Self::Port(port) => {
                write!(f, "{port:?} is no port; a port is a number from 1 to 65535")
            }
            Self::Scheme(scheme) => {
                write!(f, "cannot speak {scheme}://; a broker's address begins with mqtt://")
            }
            Self::Path(path) => write!(f, "{path:?} must not follow the broker's port"),
            Self::Bracket => write!(f, "the '[' of an IPv6 address is not closed"),
        }
    }
}

impl std::error::Error for AddressError {}

impl Default for Address {
    fn default() -> Self {
        Self { host: "127.0.0.1".into(), port: PORT, username: None, password: None }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = match text.trim().split_once("://") {
            Some(("mqtt" | "tcp", rest)) => rest,
            Some((scheme, _)) => return Err(AddressError::Scheme(scheme.into())),
            None => text.trim(),
        };
        // The last '@' ends the password, so that a password may contain one.
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let place = match place.split_once('/') {
            Some((place, "")) => place,
            Some((_, path)) => return Err(AddressError::Path(format!("/{path}"))),
            None => place,
        };
        let (host, port) = host_and_port(place)?;
        let (username, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
            None => (None, None),
            Some(Ok((name, password))) => (Some(name.to_owned()), Some(password.to_owned())),
            Some(Err(name)) => (Some(name.to_owned()), None),
        };
        Ok(Self { host: host.to_owned(), port, username, password })
    }
}

fn host_and_port(place: &str) -> Result<(&str, u16), AddressError> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(AddressError::Bracket)?;
        (host, if after.is_empty() { None } else { Some(after.trim_start_matches(':')) })
    } else if place.matches(':').count() > 1 {
        // Two colons and no brackets: a bare IPv6 number.
        (place, None)
    } else {
        match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    let Some(port) = port else { return Ok((host, PORT)) };
    match port.parse() {
        Ok(number) if number > 0 => Ok((host, number)),
        _ => Err(AddressError::Port(port.into())),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://")?;
        if let Some(name) = &self.username {
            write!(f, "{name}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Address {
    // As shown to people, so that no log ever holds the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect(text)
    }

    #[test]
    fn every_way_to_write_an_address() {
        assert_eq!(address("localhost").to_string(), "mqtt://localhost:1883");
        assert_eq!(address("box.local:1884").to_string(), "mqtt://box.local:1884");
        assert_eq!(address("mqtt://10.0.0.1/").to_string(), "mqtt://10.0.0.1:1883");
        assert_eq!(address("mqtt://[::1]:1885").to_string(), "mqtt://[::1]:1885");
        assert_eq!(address("::1").host, "::1");
        let full = address("mqtt://anna:p@ss:word@box:1886");
        assert_eq!(full.username.as_deref(), Some("anna"));
        assert_eq!(full.password.as_deref(), Some("p@ss:word"));
        assert_eq!((full.host.as_str(), full.port), ("box", 1886));
    }

    #[test]
    fn a_password_is_never_shown() {
        let secret = address("mqtt://anna:secret@box");
        assert!(!format!("{secret} {secret:?}").contains("secret"));
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        let error = |text: &str| text.parse::<Address>().expect_err(text).to_string();
        assert!(error("").contains("host"));
        assert!(error("mqtt://:1883").contains("host"));
        assert!(error("box:http").contains("\"http\""));
        assert!(error("box:0").contains("65535"));
        assert!(error("mqtts://box").contains("mqtts://"));
        assert!(error("mqtt://box:1883/home").contains("/home"));
        assert!(error("[::1:1883").contains("'['"));
    }
}
