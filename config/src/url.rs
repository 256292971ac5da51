//! The address of a broker, `mqtt://user:password@host:port`.

use std::fmt;

/// A broker's address, read from its URL.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
}

/// What a URL must look like, for errors.
pub(crate) const ALLOWED: &str = "mqtt://[user[:password]@]host[:port] with a port from 1 to 65535, such as mqtt://192.168.1.5:1883";

const DEFAULT_PORT: u16 = 1883;

impl BrokerUrl {
    /// Reads a URL; `mqtt://` may be left out. None when it is no such URL.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("mqtt://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let (host, port) = host_and_port(place)?;
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || "/?#".contains(c);
        if host.is_empty() || host.contains(forbidden) {
            return None;
        }
        let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
            None => (None, None),
            Some(Ok((user, password))) => (Some(decode(user)?), Some(decode(password)?)),
            Some(Err(user)) => (Some(decode(user)?), None),
        };
        Some(Self { host: host.to_owned(), port, user, password })
    }

    /// The URL with its password, for a process that shall log in: never for people to read.
    #[must_use]
    pub fn with_password(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let login = match (&self.user, &self.password) {
            (None, _) => String::new(),
            (Some(user), None) => format!("{}@", encode(user)),
            (Some(user), Some(password)) => format!("{}:{}@", encode(user), encode(password)),
        };
        format!("mqtt://{login}{host}:{}", self.port)
    }
}

impl fmt::Display for BrokerUrl {
    /// Without the password: this is for people to read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mqtt://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn host_and_port(place: &str) -> Option<(&str, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return None,
            }
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
    (port != 0).then_some((host, port))
}

/// Writes every byte that is no letter or digit as `%40` and its like.
fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Undoes `%40` and its like.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_host_port_and_login() {
        let full = BrokerUrl::parse("mqtt://ada:p%40ss@box.lan:1884").expect("valid");
        assert_eq!((full.host.as_str(), full.port), ("box.lan", 1884));
        assert_eq!((full.user.as_deref(), full.password.as_deref()), (Some("ada"), Some("p@ss")));
        assert_eq!(BrokerUrl::parse(&full.with_password()).as_ref(), Some(&full));
        let short = BrokerUrl::parse("box").expect("valid");
        assert_eq!((short.host.as_str(), short.port, short.user), ("box", 1883, None));
        let six = BrokerUrl::parse("mqtt://[::1]:9/").expect("valid");
        assert_eq!((six.host.as_str(), six.port), ("::1", 9));
        assert_eq!(six.to_string(), "mqtt://[::1]:9");
    }

    #[test]
    fn a_bad_url_is_none() {
        for bad in [
            "",
            "mqtt://",
            "http://box",
            "mqtt://box:0",
            "mqtt://box:70000",
            "mqtt://box:x",
            "mqtt://a/b",
            "mqtt://[::1",
            "mqtt://u:%4@box",
        ] {
            assert_eq!(BrokerUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let url = BrokerUrl::parse("mqtt://ada:secret@box").expect("valid");
        assert!(!format!("{url} {url:?}").contains("secret"));
    }
}
