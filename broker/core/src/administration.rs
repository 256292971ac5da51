//! What may be done for a request to the broker itself: the sessions seen, one ended, the request answered.
//!
//! The core carries payloads and does not look into them: what is asked for, and how the answer is worded, is for the
//! caller.

use bytes::Bytes;

use crate::intake::publish_for;
use crate::lifecycle::cut_off;
use crate::moment::Moment;
use crate::packet::{Properties, Publish, Qos, Reason};
use crate::request::Request;
use crate::rooms::Rooms;
use crate::session::Session;
use crate::site::is_own;

/// One session, for an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Client id.
    pub client: Box<str>,
    /// Whose it is; none where there are no users.
    pub user: Option<Box<str>>,
    /// Seconds since its client was connected last; none while it is. After a restart of the broker, of a session that
    /// lasts for ever, those since then.
    pub away: Option<u64>,
    /// Seconds it outlives its connection; none is for ever.
    pub expiry: Option<u32>,
    /// Messages that wait for it, or are under way to it.
    pub queued: usize,
    /// Bytes of those that wait.
    pub queued_bytes: usize,
    /// Subscriptions.
    pub subscriptions: usize,
}

impl SessionView {
    fn of(session: &Session, now: Moment) -> Self {
        let expiry = session.expiry;
        let since = |at: Moment| now.0.saturating_sub(at.0).as_secs();
        // How long it has left also tells how long it was away before this life of the broker.
        let left = session.ends_at.filter(|_| expiry > 0).map(|at| at.secs_from(now));
        let away = match left {
            Some(left) => u64::from(expiry.saturating_sub(left)),
            None => session.away_since.map_or(0, since),
        };
        let queued = session.outbox.size();
        Self {
            client: (&*session.client).into(),
            user: session.rights.user().map(Into::into),
            away: session.conn.is_none().then_some(away),
            expiry: (expiry < u32::MAX).then_some(expiry),
            queued: queued.messages,
            queued_bytes: queued.bytes,
            subscriptions: session.subscriptions.len(),
        }
    }
}

/// The sessions in the order of their client ids, at most so many, and only those behind `after`.
pub(crate) fn sessions(rooms: &Rooms, now: Moment, after: &str, most: usize) -> Vec<SessionView> {
    let behind = rooms.sessions.iter().map(|(_, session)| session);
    let mut behind: Vec<_> = behind.filter(|session| *session.client > *after).collect();
    behind.sort_unstable_by(|one, other| one.client.cmp(&other.client));
    behind.truncate(most);
    behind.into_iter().map(|session| SessionView::of(session, now)).collect()
}

/// Ends a session, whoever has it, and its connection; tells whether there is one.
pub(crate) fn end(rooms: &mut Rooms, now: Moment, client: &str) -> bool {
    let Some(key) = rooms.sessions.of_client(client) else { return false };
    if let Some(conn) = rooms.sessions.get(key).and_then(|session| session.conn) {
        rooms.out.end(conn, Reason::Administrative);
    }
    cut_off(rooms, now, key);
    true
}

/// Answers: on the Response Topic, else on the topic that the payload names if its sender may publish there, else
/// beside the topic of the request.
pub(crate) fn answer(
    rooms: &mut Rooms,
    now: Moment,
    request: &Request,
    named: Option<&str>,
    payload: Bytes,
) {
    let asker = rooms.sessions.get_mut(request.asker);
    let named = named.filter(|named| asker.is_some_and(|it| it.rights.may_publish(named)));
    let topic: Box<str> = match request.response_topic.as_deref().or(named) {
        Some(topic) => topic.into(),
        None => format!("{}/response", request.topic).into(),
    };
    if is_own(&topic) {
        return;
    }
    let properties = Properties { forwarded: request.correlation.clone(), ..Properties::default() };
    let (qos, dup, retain, pid) = (Qos::AtLeastOnce, false, false, 0);
    let publish = Publish { dup, qos, retain, pid, topic, payload, properties };
    publish_for(rooms, now, None, publish);
}
