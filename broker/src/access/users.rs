//! The users: a text of one line each, `<name> <role> <hash>`, sorted by name.

use std::collections::BTreeMap;
use std::fmt;

use argon2::password_hash::phc::PasswordHash;

/// What stands for the hash of a user without a password, who logs in with a certificate.
const NO_PASSWORD: &str = "-";
/// Longest name, in bytes. 256: two names of 128, which is a device's path.
const LONGEST: usize = 256;

const HEAD: &str = "\
# Users of Hearth's broker: name, role, argon2id hash of the password (- for none). `hearth broker user` writes it.
# A running broker reads it again at SIGHUP.
";

/// All users, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    users: BTreeMap<String, User>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The role's name.
    pub role: String,
    /// The password's hash; none for a user who has only a certificate.
    pub hash: Option<String>,
}

/// Why a text has no meaning as users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsersError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

impl fmt::Display for UsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for UsersError {}

impl Users {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first line that has no meaning. What stands there is not repeated: it may be a password.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| UsersError { line: number + 1, why: why.to_owned() };
            // From the right, because a name may contain spaces.
            let mut fields = line.rsplitn(2, char::is_whitespace);
            let hash = fields.next().unwrap_or_default();
            let (name, role) = fields
                .next()
                .and_then(|rest| rest.trim_end().rsplit_once(char::is_whitespace))
                .map(|(name, role)| (name.trim_end().to_owned(), role.to_owned()))
                .ok_or_else(|| wrong("a user's line is: name, role, hash of the password or -"))?;
            check_name(&name).map_err(|why| wrong(&why))?;
            let hash = (hash != NO_PASSWORD).then(|| hash.to_owned());
            if hash.as_deref().is_some_and(|hash| PasswordHash::new(hash).is_err()) {
                return Err(wrong(
                    "the last word is no argon2 hash; use `hearth broker user password`",
                ));
            }
            if users.insert(name, User { role, hash }).is_some() {
                return Err(wrong("this name stands in an earlier line too"));
            }
        }
        Ok(Self { users })
    }

    /// The text of a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let name = self.users.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        let role = self.users.values().map(|user| user.role.len()).max().unwrap_or(0);
        let line = |(user, User { role: is, hash }): (&String, &User)| {
            format!("{user:name$}  {is:role$}  {}\n", hash.as_deref().unwrap_or(NO_PASSWORD))
        };
        self.users.iter().map(line).fold(HEAD.to_owned(), |text, line| text + &line)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        self.users.iter().map(|(name, user)| (name.as_str(), user))
    }

    /// Adds or changes one.
    ///
    /// # Errors
    /// In words, why nobody can be called so.
    pub fn set(&mut self, name: &str, user: User) -> Result<(), String> {
        check_name(name)?;
        self.users.insert(name.to_owned(), user);
        Ok(())
    }

    /// Removes one; tells whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.users.remove(name).is_some()
    }
}

/// A name takes a place in topic filters, so it must not be one; slashes are for devices, which are called by their
/// paths.
fn check_name(name: &str) -> Result<(), String> {
    let odd = |c: char| matches!(c, '+' | '#') || c.is_control();
    let fits = !name.is_empty()
        && name.len() <= LONGEST
        && name.trim() == name
        && !name.starts_with(['$', '#'])
        && !name.contains(odd)
        && name.split('/').all(|level| !level.is_empty());
    if fits {
        return Ok(());
    }
    Err(format!(
        "a user's name has 1 to {LONGEST} bytes, no + and # in it, no $ first, and no empty part between slashes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$n7K1VyBcGkTYnVDh0yVBYmNXgLpLkTFT4DyDqyqTI0M";

    #[test]
    fn users_come_back_from_their_text() {
        let mut users = Users::default();
        let user = |role: &str, hash: Option<&str>| User {
            role: role.to_owned(),
            hash: hash.map(str::to_owned),
        };
        users.set("ada", user("person", Some(HASH))).unwrap();
        users.set("living room/lamp 1", user("device", Some(HASH))).unwrap();
        users.set("gateway", user("gateway", None)).unwrap();
        assert_eq!(Users::parse(&users.to_text()), Ok(users.clone()));
        assert!(users.remove("ada") && !users.remove("ada"));
        assert_eq!(Users::parse(&users.to_text()).unwrap().iter().count(), 2);
    }

    #[test]
    fn a_name_that_would_be_a_filter_is_refused() {
        for bad in ["", " a", "a ", "+", "a/#", "$SYS", "a//b", "/a", "a/", "a\nb", "#a"] {
            let user = User { role: "person".into(), hash: None };
            assert!(Users::default().set(bad, user).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_line_without_a_meaning_is_named_and_not_repeated() {
        for (text, line) in [
            ("ada".to_owned(), 1),
            ("ada person".to_owned(), 1),
            ("# ada\n\nada person secret".to_owned(), 3),
            (format!("ada person {HASH}\nada  admin {HASH}"), 2),
            (format!("a+ person {HASH}"), 1),
        ] {
            let error = Users::parse(&text).expect_err(&text);
            assert_eq!(error.line, line, "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
