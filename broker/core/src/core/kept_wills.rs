//! Wills that outlive the broker.
//!
//! The end of a broker is the end of every connection, and nobody said goodbye. So the next life publishes the wills; a
//! server may put them off until then. It waits with them: whoever comes back meanwhile did not die, and those who
//! should hear the others' wills are there by then.

use std::sync::Arc;
use std::time::Duration;

use super::{Core, Keep, Timer};
use crate::access::{Guest, Rights};
use crate::message::SessionKey;
use crate::moment::Moment;
use crate::protocol::{Version, Will};

/// A will to keep.
#[derive(Debug, Clone)]
pub struct LastWill {
    /// Client id.
    pub client: Arc<str>,
    /// Whose it is; none where there are no users.
    pub user: Option<Box<str>>,
    /// The will itself.
    pub will: Will,
    /// When it is published; none while its client is there.
    pub due: Option<Moment>,
}

/// A will that was kept.
#[derive(Debug)]
pub struct StoredWill {
    /// Client id.
    pub client: Box<str>,
    /// Whose it is; none where there were no users.
    pub user: Option<Box<str>>,
    /// The will itself.
    pub will: Will,
    /// What was left of its delay; `None` if its client was there to the end.
    pub left: Option<Duration>,
}

impl Core {
    /// Tells the store what has become of a session's will.
    pub(super) fn keep_will(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let will = session.will.as_ref().filter(|will| self.keeping.wants(&will.publish.topic));
        let was = std::mem::replace(&mut session.will_kept, will.is_some());
        if will.is_some() {
            self.effects.keep.extend(session.last_will());
        } else if was {
            self.effects.keep.push(Keep::WillOver(session.client.clone()));
        }
    }

    /// Plans the wills of an earlier life; gives those that nobody may publish any more. The sessions are back already.
    pub(super) fn restore_wills(
        &mut self,
        now: Moment,
        wills: Vec<StoredWill>,
        find: impl Fn(Option<&str>) -> Option<Guest>,
    ) -> Vec<Keep> {
        let mut over = Vec::new();
        for stored in wills {
            let client: Arc<str> = stored.client.into();
            let old = self.clients.get(&client).copied();
            let key = old.or_else(|| {
                let guest = find(stored.user.as_deref())?;
                self.session_for_a_will(&client, Rights::new(guest, client.clone()).ok()?)
            });
            let found = key.and_then(|key| Some((key, self.sessions.get_mut(&key)?)));
            let Some((key, session)) = found else {
                over.push(Keep::WillOver(client));
                continue;
            };
            let delay = Duration::from_secs(stored.will.delay.min(session.expiry).into());
            let at = now.after(stored.left.unwrap_or(delay).max(self.settings.limits.come_back));
            session.will = Some(stored.will);
            (session.will_kept, session.left_with_broker) = (true, stored.left.is_none());
            let timer = if session.expiry > 0 {
                session.will_at = Some(at);
                Timer::WillDue(key)
            } else {
                session.ends_at = Some(at);
                Timer::SessionEnds(key)
            };
            self.timers.insert((at, timer));
            self.weigh_session(key);
        }
        over
    }

    /// The session that ended with its connection, for as long as its will waits. It can be of no other use.
    fn session_for_a_will(&mut self, client: &Arc<str>, rights: Rights) -> Option<SessionKey> {
        // A zone's session would take what is for its owner.
        let zone = self.zones.zone_of_client(client).is_some();
        let full = self.sessions.len() >= self.settings.limits.sessions;
        (!zone && !full).then(|| self.new_session(client, Version::V5, rights))
    }
}

impl super::session::Session {
    /// Its will as it is kept, if it is.
    pub(super) fn last_will(&self) -> Option<Keep> {
        let will = self.will.clone().filter(|_| self.will_kept)?;
        let user = self.rights.user().map(Into::into);
        Some(Keep::Will(Box::new(LastWill {
            client: self.client.clone(),
            user,
            will,
            due: self.will_at.filter(|_| !self.left_with_broker),
        })))
    }
}
