//! What a client publishes, until it is taken in: handshakes, rights, bounds.

mod planted;
mod verdict;

use crate::access::Payer;
use crate::codec::Action;
use crate::id::{ConnId, Sender, SessionKey};
use crate::intake::{Accepted, take_in};
use crate::message::Hold;
use crate::moment::Moment;
use crate::out::{Complaint, Out};
use crate::packet::{Publish, Qos, Reason, Version};
use crate::request::Request;
use crate::rooms::Rooms;
use crate::route::Route;
use crate::session::{Arrival, Print, Terms};
use crate::sessions::Sessions;
use crate::site::is_set;

/// What the log says of a message that is larger than the site's topics take.
const TOO_LARGE: &str = "published more than a topic of the site takes (site_packet_bytes)";

/// The same of whoever leaves handshakes open, in one session or in many.
const TOO_MANY: &str =
    "leaves more QoS 2 handshakes open than its part of session_bytes has room for";

/// What became of a publish.
#[derive(Debug)]
pub(crate) enum Taken {
    Done,
    /// There is no room now.
    Busy(Publish),
}

/// Why a publish is not taken in.
enum Refusal {
    /// It is not.
    Told(Reason),
    /// There may be room for it later.
    Later,
}

/// Takes a publish from a client.
///
/// # Errors
///
/// The reason to end the connection with.
pub(crate) fn publish(
    rooms: &mut Rooms,
    now: Moment,
    from: Sender,
    publish: Publish,
) -> Result<Taken, Reason> {
    let route = rooms.zones.route(&publish.topic, &rooms.sessions);
    match route {
        Route::Verdict if is_leader(rooms, from.key) => {
            verdict::hear(rooms, from.key, &publish.payload);
            take_own(rooms, from, &publish, Reason::Normal);
            return Ok(Taken::Done);
        }
        Route::Own | Route::Verdict => {
            tracing::debug!(topic = %publish.topic, "nobody but the broker publishes here");
            take_own(rooms, from, &publish, Reason::NotAuthorized);
            return Ok(Taken::Done);
        }
        Route::Plain | Route::Request | Route::Zone(..) => {}
    }
    if publish.qos == Qos::AtMostOnce {
        unpromised(rooms, now, from, route, publish);
        return Ok(Taken::Done);
    }
    promised(rooms, now, from, route, publish)
}

/// A PUBREL.
///
/// # Errors
///
/// The reason to end the connection with.
pub(crate) fn released(
    sessions: &mut Sessions,
    out: &mut Out,
    from: Sender,
    pid: u16,
) -> Result<(), Reason> {
    let Some(session) = sessions.get_mut(from.key) else { return Ok(()) };
    let known = session.incoming.release(pid)?;
    sessions.count_handshakes(from.key);
    let reason = if known { Reason::Normal } else { Reason::PidUnknown };
    out.answer(from.conn, Action::Pubcomp(pid, reason));
    if out.links.unpause(from.conn) {
        out.wake(from.conn);
    }
    Ok(())
}

/// A publish of QoS 0, which is taken or dropped.
fn unpromised(rooms: &mut Rooms, now: Moment, from: Sender, route: Route, publish: Publish) {
    if !rooms.sessions.get_mut(from.key).is_some_and(|session| session.permits(&publish)) {
        return;
    }
    if is_too_large(rooms, from.key, &publish) {
        return;
    }
    if is_full(rooms, from.key, route, &publish) {
        tracing::debug!(topic = %publish.topic, "no room for a QoS 0 publish of this zone");
        return;
    }
    let publisher = Some(from.key);
    accept(rooms, now, Accepted { publish, route, publisher, hold: None });
}

/// A publish of QoS 1 or 2, which is taken, refused, or asked for again later.
fn promised(
    rooms: &mut Rooms,
    now: Moment,
    from: Sender,
    route: Route,
    publish: Publish,
) -> Result<Taken, Reason> {
    let (conn, pid, qos) = (from.conn, publish.pid, publish.qos);
    let most = rooms.settings.limits.receive_maximum;
    let Some(session) = rooms.sessions.get_mut(from.key) else { return Ok(Taken::Done) };
    let version = session.version;
    let terms = Terms { version, most, held: route.is_held() };
    let print = match session.incoming.arrives(conn, &publish, terms) {
        Arrival::New(print) => print,
        Arrival::Settled(reason) => {
            rooms.out.acknowledge(conn, pid, qos, reason);
            return Ok(Taken::Done);
        }
        Arrival::UnderWay => return Ok(Taken::Done),
        Arrival::TooMany if version == Version::V5 => return Err(Reason::ReceiveMaximum),
        Arrival::TooMany => return Ok(busy(rooms, conn, publish)),
    };
    match refusal(rooms, from.key, route, &publish) {
        None => {}
        // MQTT 3.1.1 has no word for no, and an acknowledgement would be a lie [MQTT-3.3.5-2].
        Some(Refusal::Told(reason)) if version == Version::V311 => return Err(reason),
        Some(Refusal::Later) if version == Version::V311 => return Ok(busy(rooms, conn, publish)),
        Some(Refusal::Told(reason)) => {
            rooms.out.acknowledge(conn, pid, qos, reason);
            return Ok(Taken::Done);
        }
        Some(Refusal::Later) => {
            rooms.out.acknowledge(conn, pid, qos, Reason::Quota);
            return Ok(Taken::Done);
        }
    }
    let hold = Hold { number: rooms.next_hold(), publisher: from.key, pid, qos };
    begin(rooms, from, hold, print, route);
    rooms.sessions.count_handshakes(from.key);
    let publisher = Some(from.key);
    accept(rooms, now, Accepted { publish, route, publisher, hold: Some(hold) });
    if !planted::waits(route.is_held()) {
        rooms.out.acknowledge(conn, pid, qos, Reason::Normal);
    }
    Ok(Taken::Done)
}

/// Takes in what is for others; what is for the broker itself is the caller's to answer.
fn accept(rooms: &mut Rooms, now: Moment, accepted: Accepted) {
    match (accepted.route, accepted.publisher) {
        (Route::Request, Some(asker)) => {
            rooms.out.effects.requests.push(Request::of(asker, accepted.publish));
        }
        _ => take_in(rooms, now, accepted),
    }
}

/// Why a QoS 1 or 2 publish is not taken in, if it is not.
fn refusal(rooms: &mut Rooms, key: SessionKey, route: Route, publish: &Publish) -> Option<Refusal> {
    let session = rooms.sessions.get_mut(key);
    if !session.is_some_and(|session| session.permits(publish)) {
        return Some(Refusal::Told(Reason::NotAuthorized));
    }
    if is_too_large(rooms, key, publish) {
        return Some(Refusal::Told(Reason::Quota));
    }
    let session = rooms.sessions.get(key)?;
    let limits = &rooms.settings.limits;
    let kept = !(route.is_held() && is_set(&publish.topic))
        && rooms.zones.site().retains(&publish.topic, &publish.payload);
    if publish.retain && kept && !rooms.retained.admits(publish, &session.payer, limits) {
        return Some(Refusal::Told(Reason::Quota));
    }
    if !rooms.sessions.admits_handshake(key, limits) {
        complain_of(rooms, key, TOO_MANY, &publish.topic);
        return Some(Refusal::Told(Reason::Quota));
    }
    is_full(rooms, key, route, publish).then_some(Refusal::Later)
}

fn is_full(rooms: &Rooms, key: SessionKey, route: Route, publish: &Publish) -> bool {
    let payer = rooms.sessions.get(key).map_or(&Payer::Anyone, |session| &session.payer);
    rooms.zones.full(publish, route, payer, &rooms.settings.limits)
}

/// Whether a message is larger than the site's topics take. The log tells whose it is: its client may not be told why.
fn is_too_large(rooms: &mut Rooms, key: SessionKey, publish: &Publish) -> bool {
    let most = rooms.settings.limits.site_packet_bytes as usize;
    if publish.weight() <= most || !rooms.zones.site().is_of_site(&publish.topic) {
        return false;
    }
    complain_of(
        rooms,
        key,
        TOO_LARGE,
        format_args!("{} bytes on {}", publish.weight(), publish.topic),
    );
    true
}

/// The log tells whose fault a refusal is.
fn complain_of(
    rooms: &mut Rooms,
    key: SessionKey,
    why: &'static str,
    about: impl core::fmt::Display,
) {
    if let Some(session) = rooms.sessions.get(key) {
        let culprit = session.rights.user().unwrap_or(&session.client).into();
        rooms.out.effects.complain(Complaint { culprit, why, about: about.to_string() });
    }
}

/// Whether this is the session through which the leader answers for the site.
fn is_leader(rooms: &Rooms, key: SessionKey) -> bool {
    rooms.sessions.get(key).is_some_and(|session| *session.client == *rooms.zones.site().leader())
}

/// A publish to a topic of the broker's own. MQTT 3.1.1 has no word for no: it is taken and goes nowhere.
fn take_own(rooms: &mut Rooms, from: Sender, publish: &Publish, reason: Reason) {
    let Publish { pid, qos, .. } = publish;
    if *qos == Qos::AtMostOnce {
        return;
    }
    let Some(session) = rooms.sessions.get_mut(from.key) else { return };
    let reason = if session.version == Version::V311 { Reason::Normal } else { reason };
    if reason == Reason::Normal {
        session.incoming.take(from.conn, *pid, *qos, Print::of(publish));
    }
    rooms.out.acknowledge(from.conn, *pid, *qos, reason);
}

fn busy(rooms: &mut Rooms, conn: ConnId, publish: Publish) -> Taken {
    rooms.out.links.pause(conn);
    Taken::Busy(publish)
}

/// Begins the handshake of a publish, if it does not end with its acknowledgement.
fn begin(rooms: &mut Rooms, from: Sender, hold: Hold, print: Print, route: Route) {
    let Some(session) = rooms.sessions.get_mut(from.key) else { return };
    if route.is_held() {
        session.incoming.withhold(hold, from.conn, print);
    } else {
        session.incoming.take(from.conn, hold.pid, hold.qos, print);
    }
}
