//! What one session still has to get: a queue, and the handshakes under way [MQTT-4.3, MQTT-4.4].

use std::collections::{BTreeSet, VecDeque};

use broker_settings::Limits;

use super::keep::{Sent, Waiting};
use super::room::WAITING;
use crate::message::{Delivery, GroupId, Hold};
use crate::moment::Moment;
use crate::mutant::mutant;
use crate::protocol::Qos;

/// Retained messages that may wait for one session, because it subscribed to many filters at once. 400,000: four
/// times a full store. They are references, 64 bytes each.
const STORED_WAITING: usize = 400_000;

/// Packet ids that are used in turn. Handshakes are bounded far below this, so one that is free is always found.
const SPREAD: u16 = 4096;
/// Parts of all packet ids that are so large.
const LIVES: u64 = 15;

/// Queue and handshakes of one session.
#[derive(Debug, Default)]
pub(super) struct Outbox {
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
    /// Packet ids that were used and are free again, oldest first.
    free: VecDeque<u16>,
    fresh: u16,
    kept: Kept,
}

/// What the store has of this outbox. It begins with what is there when the client goes to sleep.
#[derive(Debug, Default)]
struct Kept {
    /// The last number that was given.
    last: u32,
    /// What has changed since the store was told.
    news: Vec<News>,
    /// Packet ids of the broker's earlier life.
    taken: Option<Box<EarlierIds>>,
}

/// Packet ids that a client may still connect with messages of an earlier life of the broker.
#[derive(Debug)]
struct EarlierIds {
    under_way: BTreeSet<u16>,
    /// Where ids of this life begin: a client that was connected when the broker was killed may have received a
    /// message under an id that nobody else remembers, and would take another with this id for the same.
    first: u16,
}

impl EarlierIds {
    fn beyond(&self, fresh: u16) -> u16 {
        let id = (u32::from(self.first) + u32::from(fresh) - 1) % u32::from(u16::MAX) + 1;
        u16::try_from(id).unwrap_or(fresh)
    }
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
pub(super) struct Left {
    /// Publishers still wait for these.
    pub(super) held: Vec<Delivery>,
    /// Other members of the group may have these.
    pub(super) shared: Vec<Delivery>,
}

impl Inflight {
    /// Whether it is the message of a handshake of this QoS of which nothing has been answered.
    fn waits_for_first(&self, qos: Qos) -> bool {
        !self.released && self.delivery.qos == qos
    }
}

/// What happened to a message that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Queued,
    /// QoS 0 beyond the bound.
    Dropped,
    /// QoS 1 or 2 beyond the bound.
    Overflow,
}

/// What to send next.
#[derive(Debug)]
pub(super) enum Next {
    Publish { pid: u16, dup: bool, delivery: Delivery },
    Pubrel(u16),
}

/// What a PUBACK, PUBREC or PUBCOMP meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Acked {
    /// The client has the message; whose acknowledgement waited for that.
    Done(Option<Hold>, usize),
    /// No such packet id is under way.
    Unknown,
    /// It is of a message whose handshake is at another step, or of another kind.
    Wrong,
}

impl Outbox {
    /// Adds a message unless the session is too far behind. A delivery with a hold is always taken: what waits for
    /// a zone has bounds of its own.
    pub(super) fn offer(&mut self, delivery: Delivery, limits: &Limits, free: usize) -> Offer {
        if !self.fits(&delivery, limits, free) {
            let lossy = delivery.qos == Qos::AtMostOnce && !delivery.stored;
            return if lossy || mutant!(LostSilently) { Offer::Dropped } else { Offer::Overflow };
        }
        self.count(&delivery, true);
        self.queue.push_back(delivery);
        Offer::Queued
    }

    /// Whether there is room for a message, with so many bytes free for all sessions.
    pub(super) fn fits(&self, delivery: &Delivery, limits: &Limits, free: usize) -> bool {
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
    pub(super) fn size(&self) -> (usize, usize) {
        (self.outstanding(), self.bytes)
    }

    /// Messages in the queue that nobody waits for and that are not from the store of retained ones.
    pub(super) const fn unpromised(&self) -> usize {
        self.counted
    }

    /// Messages waiting or under way.
    pub(super) fn outstanding(&self) -> usize {
        self.inflight.len() + self.queue.len()
    }

    /// A new connection: everything under way is sent again, in order [MQTT-4.4.0-1]. PUBRELs come first, because
    /// they wait for no room [MQTT-3.3.4-10].
    pub(super) fn resume(&mut self) {
        self.sent = if mutant!(NotSentAgain) { self.inflight.len() } else { 0 };
        self.inflight.make_contiguous().sort_by_key(|inflight| !inflight.released);
        for inflight in &mut self.inflight {
            inflight.dup = !mutant!(SentAgainAsNew);
        }
    }

    /// The connection is gone: QoS 0 is not kept for later.
    pub(super) fn pause(&mut self) {
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

    /// The next packet, with at most `window` handshakes under way.
    pub(super) fn next(&mut self, now: Moment, window: usize) -> Option<Next> {
        if let Some(again) = self.inflight.get(self.sent) {
            if self.sent >= window && !again.released && !mutant!(WindowIgnoredAtReturn) {
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
            let full = self.inflight.len() >= window && !mutant!(WindowIgnored);
            if front.qos > Qos::AtMostOnce && full {
                return None;
            }
            let delivery = self.queue.pop_front()?;
            self.count(&delivery, false);
            let expired = delivery.message.expired(now) && !mutant!(ExpiredSent);
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
        let pid = self.take_pid();
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

    /// Ids are used in turn, so that a late acknowledgement rarely meets a new message.
    fn take_pid(&mut self) -> u16 {
        if mutant!(IdReusedTooSoon) {
            return self.inflight.len() as u16 + 1;
        }
        if self.fresh >= SPREAD
            && let Some(pid) = self.free.pop_front()
        {
            return pid;
        }
        self.fresh = self.fresh.saturating_add(1);
        let Some(earlier) = &self.kept.taken else { return self.fresh };
        while earlier.under_way.contains(&earlier.beyond(self.fresh)) && self.fresh < u16::MAX {
            self.fresh += 1;
        }
        earlier.beyond(self.fresh)
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
    pub(super) fn acked(&mut self, pid: u16, qos: Qos) -> Acked {
        match self.find(pid) {
            None => Acked::Unknown,
            Some(at) if self.inflight[at].waits_for_first(qos) => self.remove(at),
            Some(_) => Acked::Wrong,
        }
    }

    /// A PUBREC: the client has the message, its id is still in use.
    pub(super) fn received(&mut self, pid: u16) -> Acked {
        let Some(at) = self.find_from(self.received, pid) else { return Acked::Unknown };
        self.received = at;
        let inflight = &mut self.inflight[at];
        if inflight.delivery.qos != Qos::ExactlyOnce {
            return Acked::Wrong;
        }
        if mutant!(ReleaseForgotten) {
            return self.remove(at);
        }
        inflight.released = true;
        if inflight.delivery.kept > 0 {
            self.kept.news.push(News::Changed(inflight.delivery.kept));
        }
        Acked::Done(inflight.delivery.hold.take(), inflight.delivery.message.weight())
    }

    /// A PUBCOMP.
    pub(super) fn completed(&mut self, pid: u16) -> Acked {
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
        let earlier = self.kept.taken.as_mut();
        if !earlier.is_some_and(|earlier| earlier.under_way.remove(&inflight.pid)) {
            self.free.push_back(inflight.pid);
        }
        Acked::Done(inflight.delivery.hold, inflight.delivery.message.weight())
    }

    fn note(&mut self, delivery: &Delivery, news: impl FnOnce(u32) -> News) {
        if delivery.kept > 0 {
            self.kept.news.push(news(delivery.kept));
        }
    }

    /// Numbers everything for the store, from the front: it begins anew with this outbox.
    pub(super) fn number_all(&mut self) -> Vec<Waiting> {
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
    pub(super) fn number_last(&mut self) -> Option<Waiting> {
        let last = self.queue.back_mut().filter(|delivery| delivery.qos > Qos::AtMostOnce)?;
        self.kept.last += 1;
        last.kept = self.kept.last;
        Some(waiting(last, None))
    }

    /// All that the store should have.
    pub(super) fn kept(&self) -> Vec<Waiting> {
        let under_way = self.inflight.iter().map(|inflight| (&inflight.delivery, inflight.state()));
        let queue = self.queue.iter().map(|delivery| (delivery, None));
        let all = under_way.chain(queue).filter(|(delivery, _)| delivery.kept > 0);
        all.map(|(delivery, sent)| waiting(delivery, sent)).collect()
    }

    /// What has changed since the last call: what is done, and what is as it is now.
    pub(super) fn progress(&mut self) -> Option<(Vec<u32>, Vec<Waiting>)> {
        if self.kept.news.is_empty() {
            return None;
        }
        let (mut done, mut changed) = (Vec::new(), Vec::new());
        for news in std::mem::take(&mut self.kept.news) {
            match news {
                News::Done(number) => done.push(number),
                News::Changed(number) => {
                    let found = self.inflight.iter().find(|i| i.delivery.kept == number);
                    changed.extend(found.map(|i| waiting(&i.delivery, i.state())));
                }
            }
        }
        Some((done, changed))
    }

    /// Takes up what an earlier life left. `life` is any number that differs from life to life.
    pub(super) fn restore(&mut self, all: Vec<Waiting>, life: u64) {
        let under_way = all.iter().filter_map(|w| w.sent.map(|sent| sent.pid)).collect();
        let first = (life % LIVES) as u16 * SPREAD;
        self.kept.taken = Some(Box::new(EarlierIds { under_way, first }));
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
    pub(super) fn take_unsent(&mut self, groups: &[GroupId]) -> Vec<Delivery> {
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
    pub(super) fn into_left(self) -> Left {
        let mut left = Left { held: Vec::new(), shared: Vec::new() };
        let sent = self.inflight.into_iter().map(|inflight| (true, inflight.delivery));
        let waiting = self.queue.into_iter().map(|delivery| (false, delivery));
        for (sent, delivery) in sent.chain(waiting) {
            if delivery.hold.is_some() {
                left.held.push(delivery);
            } else if delivery.group.is_some()
                && (!(sent && delivery.qos == Qos::ExactlyOnce) || mutant!(SharedTwice))
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

#[cfg(feature = "testing")]
impl Outbox {
    pub(super) fn books(&self) -> super::testing::Queue {
        let counts = |d: &&Delivery| !d.stored && d.hold.is_none();
        let under_way = self.inflight.iter().map(|inflight| &inflight.delivery);
        let held = under_way.chain(&self.queue).filter(|delivery| delivery.hold.is_some());
        let weight = |d: &Delivery| d.message.weight() + super::durable_ack::OVERHEAD;
        let queue = || self.queue.iter();
        super::testing::Queue {
            counted: self.counted,
            inflight: self.inflight.len(),
            held: held.map(weight).sum(),
            right: self.counted == queue().filter(counts).count()
                && self.bytes == queue().filter(counts).map(|d| d.message.weight()).sum::<usize>()
                && self.stored == queue().filter(|d| d.stored).count()
                && self.sent_bytes == self.inflight.iter().map(|i| i.bytes).sum::<usize>()
                && self.sent <= self.inflight.len(),
        }
    }
}
