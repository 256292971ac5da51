//! Where a broker is, and who logs in there: `mqtt://user:password@host:port`.
//!
//! | written | host | port |
//! |---|---|---|
//! | `mqtt://box.lan:1884`, `tcp://box.lan:1884`, `box.lan:1884` | `box.lan` | 1884 |
//! | `mqtt://192.168.1.5`, `192.168.1.5` | `192.168.1.5` | 1883 |
//! | `mqtt://[::1]:1884`, `[::1]` | `::1` | 1884, 1883 |
//!
//! In a user name and a password, `%40` is `@`, as in every URL; `%` itself is `%25`. `mqtts://` is
//! refused, for Hearth's own clients use no TLS, and so is `::1` without brackets: nobody could tell
//! whether `::1:1884` ends in a port.

mod error;

pub use error::AddressError;

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

/// MQTT's registered port.
const PORT: u16 = 1883;

/// What is written as `%40` and its like in a user name and a password.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A broker's address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or number of the machine; an IPv6 number without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name to log in with; none for an anonymous connection.
    pub user: Option<String>,
    /// Password to log in with.
    pub password: Option<String>,
}

impl Address {
    /// The address with its password, for a process that is to log in: never for people to read.
    #[must_use]
    pub fn with_password(&self) -> String {
        let login = match (&self.user, &self.password) {
            (None, _) => String::new(),
            (Some(user), None) => format!("{}@", encoded(user)),
            (Some(user), Some(password)) => format!("{}:{}@", encoded(user), encoded(password)),
        };
        format!("mqtt://{login}{}", self.place())
    }

    /// Host and port, as the system's resolver takes them: `box:1883`, `[::1]:1883`.
    #[must_use]
    pub fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Default for Address {
    fn default() -> Self {
        Self { host: "127.0.0.1".into(), port: PORT, user: None, password: None }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(&with_scheme(text.trim())?)?;
        let host = match url.host().ok_or(AddressError::NoHost)? {
            Host::Domain(name) => decoded(name)?,
            Host::Ipv4(number) => number.to_string(),
            Host::Ipv6(number) => number.to_string(),
        };
        let port = url.port().unwrap_or(PORT);
        if port == 0 {
            return Err(AddressError::Port);
        }
        if host.contains(|c: char| c.is_whitespace() || "@/?#%".contains(c)) {
            return Err(AddressError::Host);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Tail);
        }
        let user = Some(url.username()).filter(|name| !name.is_empty());
        if user.is_none() && url.password().is_some() {
            return Err(AddressError::NoUser);
        }
        Ok(Self {
            host,
            port,
            user: user.map(decoded).transpose()?,
            password: url.password().map(decoded).transpose()?,
        })
    }
}

/// Without the password: this is for people to read.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mqtt://")?;
        if let Some(user) = &self.user {
            write!(f, "{}@", encoded(user))?;
        }
        f.write_str(&self.place())
    }
}

/// Without the password, so that no log ever holds it.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text as a URL, whose scheme is one that is spoken here.
fn with_scheme(text: &str) -> Result<Cow<'_, str>, AddressError> {
    // The parser would leave out tabs and line ends.
    if text.contains(char::is_control) {
        return Err(AddressError::Host);
    }
    let is_scheme = |scheme: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        !scheme.is_empty() && scheme.chars().all(allowed)
    };
    // What is no scheme belongs to a password.
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme.to_ascii_lowercase()), rest),
        _ => (None, text),
    };
    let place = rest.rsplit('@').next().unwrap_or(rest).trim_end_matches('/');
    if place.parse::<Ipv6Addr>().is_ok() {
        return Err(AddressError::Ipv6);
    }
    match scheme.as_deref() {
        Some("mqtt" | "tcp") => Ok(text.into()),
        Some("mqtts" | "ssl" | "tls") => Err(AddressError::Tls),
        Some(other) => Err(AddressError::Scheme(other.to_owned())),
        None => Ok(format!("mqtt://{text}").into()),
    }
}

fn encoded(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, ENCODED)
}

/// Undoes `%40` and its like. A `%` without two digits behind it is a mistake, not a `%`.
fn decoded(text: &str) -> Result<String, AddressError> {
    let digits =
        |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(digits) {
        return Err(AddressError::Percent);
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| AddressError::Percent)?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests;
