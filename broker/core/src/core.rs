//! The broker's state machine as its caller sees it. It takes inputs to the room that they are for.

#[cfg(feature = "testing")]
pub mod testing;

use bytes::Bytes;

use crate::access::Guest;
use crate::administration::{self, SessionView};
use crate::codec::Action;
use crate::egress::{Egress, Pulled};
use crate::id::{ConnId, Sender};
use crate::ingress::{self, Taken};
use crate::intake;
use crate::keep::{Keep, Memory};
use crate::lifecycle::{self, Connected, Ended};
use crate::moment::Moment;
use crate::out::{Effects, Timer};
use crate::packet::{Connect, Packet, Publish, Qos, Reason};
use crate::reading::Reading;
use crate::request::Request;
use crate::rooms::Rooms;
use crate::router::{Routed, RouterOp};
use crate::settings::Settings;
use crate::subscribe::{self, Subscribe};

/// The state of one broker: sessions, subscriptions, retained messages, wills, zones. No clock and no I/O.
///
/// The caller's contract, in order:
///
/// 1. [`Core::restore`] before anything else, if an earlier life left something.
/// 2. [`Core::connect`] once per connection, after its CONNECT.
/// 3. [`Core::receive`] for every packet; a [`Received::Busy`] packet is kept and given again after a wake.
/// 4. [`Core::routed`] for everything that comes out of the router.
/// 5. [`Core::tick`] no later than [`Core::next_deadline`], and [`Core::flush_window`] when traffic pauses while
///    [`Core::window_in_use`].
/// 6. After any of these: carry out [`Core::effects`], in order, and empty them before the next call. A woken
///    connection then calls [`Core::pull`] until it gets nothing, and stops after [`Action::Close`].
/// 7. [`Core::renew`] whenever users or roles were loaded anew.
/// 8. [`Core::closed`] once per connection, whatever ended it.
#[derive(Debug)]
pub struct Core {
    rooms: Rooms,
}

/// What became of a packet.
#[derive(Debug)]
pub enum Received {
    /// It is taken; answers to it are pulled.
    Done,
    /// There is no room now: read nothing more from this client and give the packet again after a wake.
    Busy(Publish),
    /// DISCONNECT.
    Goodbye(Ended),
}

impl Core {
    /// The core of a broker that has just started, at [`Moment`] zero.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { rooms: Rooms::new(settings) }
    }

    /// Takes up what an earlier life left; `find` tells what a user may do now. Call it once, before the first
    /// connection.
    pub fn restore(
        &mut self,
        now: Moment,
        memory: Memory,
        find: impl Fn(Option<&str>) -> Option<Guest>,
    ) {
        lifecycle::restore(&mut self.rooms, now, memory, find);
    }

    /// Takes a CONNECT. An older connection with the same client id is ended [MQTT-3.1.4-3].
    ///
    /// # Errors
    ///
    /// The reason for the CONNACK.
    pub fn connect(
        &mut self,
        now: Moment,
        conn: ConnId,
        connect: Connect,
        guest: Guest,
    ) -> Result<Connected, Reason> {
        lifecycle::connect(&mut self.rooms, now, conn, connect, guest)
    }

    /// Takes a packet from a connected client.
    ///
    /// # Errors
    ///
    /// The reason to end the connection with.
    pub fn receive(
        &mut self,
        now: Moment,
        conn: ConnId,
        packet: Packet,
    ) -> Result<Received, Reason> {
        let Some(key) = self.rooms.out.links.session(conn) else { return Ok(Received::Done) };
        let from = Sender { conn, key };
        self.rooms.out.counts.received += 1;
        match packet {
            Packet::Publish(publish) => self.publish(now, from, publish),
            Packet::Disconnect { with_will, session_expiry } => {
                if let Some(seconds) = session_expiry {
                    lifecycle::change_expiry(&mut self.rooms, key, seconds)?;
                }
                Ok(Received::Goodbye(if with_will { Ended::Lost } else { Ended::Goodbye }))
            }
            packet => self.answered(now, from, packet).map(|()| Received::Done),
        }
    }

    /// Takes what came out of the router.
    pub fn routed(&mut self, batch: &[Routed]) {
        let (fanout, mut boxes) = self.rooms.fanout();
        fanout.routed(batch, &mut boxes);
    }

    /// Adds to `out` what the connection should send now, stopping after about `room` bytes. Tells whether it stopped
    /// because of that.
    pub fn pull(
        &mut self,
        now: Moment,
        conn: ConnId,
        room: usize,
        out: &mut impl Extend<Action>,
    ) -> bool {
        self.pull_below(now, conn, (room, usize::MAX), out) == Pulled::Full
    }

    /// The same, stopping before a message of more than `largest` bytes, for which the caller has to find room first.
    pub fn pull_below(
        &mut self,
        now: Moment,
        conn: ConnId,
        (room, largest): (usize, usize),
        out: &mut impl Extend<Action>,
    ) -> Pulled {
        self.egress().pull(now, conn, (room, largest), out)
    }

    /// A connection is gone.
    pub fn closed(&mut self, now: Moment, conn: ConnId, how: Ended) {
        lifecycle::closed(&mut self.rooms, now, conn, how);
    }

    /// Looks up anew what everyone may do. A session whose user is gone ends, and so does one that holds a subscription
    /// which its user may no longer have, with all that waited for it; a connection whose user has another password or
    /// role ends, and may come back to its session.
    pub fn renew(&mut self, now: Moment, find: impl Fn(Option<&str>) -> Option<Guest>) {
        lifecycle::renew(&mut self.rooms, now, find);
    }

    /// What there is to do after the last call. The caller carries it out and empties it before the next one.
    pub fn effects(&mut self) -> &mut Effects {
        &mut self.rooms.out.effects
    }

    /// When [`Core::tick`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.rooms.out.timers.next()
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Moment) {
        let rooms = &mut self.rooms;
        while let Some((at, timer)) = rooms.out.timers.due(now) {
            match timer {
                Timer::SessionEnds(key) => {
                    if rooms.sessions.get(key).is_some_and(|s| s.ends_at == Some(at)) {
                        rooms.out.counts.expired += 1;
                        lifecycle::end_session(rooms, now, key);
                    }
                }
                Timer::WillDue(key) => {
                    if rooms.sessions.get(key).is_some_and(|s| s.will.due == Some(at)) {
                        lifecycle::publish_will(rooms, now, key);
                    }
                }
                Timer::Announce => intake::announce(rooms, now),
            }
        }
    }

    /// Whether publishers should not be read further, because the router is behind.
    #[must_use]
    pub fn crowded(&self) -> bool {
        self.rooms.fanout.crowded()
    }

    /// Whether [`Core::flush_window`] has something to do soon.
    #[must_use]
    pub fn window_in_use(&self) -> bool {
        self.rooms.fanout.inside() > 0
    }

    /// Lets go of messages that the router has long passed on; call it when traffic pauses.
    pub fn flush_window(&mut self) {
        let rooms = &mut self.rooms;
        if rooms.fanout.needs_fence() {
            let number = rooms.next_order();
            let fence: RouterOp = rooms.fanout.fence(number);
            rooms.out.effects.router.push(fence);
        }
    }

    /// Publishes one of the broker's own values below `$SYS/broker`, retained; an empty one clears the topic.
    pub fn tell(&mut self, now: Moment, topic: &str, value: &str) {
        intake::tell(&mut self.rooms, now, topic, value);
    }

    /// The sessions in the order of their client ids, at most `most` of them, and only those behind `after`. Looks at
    /// every session, so not for every day's traffic.
    #[must_use]
    pub fn sessions(&self, now: Moment, after: &str, most: usize) -> Vec<SessionView> {
        administration::sessions(&self.rooms, now, after, most)
    }

    /// Ends a session, whoever has it, with its connection; tells whether there is one.
    pub fn end_session(&mut self, now: Moment, client: &str) -> bool {
        administration::end(&mut self.rooms, now, client)
    }

    /// Answers one of [`Effects::requests`]; `named` is the topic that its payload asks the answer to be sent to.
    pub fn answer(&mut self, now: Moment, request: &Request, named: Option<&str>, payload: Bytes) {
        administration::answer(&mut self.rooms, now, request, named, payload);
    }

    /// Everything in numbers. Looks at every session, so not for every day's traffic.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading::of(&self.rooms)
    }

    /// All that is kept, for a store that begins anew.
    #[must_use]
    pub fn everything(&self) -> Vec<Keep> {
        lifecycle::everything(&self.rooms)
    }

    /// Ends every connection. Wills are left to the next life: the clients did not die, the broker goes.
    pub fn stop(&mut self) {
        self.rooms.stopping = true;
        self.rooms.out.end_all(Reason::ShuttingDown);
    }

    fn publish(&mut self, now: Moment, from: Sender, publish: Publish) -> Result<Received, Reason> {
        let bytes = publish.payload.len() as u64;
        let taken = ingress::publish(&mut self.rooms, now, from, publish)?;
        let counts = &mut self.rooms.out.counts;
        match taken {
            Taken::Busy(publish) => {
                // It comes again.
                counts.received -= 1;
                Ok(Received::Busy(publish))
            }
            Taken::Done => {
                counts.publishes_received += 1;
                counts.payload_received += bytes;
                Ok(Received::Done)
            }
        }
    }

    /// Packets that are answered at once.
    fn answered(&mut self, now: Moment, from: Sender, packet: Packet) -> Result<(), Reason> {
        let Sender { conn, key } = from;
        match packet {
            Packet::Connect(_) => return Err(Reason::Protocol),
            Packet::Puback(pid, refusal) => {
                self.egress().acked(key, pid, Qos::AtLeastOnce, refusal)?;
            }
            Packet::Pubrec(pid, false) => {
                let refusal = Some(Reason::Undeliverable);
                self.egress().acked(key, pid, Qos::ExactlyOnce, refusal)?;
            }
            Packet::Pubrec(pid, true) => self.egress().received(conn, key, pid)?,
            Packet::Pubcomp(pid) => self.egress().completed(key, pid)?,
            Packet::Pubrel(pid) => {
                let Rooms { sessions, out, .. } = &mut self.rooms;
                ingress::released(sessions, out, from, pid)?;
            }
            Packet::Subscribe { pid, id, filters } => {
                let subscribe = Subscribe { pid, id, filters };
                subscribe::subscribe(&mut self.rooms, now, from, subscribe)?;
            }
            Packet::Unsubscribe { pid, filters } => {
                subscribe::unsubscribe(&mut self.rooms, from, pid, &filters);
            }
            Packet::Pingreq => self.rooms.out.answer(conn, Action::Pingresp),
            Packet::Publish(_) | Packet::Disconnect { .. } => {}
        }
        Ok(())
    }

    fn egress(&mut self) -> Egress<'_> {
        let Rooms { sessions, zones, out, .. } = &mut self.rooms;
        Egress { sessions, zones, out }
    }
}
