//! Passwords: hashed for the file, verified, and remembered once they were right.

use std::collections::{HashSet, VecDeque};

use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Argon2, Params};

/// Passwords remembered as right. 4,096: a large home's clients several times over, at 100 bytes each.
const REMEMBERED: usize = 4096;
/// Most memory that a hash of the file may ask for, in KiB. 256 MiB: a line of a file must not take all there is.
const MOST_MEMORY: u32 = 256 * 1024;

/// The hash for the file: argon2id with 19 MiB and two passes, as OWASP advises, and a random salt.
///
/// # Errors
/// When the system has no random numbers, or the password is longer than argon2 takes.
pub fn hash_password(password: &[u8]) -> Result<String, password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password(password)?;
    Ok(hash.to_string())
}

/// A password that nobody can guess: 128 random bits. None if the system has no random numbers.
#[must_use]
pub fn random_password() -> Option<String> {
    let bits = password_hash::try_generate_salt().ok()?;
    Some(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether this password has this hash. Takes tens of milliseconds and 19 MiB. Without a hash it takes as long, so
/// that nobody learns from the time which names exist.
pub(super) fn verify(password: &[u8], hash: Option<&str>) -> bool {
    let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok());
    let fits =
        |hash: &PasswordHash| Params::try_from(hash).is_ok_and(|p| p.m_cost() <= MOST_MEMORY);
    match parsed.filter(fits) {
        Some(hash) => Argon2::default().verify_password(password, &hash).is_ok(),
        None => {
            let wasted: Result<PasswordHash, _> =
                Argon2::default().hash_password_with_salt(password, b"nobody has this.");
            drop(std::hint::black_box(wasted));
            false
        }
    }
}

/// Stands for the hash of the file: equal if and only if the password was not set anew.
pub(super) fn mark(hash: Option<&str>) -> [u8; 32] {
    *blake3::hash(hash.unwrap_or_default().as_bytes()).as_bytes()
}

/// Which passwords were right, without the passwords: a fleet that comes back need not wait for argon2.
#[derive(Debug)]
pub(super) struct Memory {
    /// Of this process alone. None where the system has no random numbers: then nothing is remembered.
    key: Option<[u8; 32]>,
    known: HashSet<[u8; 32]>,
    /// The oldest first.
    order: VecDeque<[u8; 32]>,
}

impl Memory {
    pub(super) fn new() -> Self {
        let halves = password_hash::try_generate_salt().and_then(|first| {
            password_hash::try_generate_salt().map(|second| [first, second].concat())
        });
        let key = halves.ok().and_then(|key| key.try_into().ok());
        Self { key, known: HashSet::new(), order: VecDeque::new() }
    }

    pub(super) fn knows(&self, user: &str, password: &[u8], hash: &str) -> bool {
        self.digest(user, password, hash).is_some_and(|digest| self.known.contains(&digest))
    }

    pub(super) fn remember(&mut self, user: &str, password: &[u8], hash: &str) {
        let Some(digest) = self.digest(user, password, hash) else { return };
        if !self.known.insert(digest) {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.order.clear();
    }

    fn digest(&self, user: &str, password: &[u8], hash: &str) -> Option<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_keyed(self.key.as_ref()?);
        for part in [user.as_bytes(), password, hash.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Some(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let hash = hash_password(b"open sesame").unwrap();
        assert!(verify(b"open sesame", Some(&hash)));
        assert!(!verify(b"open barley", Some(&hash)) && !verify(b"open sesame", None));
        assert_ne!(hash, hash_password(b"open sesame").unwrap(), "salted");
    }

    #[test]
    fn a_hash_that_wants_too_much_memory_fits_nothing() {
        let hash = hash_password(b"x").unwrap().replace("m=19456", "m=4194304");
        assert!(!verify(b"x", Some(&hash)));
    }

    #[test]
    fn only_the_newest_right_passwords_are_remembered() {
        let mut memory = Memory::new();
        for number in 0..=REMEMBERED {
            memory.remember("ada", number.to_string().as_bytes(), "hash");
        }
        let last = REMEMBERED.to_string();
        assert!(memory.knows("ada", last.as_bytes(), "hash"));
        assert!(!memory.knows("ada", b"0", "hash"), "the oldest is forgotten");
        assert!(!memory.knows("ada", last.as_bytes(), "another hash"));
        assert!(!memory.knows("eve", last.as_bytes(), "hash"));
        memory.forget();
        assert!(!memory.knows("ada", last.as_bytes(), "hash"));
        assert_eq!(memory.known.len(), memory.order.len());
    }
}
