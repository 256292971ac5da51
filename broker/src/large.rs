//! Room for large packets: those that come in and are not complete, and those that are being written. Everyday packets
//! are not counted; they are below what a connection may hold anyway.
//!
//! A user has a part of it, as of the broker's other bounds, so that somebody who sends large packets slowly, or reads
//! them slowly, from however many connections, takes neither the memory nor everybody's room.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_core::{ConnId, Limits};

use crate::bell::Bell;

/// Larger packets need room of their own. 256 KiB: as much as a connection may hold in any case.
pub(crate) const LARGE: usize = 256 * 1024;

/// All the room there is.
#[derive(Debug)]
pub(crate) struct Large {
    whole: usize,
    user_percent: u32,
    device_percent: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// Of users who have some.
    users: HashMap<Arc<str>, usize>,
    /// Who waits for some.
    waiting: BTreeMap<ConnId, Arc<Bell>>,
}

/// On whose account a connection's large packets go.
#[derive(Debug, Clone)]
pub(crate) enum Account {
    /// A gateway's: it is not counted.
    House,
    /// A user's, or an address's where there are no users.
    User(Arc<str>),
    /// A device's.
    Device(Arc<str>),
}

/// Room that was given; it goes back with this.
#[derive(Debug)]
pub(crate) struct Room {
    large: Arc<Large>,
    user: Option<Arc<str>>,
    bytes: usize,
}

/// Why there is no room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// Somebody has it; the bell rings when some is given back.
    Now,
    /// It is more than this account may ever have.
    Never,
}

impl Large {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let Limits { user_percent, device_percent, large_bytes, .. } = *limits;
        Arc::new(Self { whole: large_bytes, user_percent, device_percent, state: Mutex::default() })
    }

    /// Takes room for a packet; `conn` waits for it if there is none now.
    pub(crate) fn take(
        self: &Arc<Self>,
        account: &Account,
        bytes: usize,
        (conn, bell): (ConnId, &Arc<Bell>),
    ) -> Result<Room, Crowded> {
        let (user, percent) = match account {
            Account::House => return Ok(Room { large: self.clone(), user: None, bytes: 0 }),
            Account::User(user) => (user, self.user_percent),
            Account::Device(user) => (user, self.device_percent),
        };
        let part = self.whole / 100 * usize::try_from(percent.min(100)).unwrap_or(100);
        if bytes > part {
            return Err(Crowded::Never);
        }
        let mut state = self.state();
        let has = state.users.get(user).copied().unwrap_or(0);
        if has + bytes > part || state.used + bytes > self.whole {
            state.waiting.insert(conn, bell.clone());
            return Err(Crowded::Now);
        }
        state.used += bytes;
        state.users.insert(user.clone(), has + bytes);
        Ok(Room { large: self.clone(), user: Some(user.clone()), bytes })
    }

    /// A connection is gone.
    pub(crate) fn forget(&self, conn: ConnId) {
        self.state().waiting.remove(&conn);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let Some(user) = &self.user else { return };
        let mut state = self.large.state();
        state.used -= self.bytes;
        if let Some(has) = state.users.get_mut(user) {
            *has -= self.bytes;
            if *has == 0 {
                state.users.remove(user);
            }
        }
        // All of them: whose turn it is depends on who asks for how much. They are few, and large packets rare.
        for bell in std::mem::take(&mut state.waiting).into_values() {
            bell.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn each_user_has_a_part_and_whoever_waits_is_told() {
        let large = Large::new(&Limits { large_bytes: 100 * MIB, ..Limits::default() });
        let (eve, ada) = (Account::User("eve".into()), Account::User("ada".into()));
        let bell = Arc::<Bell>::default();
        let take = |who: &Account, bytes| large.take(who, bytes, (ConnId(1), &bell));
        let first = take(&eve, 16 * MIB).unwrap();
        assert_eq!(take(&eve, 16 * MIB).unwrap_err(), Crowded::Now);
        assert!(take(&ada, 16 * MIB).is_ok(), "somebody else has room");
        assert_eq!(take(&eve, 26 * MIB).unwrap_err(), Crowded::Never);
        assert_eq!(take(&Account::Device("a/b".into()), 3 * MIB).unwrap_err(), Crowded::Never);
        assert!(take(&Account::House, 1000 * MIB).is_ok());
        assert!(bell.answered(), "ada's went back");
        drop(first);
        assert!(take(&eve, 16 * MIB).is_ok() && large.state().users.is_empty());
        let many: Vec<_> = (0..7)
            .map(|number| take(&Account::User(format!("{number}").into()), 16 * MIB))
            .collect();
        assert_eq!(
            many.iter().filter(|room| room.is_ok()).count(),
            6,
            "all together have the whole"
        );
    }
}
