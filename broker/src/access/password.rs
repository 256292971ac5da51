//! Passwords: hashed for the file, verified, and remembered once they were right.

use std::collections::{HashSet, VecDeque};

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{self, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};

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

/// Room for argon2 to work in, which one verification leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

/// What is reserved at least, in blocks of 1 KiB. 33 MiB, though a hash uses 19: the C library gives what is above 32
/// MiB back to the system at once, and keeps what is smaller for each thread that ever asked for it. What is not used
/// takes no memory.
const RESERVED: usize = 33 * 1024;

impl Blocks {
    fn room(&mut self, blocks: usize) -> &mut [Block] {
        if self.0.capacity() < blocks {
            self.0 = Vec::with_capacity(blocks.max(RESERVED));
        }
        self.0.resize(blocks, Block::new());
        &mut self.0
    }
}

/// Whether this password has this hash. Takes tens of milliseconds and 19 MiB. Without a hash it takes as long, so
/// that nobody learns from the time which names exist.
pub(super) fn verify(password: &[u8], hash: Option<&str>, memory: &mut Blocks) -> bool {
    match hash.and_then(Task::parse) {
        Some(task) => task.is_right(password, memory),
        None => {
            let nobody = Task::of_nobody();
            std::hint::black_box(nobody.is_some_and(|task| task.is_right(password, memory)));
            false
        }
    }
}

/// What is to be computed, and what must come of it.
struct Task {
    argon2: Argon2<'static>,
    blocks: usize,
    hash: PasswordHash,
}

impl Task {
    /// None for what is no hash of argon2, or wants too much memory.
    fn parse(hash: &str) -> Option<Self> {
        let hash = PasswordHash::new(hash).ok()?;
        let params = Params::try_from(&hash).ok().filter(|p| p.m_cost() <= MOST_MEMORY)?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
        let blocks = params.block_count();
        Some(Self { argon2: Argon2::new(algorithm, version, params), blocks, hash })
    }

    /// The usual work, for a name that does not exist.
    fn of_nobody() -> Option<Self> {
        Self::parse(
            "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        )
    }

    fn is_right(&self, password: &[u8], memory: &mut Blocks) -> bool {
        let (Some(salt), Some(expected)) = (&self.hash.salt, &self.hash.hash) else { return false };
        let room = memory.room(self.blocks);
        let mut computed = vec![0; expected.len()];
        let done = self.argon2.hash_password_into_with_memory(password, salt, &mut computed, room);
        // Outputs are compared in constant time.
        done.is_ok() && Output::new(&computed).is_ok_and(|computed| computed == *expected)
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

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
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
        let verify = |password: &[u8], hash| verify(password, hash, &mut Blocks::default());
        assert!(verify(b"open sesame", Some(&hash)));
        assert!(!verify(b"open barley", Some(&hash)) && !verify(b"open sesame", None));
        assert_ne!(hash, hash_password(b"open sesame").unwrap(), "salted");
    }

    #[test]
    fn a_hash_that_wants_too_much_memory_fits_nothing() {
        let hash = hash_password(b"x").unwrap().replace("m=19456", "m=4194304");
        let mut memory = Blocks::default();
        assert!(!verify(b"x", Some(&hash), &mut memory));
        assert_eq!(memory.0.len(), 19 * 1024, "it took the time of nobody's hash");
    }

    #[test]
    fn the_memory_of_one_hash_does_for_the_next_whatever_it_needs() {
        let usual = hash_password(b"usual").unwrap();
        let params = Params::new(64, 1, 1, None).unwrap();
        let small = Argon2::new(Algorithm::Argon2id, Version::default(), params);
        let small: PasswordHash = small.hash_password(b"small").unwrap();
        let (small, mut memory) = (small.to_string(), Blocks::default());
        for (password, hash) in [("usual", &usual), ("small", &small), ("usual", &usual)] {
            assert!(verify(password.as_bytes(), Some(hash), &mut memory), "{password}");
            assert!(!verify(b"another", Some(hash), &mut memory), "{password}");
        }
        assert!(memory.0.capacity() >= RESERVED);
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
        assert_eq!(memory.known.len(), memory.order.len());
    }
}
