//! Roles: what their users may do, as a text that people read and change (`roles.acl`).

use std::collections::BTreeMap;
use std::fmt;

use crate::packet::topic;

/// Rules of one role. 1,000: a connection walks all of them once for each new topic.
const MOST_RULES: usize = 1000;

/// All roles, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    roles: BTreeMap<String, Role>,
}

/// What the users of one role may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) rules: Vec<Rule>,
    /// Beginnings of client ids that are for this role alone.
    pub(super) clients: Vec<Pattern>,
    /// Filter that the users' names match; none for any name.
    pub(super) user: Option<Pattern>,
}

/// One line about a topic filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) deny: bool,
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) filter: Pattern,
}

/// A filter with places for the site, the user and the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Site,
    User,
    Client,
}

/// Why a text has no meaning as roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolesError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there, and what may stand there.
    pub why: String,
}

impl fmt::Display for RolesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for RolesError {}

impl Roles {
    /// The text of the roles that every broker knows unless it is given others.
    pub const BUILT_IN: &str = include_str!("../../roles.acl");

    /// The roles that need no file.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub fn built_in() -> Result<Self, RolesError> {
        Self::parse(Self::BUILT_IN)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first line that has no meaning.
    pub fn parse(text: &str) -> Result<Self, RolesError> {
        let mut roles = BTreeMap::new();
        let mut current: Option<String> = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: String| RolesError { line: number + 1, why };
            let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.trim();
            if verb == "role" {
                let name = role_name(rest).map_err(wrong)?;
                if roles.insert(name.clone(), Role::default()).is_some() {
                    return Err(wrong(format!("the role {name} stands here twice")));
                }
                current = Some(name);
                continue;
            }
            let role = current.as_ref().and_then(|name| roles.get_mut(name));
            let role =
                role.ok_or_else(|| wrong("a line `role NAME` must come first".to_owned()))?;
            role.take(verb, rest).map_err(wrong)?;
        }
        Ok(Self { roles })
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Checks that a user of this name may have a role.
    ///
    /// # Errors
    /// In words, what is wrong.
    pub fn check(&self, role: &str, user: &str) -> Result<(), String> {
        let Some(found) = self.get(role) else {
            let known: Vec<_> = self.names().collect();
            return Err(format!("there is no role {role:?}; there are {}", known.join(", ")));
        };
        // The site is not known here, and a name that depends on it would be odd.
        match &found.user {
            Some(filter) if !topic::matches(&filter.fill("%s", user, "%c"), user) => Err(format!(
                "{user:?} cannot have the role {role}, whose users are called {}{}",
                filter.fill("<site>", "<user>", ""),
                if filter.is("+/+") {
                    ", as in kitchen/lamp: the device's zone and name"
                } else {
                    ""
                }
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn get(&self, role: &str) -> Option<&Role> {
        self.roles.get(role)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Role)> {
        self.roles.iter().map(|(name, role)| (name.as_str(), role))
    }
}

fn role_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no name of a role; use letters, digits, - and _"))
}

impl Role {
    fn take(&mut self, verb: &str, rest: &str) -> Result<(), String> {
        match verb {
            "client" => {
                let prefix = Pattern::parse(rest)?;
                if rest.is_empty()
                    || prefix.mentions(&Piece::Client)
                    || prefix.mentions(&Piece::User)
                {
                    return Err(
                        "`client` takes the beginning of a client id, as in hearth-%s-".into()
                    );
                }
                self.clients.push(prefix);
            }
            "user" => self.user = Some(filter(rest)?),
            "deny" => {
                let (verb, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let rule = Rule { deny: true, ..rule(verb, rest.trim())? };
                if rule.filter.mentions(&Piece::Client) {
                    return Err("a denial cannot depend on %c, which the client chooses".into());
                }
                self.rules.push(rule);
            }
            _ => self.rules.push(rule(verb, rest)?),
        }
        if self.rules.len() > MOST_RULES {
            return Err(format!("a role can have {MOST_RULES} lines; use wildcards"));
        }
        Ok(())
    }
}

fn rule(verb: &str, rest: &str) -> Result<Rule, String> {
    let (read, write) = match verb {
        "read" => (true, false),
        "write" => (false, true),
        "both" => (true, true),
        other => {
            return Err(format!(
                "{other:?} means nothing; a line begins with role, read, write, both, deny, client or user"
            ));
        }
    };
    Ok(Rule { deny: false, read, write, filter: filter(rest)? })
}

fn filter(text: &str) -> Result<Pattern, String> {
    let pattern = Pattern::parse(text)?;
    if topic::valid_filter(&pattern.fill("s", "u/u", "c")) {
        return Ok(pattern);
    }
    Err(format!("{text:?} is no topic filter; + and # stand for whole levels, # for the last ones"))
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut parts = text.split('%');
        pieces
            .extend(parts.next().filter(|first| !first.is_empty()).map(|t| Piece::Text(t.into())));
        for part in parts {
            let mut letters = part.chars();
            pieces.push(match letters.next() {
                Some('s') => Piece::Site,
                Some('u') => Piece::User,
                Some('c') => Piece::Client,
                _ => return Err(format!("in {text:?} a % is followed by none of s, u, c")),
            });
            if !letters.as_str().is_empty() {
                pieces.push(Piece::Text(letters.as_str().to_owned()));
            }
        }
        Ok(Self(pieces))
    }

    /// The filter for one site, user and client. In one pass: a % in a name stays a %.
    pub(super) fn fill(&self, site: &str, user: &str, client: &str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Site => site.to_owned(),
            Piece::User => user.to_owned(),
            Piece::Client => client.to_owned(),
        };
        self.0.iter().map(piece).collect()
    }

    /// The same pattern with site and user filled in.
    pub(super) fn settle(&self, site: &str, user: &str) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in &self.0 {
            let text = match piece {
                Piece::Client => {
                    pieces.push(Piece::Client);
                    continue;
                }
                Piece::Text(text) => text,
                Piece::Site => site,
                Piece::User => user,
            };
            match pieces.last_mut() {
                Some(Piece::Text(before)) => before.push_str(text),
                _ => pieces.push(Piece::Text(text.to_owned())),
            }
        }
        Self(pieces)
    }

    /// The text of a settled pattern without a client.
    pub(super) fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    fn mentions(&self, what: &Piece) -> bool {
        self.0.contains(what)
    }

    fn is(&self, text: &str) -> bool {
        self.fixed() == Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_roles_have_a_meaning() {
        let roles = Roles::built_in().unwrap();
        let names: Vec<_> = roles.names().collect();
        assert_eq!(names, ["admin", "device", "gateway", "person", "simulated"]);
        assert!(roles.check("device", "kitchen/lamp").is_ok());
        for bad in ["lamp", "kitchen/lamp/x"] {
            assert!(roles.check("device", bad).unwrap_err().contains("kitchen/lamp"), "{bad}");
        }
        assert!(roles.check("boss", "ada").unwrap_err().contains("admin, device"));
    }

    #[test]
    fn a_line_without_a_meaning_is_named() {
        for (text, part) in [
            ("read a", "role NAME"),
            ("role a\nrole a", "twice"),
            ("role a b", "letters"),
            ("role a\nsee x", "\"see\""),
            ("role a\nread a+", "topic filter"),
            ("role a\nread %u+/x", "topic filter"),
            ("role a\nread ", "topic filter"),
            ("role a\nread 100%", "none of s, u, c"),
            ("role a\ndeny read x/%c", "%c"),
            ("role a\ndeny x", "\"x\""),
            ("role a\nclient ", "beginning"),
            ("role a\nclient %c", "beginning"),
        ] {
            let error = Roles::parse(text).expect_err(text);
            assert!(error.why.contains(part), "{text}: {error}");
            assert_eq!(error.line, text.lines().count(), "{text}");
        }
    }
}
