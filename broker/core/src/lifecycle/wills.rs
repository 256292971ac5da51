//! A last will is published.

use crate::id::SessionKey;
use crate::intake::publish_for;
use crate::keep::Keep;
use crate::moment::Moment;
use crate::out::Timer;
use crate::packet::Publish;
use crate::rooms::Rooms;

/// Publishes the session's will, if it still has one.
pub(crate) fn publish_will(rooms: &mut Rooms, now: Moment, key: SessionKey) {
    let Some(session) = rooms.sessions.get_mut(key) else { return };
    rooms.out.timers.cancel(session.will.due.take(), Timer::WillDue(key));
    let Some(will) = session.will.will.take() else { return };
    if std::mem::take(&mut session.will.kept) {
        rooms.out.keep(Keep::WillOver(session.client.clone()));
    }
    let permitted = session.permits_will(&will.publish);
    rooms.sessions.weigh(key);
    if permitted {
        publish_for(rooms, now, Some(key), Publish { pid: 0, ..will.publish });
    }
}
