//! What one session still has to get: a queue, and the handshakes under way [MQTT-4.3, MQTT-4.4].

use std::collections::VecDeque;
use std::sync::Arc;

use broker_settings::Limits;

use super::ids::PacketIds;
use super::planted;
use crate::id::{GroupId, Incarnation};
use crate::keep::{Sent, Waiting};
use crate::message::{Delivery, Hold, Message};
use crate::moment::Moment;
use crate::packet::Qos;

/// What a message that waits for a session costs there, whoever else has it.
pub(crate) const WAITING: usize = 96;
/// Retained messages that may wait for one session, because it subscribed to many filters at once. 400,000: four
/// times a full store. They are references, 64 bytes each.
const STORED_WAITING: usize = 400_000;

/// Queue and handshakes of one session.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Delivery>,
    /// Messages and bytes in the queue that count against the bounds.
    counted: usize,
    bytes: usize,
    stored: usize,
    /// Bytes of what is under way and counted as well: a client that never acknowledges is a slow one too.
    sent_bytes: usize,
    inflight: VecDeque<Inflight>,
    /// How many of `inflight`, from the front, this connection has been sent.
    sent: usize,
    /// Where in `inflight` the last PUBREC found its message; the next one's is almost always behind it.
    received: usize,
    ids: PacketIds,
    kept: Kept,
}

/// What the store has of this outbox. It begins with what is there when the client goes to sleep.
#[derive(Debug, Default)]
struct Kept {
    /// The last number that was given.
    last: u32,
    /// What has changed since the store was told.
    news: Vec<News>,
}

/// One thing that the store should know.
#[derive(Debug, Clone, Copy)]
enum News {
    /// This kept delivery has got its packet id, or has been received.
    Changed(u32),
    /// The client has this kept delivery.
    Done(u32),
}

#[derive(Debug)]
struct Inflight {
    pid: u16,
    delivery: Delivery,
    /// PUBREC came: what is missing is the PUBCOMP.
    released: bool,
    dup: bool,
    /// What it counts for.
    bytes: usize,
}

/// What others get of a session that is at its end, in order.
#[derive(Debug)]
pub(crate) struct Left {
    /// Publishers still wait for these.
    pub(crate) held: Vec<Delivery>,
    /// Other members of the group may have these.
    pub(crate) shared: Vec<Delivery>,
}

impl Inflight {
    /// Whether it is the message of a handshake of this QoS of which nothing has been answered.
    fn waits_for_first(&self, qos: Qos) -> bool {
        !self.released && self.delivery.qos == qos
    }
}

/// What has become of kept deliveries.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The client has these.
    pub(crate) done: Vec<u32>,
    /// These are so now.
    pub(crate) changed: Vec<Waiting>,
}

/// Messages and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// What happened to a message that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Queued,
    /// QoS 0 beyond the bound.
    Dropped,
    /// QoS 1 or 2 beyond the bound.
    Overflow,
}

/// What to send next.
#[derive(Debug)]
pub(crate) enum Next {
    Publish { pid: u16, dup: bool, delivery: Delivery },
    Pubrel(u16),
}

/// What a PUBACK, PUBREC or PUBCOMP meant.
#[derive(Debug)]
pub(crate) enum Acked {
    /// The client has the message; whose acknowledgement waited for that.
    Done(Option<Hold>, Arc<Message>),
    /// No such packet id is under way.
    Unknown,
    /// It is of a message whose handshake is at another step, or of another kind.
    Wrong,
}

impl Outbox {
    /// Adds a message unless the session is too far behind. A delivery with a hold is always taken: what waits for
    /// a zone has bounds of its own.
    pub(crate) fn offer(&mut self, delivery: Delivery, limits: &Limits, free: usize) -> Offer {
        if !self.fits(&delivery, limits, free) {
            let lossy = delivery.qos == Qos::AtMostOnce && !delivery.stored;
            return if planted::lossy(lossy) { Offer::Dropped } else { Offer::Overflow };
        }
        self.count(&delivery, true);
        self.queue.push_back(delivery);
        Offer::Queued
    }

    /// What all of it costs, in bytes, if nobody else has the same messages.
    pub(crate) fn weight(&self) -> usize {
        self.bytes + self.sent_bytes + self.outstanding() * WAITING
    }

    /// Whether there is room for a message, with so many bytes free for all sessions.
    pub(crate) fn fits(&self, delivery: &Delivery, limits: &Limits, free: usize) -> bool {
        if delivery.stored {
            return self.stored < STORED_WAITING && self.outstanding() * WAITING <= free;
        }
        let bytes = self.bytes + self.sent_bytes + delivery.message.weight();
        delivery.hold.is_some()
            || (self.counted < limits.queue_messages
                && bytes <= limits.queue_bytes
                && bytes + self.outstanding() * WAITING <= free)
    }

    /// Messages waiting or under way, and bytes of those that wait.
    pub(crate) fn size(&self) -> Size {
        Size { messages: self.outstanding(), bytes: self.bytes }
    }

    /// Messages in the queue that nobody waits for and that are not from the store of retained ones.
    pub(crate) const fn unpromised(&self) -> usize {
        self.counted
    }

    /// Messages waiting or under way.
    pub(crate) fn outstanding(&self) -> usize {
        self.inflight.len() + self.queue.len()
    }

    /// A new connection: everything under way is sent again, in order [MQTT-4.4.0-1]. PUBRELs come first, because
    /// they wait for no room [MQTT-3.3.4-10].
    pub(crate) fn resume(&mut self) {
        self.sent = planted::sent_at_return(0, self.inflight.len());
        self.inflight.make_contiguous().sort_by_key(|inflight| !inflight.released);
        for inflight in &mut self.inflight {
            inflight.dup = planted::sent_again(true);
        }
    }

    /// The connection is gone: QoS 0 is not kept for later.
    pub(crate) fn pause(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        (self.counted, self.bytes, self.stored) = (0, 0, 0);
        for delivery in queue.into_iter().filter(|d| d.qos > Qos::AtMostOnce || d.hold.is_some()) {
            self.count(&delivery, true);
            self.queue.push_back(delivery);
        }
        self.sent = 0;
    }

    fn count(&mut self, delivery: &Delivery, up: bool) {
        let step = |value: &mut usize, by: usize| {
            *value = if up { *value + by } else { value.saturating_sub(by) };
        };
        if delivery.stored {
            step(&mut self.stored, 1);
        } else if delivery.hold.is_none() {
            step(&mut self.counted, 1);
            step(&mut self.bytes, delivery.message.weight());
        }
    }

    /// Bytes of the message that is next, if one is.
    pub(crate) fn next_weight(&self) -> usize {
        let delivery = match self.inflight.get(self.sent) {
            Some(again) if again.released => None,
            Some(again) => Some(&again.delivery),
            None => self.queue.front(),
        };
        delivery.map_or(0, |delivery| delivery.message.weight())
    }

    /// The next packet, with at most `window` handshakes under way.
    pub(crate) fn next(&mut self, now: Moment, window: usize) -> Option<Next> {
        if let Some(again) = self.inflight.get(self.sent) {
            if planted::window_is_full_at_return(self.sent >= window && !again.released) {
                return None;
            }
            self.sent += 1;
            return Some(if again.released {
                Next::Pubrel(again.pid)
            } else {
                Next::Publish { pid: again.pid, dup: again.dup, delivery: again.delivery.clone() }
            });
        }
        loop {
            let front = self.queue.front()?;
            let full = planted::window_is_full(self.inflight.len() >= window);
            if front.qos > Qos::AtMostOnce && full {
                return None;
            }
            let delivery = self.queue.pop_front()?;
            self.count(&delivery, false);
            let expired = planted::expired(delivery.message.expired(now));
            if expired && delivery.hold.is_none() {
                self.note(&delivery, News::Done);
                continue;
            }
            return Some(self.send(delivery));
        }
    }

    fn send(&mut self, delivery: Delivery) -> Next {
        if delivery.qos == Qos::AtMostOnce {
            return Next::Publish { pid: 0, dup: false, delivery };
        }
        let pid = planted::packet_id(self.ids.take(), self.inflight.len());
        self.note(&delivery, News::Changed);
        let copy = delivery.clone();
        self.under_way(Inflight { pid, delivery, released: false, dup: false, bytes: 0 });
        self.sent += 1;
        Next::Publish { pid, dup: false, delivery: copy }
    }

    fn under_way(&mut self, inflight: Inflight) {
        let counts = !inflight.delivery.stored && inflight.delivery.hold.is_none();
        let bytes = if counts { inflight.delivery.message.weight() } else { 0 };
        self.sent_bytes += bytes;
        self.inflight.push_back(Inflight { bytes, ..inflight });
    }

    fn find(&self, pid: u16) -> Option<usize> {
        self.find_from(0, pid)
    }

    /// Looks from there to the end, and then at what is before.
    fn find_from(&self, start: usize, pid: u16) -> Option<usize> {
        let start = start.min(self.sent);
        let wanted = |&at: &usize| self.inflight.get(at).is_some_and(|found| found.pid == pid);
        (start..self.sent).find(wanted).or_else(|| (0..start).find(wanted))
    }

    /// A PUBACK of a QoS 1 message, or a PUBREC that refuses one of QoS 2.
    pub(crate) fn acked(&mut self, pid: u16, qos: Qos) -> Acked {
        match self.find(pid) {
            None => Acked::Unknown,
            Some(at) if self.inflight[at].waits_for_first(qos) => self.remove(at),
            Some(_) => Acked::Wrong,
        }
    }

    /// A PUBREC: the client has the message, its id is still in use.
    pub(crate) fn received(&mut self, pid: u16) -> Acked {
        let Some(at) = self.find_from(self.received, pid) else { return Acked::Unknown };
        self.received = at;
        let inflight = &mut self.inflight[at];
        if inflight.delivery.qos != Qos::ExactlyOnce {
            return Acked::Wrong;
        }
        if planted::forgotten_at_pubrec(false) {
            return self.remove(at);
        }
        inflight.released = true;
        if inflight.delivery.kept > 0 {
            self.kept.news.push(News::Changed(inflight.delivery.kept));
        }
        Acked::Done(inflight.delivery.hold.take(), inflight.delivery.message.clone())
    }

    /// A PUBCOMP.
    pub(crate) fn completed(&mut self, pid: u16) -> Acked {
        match self.find(pid) {
            None => Acked::Unknown,
            Some(at) if self.inflight[at].released => self.remove(at),
            Some(_) => Acked::Wrong,
        }
    }

    fn remove(&mut self, at: usize) -> Acked {
        let Some(inflight) = self.inflight.remove(at) else { return Acked::Unknown };
        self.sent -= 1;
        self.sent_bytes -= inflight.bytes;
        self.received = self.received.saturating_sub(1);
        self.note(&inflight.delivery, News::Done);
        self.ids.give_back(inflight.pid);
        Acked::Done(inflight.delivery.hold, inflight.delivery.message)
    }

    fn note(&mut self, delivery: &Delivery, news: impl FnOnce(u32) -> News) {
        if delivery.kept > 0 {
            self.kept.news.push(news(delivery.kept));
        }
    }

    /// Numbers everything for the store, from the front: it begins anew with this outbox.
    pub(crate) fn number_all(&mut self) -> Vec<Waiting> {
        self.kept.news = Vec::new();
        self.kept.last = 0;
        let under_way = self.inflight.iter_mut().map(|inflight| &mut inflight.delivery);
        for delivery in under_way.chain(&mut self.queue).filter(|d| d.qos > Qos::AtMostOnce) {
            self.kept.last += 1;
            delivery.kept = self.kept.last;
        }
        self.kept()
    }

    /// Numbers the last of the queue.
    pub(crate) fn number_last(&mut self) -> Option<Waiting> {
        let last = self.queue.back_mut().filter(|delivery| delivery.qos > Qos::AtMostOnce)?;
        self.kept.last += 1;
        last.kept = self.kept.last;
        Some(waiting(last, None))
    }

    /// All that the store should have.
    pub(crate) fn kept(&self) -> Vec<Waiting> {
        let under_way = self.inflight.iter().map(|inflight| (&inflight.delivery, inflight.state()));
        let queue = self.queue.iter().map(|delivery| (delivery, None));
        let all = under_way.chain(queue).filter(|(delivery, _)| delivery.kept > 0);
        all.map(|(delivery, sent)| waiting(delivery, sent)).collect()
    }

    /// What has changed since the last call; none if nothing has.
    pub(crate) fn progress(&mut self) -> Option<Progress> {
        if self.kept.news.is_empty() {
            return None;
        }
        let mut progress = Progress::default();
        for news in std::mem::take(&mut self.kept.news) {
            match news {
                News::Done(number) => progress.done.push(number),
                News::Changed(number) => {
                    let found = self.inflight.iter().find(|i| i.delivery.kept == number);
                    progress.changed.extend(found.map(|i| waiting(&i.delivery, i.state())));
                }
            }
        }
        Some(progress)
    }

    /// Takes up what an earlier life left.
    pub(crate) fn restore(&mut self, all: Vec<Waiting>, life: Incarnation) {
        let under_way = all.iter().filter_map(|w| w.sent.map(|sent| sent.pid)).collect();
        self.ids = PacketIds::after_life(under_way, life);
        for Waiting { number, message, qos, retain, stored, ids, sent } in all {
            self.kept.last = self.kept.last.max(number);
            let (hold, group, kept) = (None, None, number);
            let delivery = Delivery { message, qos, retain, stored, ids, hold, group, kept };
            match sent {
                Some(Sent { pid, released }) => {
                    self.under_way(Inflight { pid, delivery, released, dup: true, bytes: 0 });
                }
                None => {
                    self.count(&delivery, true);
                    self.queue.push_back(delivery);
                }
            }
        }
    }

    /// Takes out what belongs to some groups and was never sent.
    pub(crate) fn take_unsent(&mut self, groups: &[GroupId]) -> Vec<Delivery> {
        let theirs = |delivery: &Delivery| delivery.group.is_some_and(|id| groups.contains(&id));
        let (taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(theirs);
        self.queue = left.into();
        for delivery in &taken {
            self.count(delivery, false);
            self.note(delivery, News::Done);
        }
        taken
    }

    /// The session is at its end.
    pub(crate) fn into_left(self) -> Left {
        let mut left = Left { held: Vec::new(), shared: Vec::new() };
        let sent = self.inflight.into_iter().map(|inflight| (true, inflight.delivery));
        let waiting = self.queue.into_iter().map(|delivery| (false, delivery));
        for (sent, delivery) in sent.chain(waiting) {
            if delivery.hold.is_some() {
                left.held.push(delivery);
            } else if delivery.group.is_some()
                && !planted::stays_with_member(sent && delivery.qos == Qos::ExactlyOnce)
            {
                left.shared.push(delivery);
            }
        }
        left
    }
}

impl Inflight {
    fn state(&self) -> Option<Sent> {
        Some(Sent { pid: self.pid, released: self.released })
    }
}

fn waiting(delivery: &Delivery, sent: Option<Sent>) -> Waiting {
    Waiting {
        number: delivery.kept,
        message: delivery.message.clone(),
        qos: delivery.qos,
        retain: delivery.retain,
        stored: delivery.stored,
        ids: delivery.ids.clone(),
        sent,
    }
}

/// What a queue counts, for tests.
#[cfg(feature = "testing")]
#[derive(Debug, Clone, Copy)]
pub struct QueueBooks {
    /// Messages that count against the bound.
    pub counted: usize,
    /// Handshakes under way.
    pub inflight: usize,
    /// Deliveries that somebody waits for, and their bytes.
    pub held: usize,
    /// Bytes of those.
    pub held_bytes: usize,
    /// Whether all sums are those of what is there.
    pub right: bool,
}

#[cfg(feature = "testing")]
impl Outbox {
    pub(crate) fn books(&self) -> QueueBooks {
        let counts = |d: &&Delivery| !d.stored && d.hold.is_none();
        let under_way = self.inflight.iter().map(|inflight| &inflight.delivery);
        let held = under_way.chain(&self.queue).filter(|delivery| delivery.hold.is_some());
        let queue = || self.queue.iter();
        QueueBooks {
            counted: self.counted,
            inflight: self.inflight.len(),
            held: held.clone().count(),
            held_bytes: held.map(|d| d.message.weight()).sum(),
            right: self.counted == queue().filter(counts).count()
                && self.bytes == queue().filter(counts).map(|d| d.message.weight()).sum::<usize>()
                && self.stored == queue().filter(|d| d.stored).count()
                && self.sent_bytes == self.inflight.iter().map(|i| i.bytes).sum::<usize>()
                && self.sent <= self.inflight.len(),
        }
    }
}
