//! The door: who may come in. Looks users up and verifies passwords, a few at a time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::files::{AccessError, others_may_read, read_roles};
use super::password::{self, Memory};
use super::users::{User, Users};
use super::verifier::Verifier;
use crate::admission::Network;
use broker_core::access::{Grant, Guest, Names, Roles};
use broker_core::protocol::{Login, Reason};

/// Where users and roles come from.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// File of the users. Without it, or while it does not exist, there are none, and the broker listens on
    /// loopback addresses only and trusts everyone there.
    pub users: Option<PathBuf>,
    /// File of the roles; the built-in ones without it.
    pub roles: Option<PathBuf>,
    /// Users besides those of the file, once there are any, with passwords that were drawn at random.
    pub residents: Vec<Resident>,
}

/// A user that whoever started the broker made for its own processes.
#[derive(Clone)]
pub struct Resident {
    /// Name.
    pub name: String,
    /// Name of the role.
    pub role: String,
    /// Password: drawn at random for one run, so that it need not be hashed slowly.
    pub password: String,
}

impl std::fmt::Debug for Resident {
    // No log ever holds the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.role)
    }
}

/// Lets clients in.
#[derive(Debug)]
pub(crate) struct Door {
    access: Access,
    site: String,
    book: RwLock<Arc<Book>>,
    memory: Mutex<Memory>,
    verifier: Verifier,
}

/// Everyone who may come in; none where there are no users.
type Book = Option<HashMap<Box<str>, Entry>>;

#[derive(Debug)]
struct Entry {
    grant: Arc<Grant>,
    secret: Secret,
}

#[derive(Debug, Clone)]
enum Secret {
    /// Only a certificate opens.
    None,
    Hash(Box<str>),
    /// Drawn at random: its own fast hash is enough.
    Random(blake3::Hash),
}

impl Door {
    /// Reads the files. `patience` is how long a login may wait for its turn.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn new(access: Access, site: &str, patience: Duration) -> Result<Self, AccessError> {
        let book = Arc::new(read(&access, site)?);
        Ok(Self {
            access,
            site: site.to_owned(),
            book: RwLock::new(book),
            memory: Mutex::new(Memory::new()),
            verifier: Verifier::new(patience),
        })
    }

    /// Whether there are users at all.
    pub(crate) fn is_guarded(&self) -> bool {
        self.book().is_some()
    }

    /// The file in which users are looked for.
    pub(crate) fn users(&self) -> Option<&PathBuf> {
        self.access.users.as_ref()
    }

    /// Reads the files again and tells how many users there are. Call `Core::renew` after it.
    ///
    /// # Errors
    /// What is wrong with which file; then everything stays as it was.
    pub(crate) fn reload(&self) -> Result<usize, AccessError> {
        let book = read(&self.access, &self.site)?;
        if book.is_none() && self.is_guarded() {
            let path = self.access.users.clone().unwrap_or_default();
            return Err(AccessError { path, why: "the file of the users is gone".to_owned() });
        }
        let users = book.as_ref().map_or(0, HashMap::len);
        // Passwords that were right stay remembered: each with its hash, so that a new one is not taken for the old.
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
        Ok(users)
    }

    /// Lets a client in, or not.
    ///
    /// # Errors
    /// The reason for its CONNACK: bad credentials, no credentials, or too many logins before this one.
    pub(crate) async fn admit(
        &self,
        network: Network,
        certificate: Option<&str>,
        login: Login,
    ) -> Result<Guest, Reason> {
        let book = self.book();
        let Some(users) = book.as_ref() else { return Ok(Guest::Anyone) };
        if let Some(name) = certificate {
            if login.user.as_deref().is_some_and(|user| user != name) {
                return Err(Reason::BadCredentials);
            }
            let entry = users.get(name).ok_or(Reason::NotAuthorized)?;
            return Ok(Guest::User(entry.grant.clone()));
        }
        let Login { user: Some(user), password } = login else { return Err(Reason::NotAuthorized) };
        let password = password.unwrap_or_default();
        let entry = users.get(&*user);
        let right = match entry.map_or(Secret::None, |entry| entry.secret.clone()) {
            Secret::Random(hash) => blake3::hash(&password) == hash,
            Secret::Hash(hash) if self.memory().knows(&user, &password, &hash) => true,
            Secret::Hash(hash) => {
                let right = self.verify(network, password.to_vec(), Some(hash.clone())).await?;
                if right {
                    self.memory().remember(&user, &password, &hash);
                }
                right
            }
            Secret::None => self.verify(network, password.to_vec(), None).await?,
        };
        match entry {
            Some(entry) if right => Ok(Guest::User(entry.grant.clone())),
            _ => Err(Reason::BadCredentials),
        }
    }

    /// What a user may do now, or whoever comes without a name; none if he may not be here.
    pub(crate) fn find(&self, user: Option<&str>) -> Option<Guest> {
        match (&*self.book(), user) {
            (None, None) => Some(Guest::Anyone),
            (Some(users), Some(user)) => {
                users.get(user).map(|entry| Guest::User(entry.grant.clone()))
            }
            _ => None,
        }
    }

    /// The same guest by the book that is in force now.
    ///
    /// # Errors
    /// Meanwhile it may no longer come in.
    pub(crate) fn again(&self, guest: Guest) -> Result<Guest, Reason> {
        let found = match &guest {
            Guest::Anyone => self.find(None),
            Guest::User(grant) => self.find(Some(grant.user())),
            Guest::Nobody => None,
        };
        match (&found, &guest) {
            (Some(Guest::User(new)), Guest::User(old)) if !new.same_login(old) => None,
            _ => found,
        }
        .ok_or(Reason::NotAuthorized)
    }

    async fn verify(
        &self,
        network: Network,
        password: Vec<u8>,
        hash: Option<Box<str>>,
    ) -> Result<bool, Reason> {
        self.verifier.verify(network, password, hash).await.ok_or(Reason::Busy)
    }

    fn book(&self) -> Arc<Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(access: &Access, site: &str) -> Result<Book, AccessError> {
    let Some(path) = &access.users else { return Ok(None) };
    let Some(users) = Users::read(path)? else { return Ok(None) };
    if others_may_read(path) {
        tracing::warn!(file = %path.display(), "others than its owner may read the file of the users; say chmod 600");
    }
    let wrong = |why: String| AccessError { path: path.clone(), why };
    let roles = match &access.roles {
        Some(path) => read_roles(path)?,
        None => Roles::built_in().map_err(|error| wrong(error.to_string()))?,
    };
    let residents = access.residents.iter().map(|resident| &*resident.name);
    let names: Arc<Names> = Arc::new(residents.chain(users.iter().map(|(name, _)| name)).collect());
    let mut book = HashMap::new();
    let mut enter = |name: &str, role: &str, login, secret| {
        roles.check(role, name).map_err(wrong)?;
        if let Some(grant) = Grant::new((&roles, &names), site, name, role, login) {
            book.insert(name.into(), Entry { grant: Arc::new(grant), secret });
        }
        Ok(())
    };
    for Resident { name, role, password } in &access.residents {
        if let Err(why) = roles.check(role, name) {
            tracing::warn!("a process of this home cannot come in: {why}");
            continue;
        }
        let hash = blake3::hash(password.as_bytes());
        enter(name, role, *hash.as_bytes(), Secret::Random(hash))?;
    }
    for (name, User { role, hash }) in users.iter() {
        let login = password::mark(hash.as_deref());
        let secret = hash.as_deref().map_or(Secret::None, |hash| Secret::Hash(hash.into()));
        enter(name, role, login, secret)?;
    }
    Ok(Some(book))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        std::net::IpAddr::from([10, 0, 0, 1]).into()
    }

    #[tokio::test]
    async fn a_reload_forgets_no_password_that_was_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let set = |password: &[u8]| {
            let hash = Some(password::hash_password(password).unwrap());
            let user = User { role: "person".to_owned(), hash };
            Users::change(&path, |users| users.set("ada", user)).unwrap();
        };
        set(b"first");
        let access = Access { users: Some(path.clone()), ..Access::default() };
        let door = Door::new(access, "home", Duration::from_secs(60)).unwrap();
        let admit = async |password: &[u8]| {
            let login = Login { user: Some("ada".into()), password: Some(password.into()) };
            door.admit(network(), None, login).await.is_ok()
        };
        assert!(admit(b"first").await && door.memory().len() == 1);
        door.reload().unwrap();
        assert_eq!(door.memory().len(), 1, "it is known still");
        assert!(admit(b"first").await);
        set(b"second");
        door.reload().unwrap();
        assert!(!admit(b"first").await, "but with its own hash only");
        assert!(admit(b"second").await && door.memory().len() == 2);
    }
}
