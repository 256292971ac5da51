//! Reports and orders of zones between the node that holds them and the node that claims the zone.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::claims::Claims;
use crate::effect::Effect;
use crate::id::{Lane, Life, LinkId, Token};
use crate::map::{Refusal, Value};
use crate::message::Message;
use crate::moment::Moment;
use crate::records;
use crate::rooms::Rooms;
use crate::wire::{Frame, Refused, Report, Taken};
use crate::zones::{Answer, Full, Outcome, Reply};

/// How often a zone that waits and that nobody claims is announced. 250 ms: a lost announcement costs a blink.
const ANNOUNCE: Duration = Duration::from_millis(250);

/// A report or order is published here.
pub(crate) fn report(
    rooms: &mut Rooms,
    now: Moment,
    zone: &str,
    message: Arc<Message>,
    token: Option<Token>,
) -> Result<(), Full> {
    rooms.held.admit(zone, message, token)?;
    match Claims::find(rooms.map.table(), zone) {
        Some(claim) => rooms.held.direct(zone, claim),
        None if rooms.announce_at.is_none() => {
            rooms.announce_at = Some(now.after(ANNOUNCE));
            rooms.effect(Effect::Announce(zone.into()));
        }
        None => {}
    }
    Ok(())
}

/// Names every zone that waits and that nobody claims.
pub(crate) fn announce(rooms: &mut Rooms, now: Moment) {
    if rooms.announce_at.is_none_or(|at| at > now) {
        return;
    }
    let zones: Vec<_> = rooms.held.unclaimed().map(Into::into).collect();
    rooms.announce_at = (!zones.is_empty()).then(|| now.after(ANNOUNCE));
    zones.into_iter().for_each(|zone| rooms.effect(Effect::Announce(zone)));
}

/// An owner has opened its session here.
pub(crate) fn claim(rooms: &mut Rooms, now: Moment, zone: &str, epoch: u64) -> Result<(), Refusal> {
    let change = rooms.map.put(now, zone, Value::Claim(rooms.me()), Some(epoch))?;
    if let Some(earlier) = rooms.claims.epoch(zone) {
        // What an earlier session proposed is fenced off, and would never be answered.
        close(rooms, now, zone, earlier);
    }
    if !rooms.claims.open(zone, epoch) {
        return Err(Refusal::Full);
    }
    records::follow(rooms, &change);
    let living = rooms.peers.living();
    rooms.changed(now, change, living);
    Ok(())
}

/// An owner's session has ended. The claim stays: only its successor takes it away.
pub(crate) fn close(rooms: &mut Rooms, now: Moment, zone: &str, epoch: u64) {
    if rooms.claims.epoch(zone) != Some(epoch) {
        return;
    }
    rooms.claims.close(zone);
    for reply in rooms.offered.close(zone) {
        send(rooms, now, reply);
    }
}

/// An owner has answered.
pub(crate) fn settle(
    rooms: &mut Rooms,
    now: Moment,
    zone: &str,
    of: (Life, u64),
    outcome: Outcome,
) {
    let (holder, counter) = of;
    if let Some(reply) = rooms.offered.settle(zone, holder, counter, outcome) {
        send(rooms, now, reply);
    }
}

/// Tells whoever holds a report.
fn send(rooms: &mut Rooms, now: Moment, reply: Reply) {
    let Reply { to, frame } = reply;
    if to == rooms.me() {
        return match frame {
            Frame::Taken(taken) => self::taken(rooms, taken),
            Frame::Refused(refused) => self::refused(rooms, now, &refused),
            _ => {}
        };
    }
    // A later life holds nothing of an earlier one, and numbers anew.
    if rooms.peers.life(to.node) == Some(to.incarnation)
        && let Some(link) = rooms.peers.link(to.node, Lane::Zones)
    {
        rooms.send(link, frame);
    }
}

/// A report has come to the node that is to claim its zone.
pub(crate) fn arrive(rooms: &mut Rooms, now: Moment, holder: Life, mut report: Report) {
    if let Some(left) = report.left {
        let message = Arc::make_mut(&mut report.message);
        message.expires = Some(now.after(Duration::from_millis(left)));
    }
    let open = rooms.claims.epoch(&report.zone);
    match rooms.offered.report(holder, report, open) {
        Answer::Offer(offer) => rooms.effect(Effect::Offer(offer)),
        Answer::Wait => {}
        Answer::Refuse(refused) => send(rooms, now, Reply { to: holder, frame: refused.into() }),
    }
}

/// An owner has a report of ours.
pub(crate) fn taken(rooms: &mut Rooms, taken: Taken) {
    if let Some(token) = rooms.held.taken(&taken.zone, taken.counter) {
        rooms.effect(Effect::Settled(token, taken.refusal));
    }
}

/// A node does not take a report of ours.
pub(crate) fn refused(rooms: &mut Rooms, now: Moment, refused: &Refused) {
    let Refused { zone, round, counter, why } = refused;
    rooms.held.refused(now, zone, *round, *counter, *why);
}

/// Sends what is held to the nodes that claim its zones.
pub(crate) fn flow(rooms: &mut Rooms, now: Moment) {
    let me = rooms.me();
    for zone in rooms.held.ready() {
        let Rooms { held, peers, .. } = rooms;
        let reached = |node| node == me.node || peers.link(node, Lane::Zones).is_some();
        let Some((node, reports)) = held.next(now, &zone, reached) else { continue };
        for report in reports {
            if node == me.node {
                arrive(rooms, now, me, report);
            } else if let Some(link) = rooms.peers.link(node, Lane::Zones) {
                rooms.send(link, report);
            }
        }
    }
}

/// A frame on the lane of zones.
pub(crate) fn hear(rooms: &mut Rooms, now: Moment, from: (Life, LinkId), frame: Frame) {
    match frame {
        Frame::Report(report) => arrive(rooms, now, from.0, report),
        Frame::Taken(taken) => self::taken(rooms, taken),
        Frame::Refused(refused) => self::refused(rooms, now, &refused),
        _ => crate::greet::end(rooms, from.1, crate::effect::Ended::Confused),
    }
}
