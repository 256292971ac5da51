//! What is said on one connection: packets to the core, packets from the core.
//!
//! One task does both directions, as one state machine: it takes what has come, asks the core once for all of it, and
//! writes once all that there is to say. It reads nothing more from a client that does not read what it is sent, and it
//! notices a silent client and a stuck write by deadlines that traffic in the other direction does not move.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::bell::Bell;
use crate::hub::Hub;
use crate::large::{Account, Crowded, LARGE, Room};
use crate::pace::Pace;
use crate::pipe::Pipe;
use broker_core::protocol::{Action, Decoder, Encoder, Packet, Reason};
use broker_core::{ConnId, Moment};
use broker_core::{Core, Ended, Pulled, Received};

/// Bytes encoded ahead of the socket. 64 KiB: one large write; the rest stays in the session's bounded queue.
const WRITE_AHEAD: usize = 64 * 1024;
/// Bytes waiting to be written above which nothing is read. 256 KiB: answers to what is read come on top of the
/// messages, and a client that takes neither must not fill memory.
const READ_BELOW: usize = 4 * WRITE_AHEAD;
/// Packets taken in one step. 64: a hundred microseconds at most under the lock.
const PACKETS_PER_STEP: usize = 64;
/// Steps before others have their turn. 8: about one read's worth of everyday packets.
const STEPS_PER_TURN: usize = 8;
/// What the log says of a device that publishes faster than devices may.
const TOO_FAST: &str =
    "publishes faster than a device may (device_publishes_per_second), and is read more slowly";
/// What the log says of a client whose large packet waits for room.
const NO_ROOM: &str = "has as many large packets under way as there is room for (large_bytes)";
/// What the log says of a client whose large packet takes its room for too long.
const TOO_SLOW: &str = "took too long over a large packet";
/// Time for a large packet to come in. Two minutes: 16 MiB over a line of one megabit a second.
const LARGE_TIME: Duration = Duration::from_secs(120);
/// A deadline that never comes; a year.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum End {
    /// The client closed or reset it.
    Gone,
    /// The client said DISCONNECT.
    Goodbye(Ended),
    /// The client did something wrong, or nothing for too long.
    Fault(Reason),
    /// The core asked for it; the last words are already in the output.
    Told(Reason),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("went away without a word"),
            Self::Goodbye(Ended::Goodbye) => f.write_str("said goodbye"),
            Self::Goodbye(Ended::Lost) => f.write_str("said goodbye and wants its will published"),
            Self::Told(reason) | Self::Fault(reason) => reason.fmt(f),
        }
    }
}

/// How the log calls a client.
#[derive(Debug)]
pub(crate) struct Who {
    /// Its user, or its network where there is none: what it cannot change from one refusal to the next.
    pub(crate) culprit: String,
    /// Its client id and address.
    pub(crate) about: String,
    /// On which its large packets go.
    pub(crate) account: Account,
}

/// A connection between its CONNACK and its end.
pub(crate) struct Conversation<'c, S> {
    hub: &'c Hub,
    id: ConnId,
    bell: &'c Arc<Bell>,
    who: &'c Who,
    pipe: &'c mut Pipe<S>,
    decoder: &'c mut Decoder,
    encoder: Encoder,
    /// How long the client may be silent.
    patience: Duration,
    /// When it was last heard, or could not be.
    heard: Instant,
    /// When a write last went on, or there was nothing to write.
    wrote: Instant,
    /// Packets for the core; those that it had no room for stay.
    packets: VecDeque<Packet>,
    /// The core may have more for this client than there was room for.
    behind: bool,
    /// The output answers what this client said.
    answers: bool,
    /// How fast the client may publish, if it is a device.
    pace: Option<Arc<Pace>>,
    /// It has published faster, and is read no further for now.
    paced: bool,
    /// What large packets are under way.
    under_way: UnderWay,
}

/// The large packets of a connection.
#[derive(Default)]
struct UnderWay {
    /// Room for the one that comes in, and since when.
    coming: Option<(Room, Instant)>,
    /// One wants to come, and there is no room for it: nothing is read.
    waits: bool,
    /// Room for the one that goes out, and its size until it is in the output.
    going: Option<Room>,
    largest: Option<usize>,
}

/// What there is to do after a step.
enum Next {
    /// Another step, at once.
    More,
    /// Let those be served who get what this client said: a message is awaited more than its acknowledgement.
    Others,
    /// Nothing, until something comes.
    Nothing,
}

impl<'c, S: AsyncRead + AsyncWrite + Unpin> Conversation<'c, S> {
    pub(crate) fn new(
        (hub, id, bell, who): (&'c Hub, ConnId, &'c Arc<Bell>, &'c Who),
        pipe: &'c mut Pipe<S>,
        decoder: &'c mut Decoder,
        encoder: Encoder,
        keep_alive: u16,
        pace: Option<Arc<Pace>>,
    ) -> Self {
        // One and a half times, whatever the broker itself sends meanwhile [MQTT-3.1.2-22].
        let patience = match keep_alive {
            0 => NEVER,
            seconds => Duration::from_millis(1500 * u64::from(seconds)),
        };
        let now = Instant::now();
        let (packets, behind) = (VecDeque::new(), true);
        Self {
            hub,
            id,
            bell,
            who,
            pipe,
            decoder,
            encoder,
            patience,
            heard: now,
            wrote: now,
            packets,
            behind,
            answers: false,
            pace,
            paced: false,
            under_way: UnderWay::default(),
        }
    }

    /// Holds the conversation until it ends.
    pub(crate) async fn held(mut self) -> End {
        let mut sleep = pin!(sleep_until(self.heard + self.patience));
        poll_fn(|cx| {
            self.bell.wakes(cx.waker());
            self.pipe.work();
            let end = self.poll(cx, sleep.as_mut());
            self.pipe.pause();
            end
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<End> {
        let now = Instant::now();
        for _ in 0..STEPS_PER_TURN {
            match self.step(cx, now) {
                Ok(Next::More) => {}
                Ok(Next::Others) => break,
                Ok(Next::Nothing) => return self.poll_deadlines(cx, sleep),
                Err(end) => return Poll::Ready(end),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One step of everything; tells what there is to do next.
    fn step(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Next, End> {
        let open = self.reads(now);
        let more = self.take(open, now)?;
        if !more && std::mem::take(&mut self.answers) && self.pipe.output.len() < WRITE_AHEAD {
            return Ok(Next::Others);
        }
        if !more || self.pipe.output.len() >= WRITE_AHEAD {
            self.write(cx, now)?;
        }
        if more {
            return Ok(Next::More);
        }
        // What a device has to wait with is not read ahead, or its flood would be held here.
        let open = open && !self.paced && !self.under_way.waits;
        if open && self.packets.is_empty() && self.pipe.output.len() < READ_BELOW {
            match self.pipe.poll_read(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(End::Gone),
                Poll::Ready(Ok(count)) => {
                    self.hub.traffic.received(count);
                    if self.under_way.coming.is_some() {
                        // It is on its way, however long that takes.
                        self.heard = now;
                    }
                    return Ok(Next::More);
                }
                Poll::Pending => {}
            }
        }
        let more = self.behind && self.pipe.output.len() < WRITE_AHEAD;
        Ok(if more { Next::More } else { Next::Nothing })
    }

    /// Whether packets of this client are taken now.
    fn reads(&mut self, now: Instant) -> bool {
        self.paced = self.next_token(now).is_some();
        !self.paced
            && self.packets.is_empty()
            && self.pipe.output.len() < READ_BELOW
            && !(self.hub.crowded() && self.hub.must_wait(self.id))
    }

    /// Moves packets from the input to the core and from the core to the output, as far as there is room; tells whether
    /// the input may have more.
    fn take(&mut self, open: bool, now: Instant) -> Result<bool, End> {
        let (mut fault, waited) = (None, !self.packets.is_empty());
        while open && self.packets.len() < PACKETS_PER_STEP {
            match self.decoder.next(&mut self.pipe.input) {
                Ok(Some(packet)) => {
                    self.under_way.coming = None;
                    let publish = matches!(packet, Packet::Publish(_));
                    self.packets.push_back(packet);
                    if publish && self.pays(now) {
                        break;
                    }
                }
                Ok(None) => {
                    fault = self.make_room(now).err();
                    break;
                }
                Err(reason) => {
                    fault = Some(reason);
                    break;
                }
            }
        }
        let (rung, fresh) = (self.bell.answered(), open && !self.packets.is_empty());
        let more = waited || self.packets.len() >= PACKETS_PER_STEP;
        if fresh {
            self.heard = now;
        }
        let room = WRITE_AHEAD.saturating_sub(self.pipe.output.len());
        if rung || fresh || (self.behind && room > 0) {
            self.ask(room, now)?;
        }
        self.answers |= fresh && !self.pipe.output.is_empty();
        fault.map_or(Ok(more && self.packets.is_empty()), |reason| Err(End::Fault(reason)))
    }

    /// Finds room for the packet that is not complete, if it is a large one.
    fn make_room(&mut self, now: Instant) -> Result<(), Reason> {
        self.under_way.waits = false;
        let input = &mut self.pipe.input;
        let total = self.decoder.unfinished(input).filter(|total| *total > LARGE);
        let Some(total) = total.filter(|_| self.under_way.coming.is_none()) else { return Ok(()) };
        match self.hub.large.take(&self.who.account, total, (self.id, self.bell)) {
            Ok(room) => {
                input.reserve(total - input.len());
                self.under_way.coming = Some((room, now));
                Ok(())
            }
            Err(Crowded::Now) => {
                self.hub.refused(NO_ROOM, &self.who.culprit, &self.who.about);
                self.under_way.waits = true;
                Ok(())
            }
            Err(Crowded::Never) => Err(Reason::TooLarge),
        }
    }

    /// Takes a token for a publish; tells whether it was the last one for now.
    fn pays(&mut self, now: Instant) -> bool {
        let Some(pace) = &self.pace else { return false };
        // Without one another connection of the device has taken it meanwhile; the packet is read already.
        self.paced = pace.take(now).is_err() || pace.wait(now).is_some();
        if self.paced {
            self.hub.refused(TOO_FAST, &self.who.culprit, &self.who.about);
        }
        self.paced
    }

    /// When there is a token for the client's next publish, if it has to wait for one.
    fn next_token(&self, now: Instant) -> Option<Instant> {
        self.pace.as_ref().and_then(|pace| pace.wait(now))
    }

    /// Gives the core the packets, and takes what it has for this client.
    fn ask(&mut self, room: usize, now: Instant) -> Result<(), End> {
        if self.pipe.output.is_empty() {
            self.wrote = now;
        }
        let packets = &mut self.packets;
        let output = &mut self.pipe.output;
        let mut letters =
            Letters { encoder: self.encoder, output, told: None, refused: Vec::new() };
        let largest = self.under_way.largest.take().unwrap_or(LARGE);
        let (given, pulled) = self.hub.step_for(self.id, |core, now| {
            let given = give(core, now, self.id, packets);
            (given, core.pull_below(now, self.id, (room, largest), &mut letters))
        });
        self.behind = pulled == Pulled::Full;
        for why in letters.refused {
            self.hub.refused(why, &self.who.culprit, &self.who.about);
        }
        given?;
        if let Some(reason) = letters.told {
            return Err(End::Told(reason));
        }
        if let Pulled::Large(bytes) = pulled {
            self.make_room_to_write(bytes);
        }
        Ok(())
    }

    /// Finds room for the next message, which is a large one. If there is none now, the bell tells when there may be.
    fn make_room_to_write(&mut self, bytes: usize) {
        if self.under_way.going.is_some() {
            // The one before is not written yet.
            self.behind = true;
            return;
        }
        let account = match &self.who.account {
            // What a device may read, others have been allowed to publish.
            Account::Device(name) => &Account::User(name.clone()),
            account => account,
        };
        match self.hub.large.take(account, bytes, (self.id, self.bell)) {
            Ok(room) => {
                self.under_way.going = Some(room);
                self.under_way.largest = Some(bytes);
                self.behind = true;
            }
            Err(Crowded::Now) => {}
            Err(Crowded::Never) => {
                self.under_way.largest = Some(bytes);
                self.behind = true;
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        let written = self.write_some(cx, now);
        if self.under_way.largest.is_none() && self.pipe.output.len() < WRITE_AHEAD {
            self.under_way.going = None;
        }
        written
    }

    fn write_some(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        if self.pipe.output.is_empty() {
            return Ok(());
        }
        let clogged = self.pipe.output.len() >= READ_BELOW;
        let written = self.pipe.poll_write(cx).map_err(|_| End::Gone)?;
        if written > 0 {
            self.hub.traffic.sent(written);
            self.wrote = now;
        }
        if written > 0 && clogged {
            self.heard = now;
        }
        Ok(())
    }

    /// Looks at the deadlines, and sees to it that the task comes back in time.
    fn poll_deadlines(&mut self, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<End> {
        let write_timeout = self.hub.settings.limits.write_timeout.max(Duration::from_millis(1));
        loop {
            let now = Instant::now();
            let clogged = self.pipe.output.len() >= READ_BELOW;
            let token = self.next_token(now).filter(|_| self.paced);
            if token.is_none() && std::mem::take(&mut self.paced) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let late = self.under_way.coming.as_ref().map(|(_, since)| *since + LARGE_TIME);
            if late.is_some_and(|late| late <= now) {
                self.hub.refused(TOO_SLOW, &self.who.culprit, &self.who.about);
                return Poll::Ready(End::Fault(Reason::Quota));
            }
            let waits = token.is_some() || self.under_way.waits;
            if !clogged && (waits || !self.packets.is_empty() || self.hub.crowded()) {
                // A client that is not read cannot be heard.
                self.heard = now;
            }
            let silent = self.heard + self.patience;
            let stuck = (!self.pipe.output.is_empty()).then(|| self.wrote + write_timeout);
            let due = stuck.map_or(silent, |stuck| stuck.min(silent));
            if due <= now {
                return Poll::Ready(End::Fault(Reason::KeepAlive));
            }
            let due = [token, late].into_iter().flatten().fold(due, Instant::min);
            // A deadline that only moves away costs nothing: the clock rings when the old one is over.
            if sleep.deadline() > due || sleep.is_elapsed() {
                sleep.as_mut().reset(due);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Where the core's words for a client are written down.
struct Letters<'o> {
    encoder: Encoder,
    output: &'o mut BytesMut,
    /// The core ends the connection.
    told: Option<Reason>,
    /// What the client was refused, for the log.
    refused: Vec<&'static str>,
}

impl Extend<Action> for Letters<'_> {
    fn extend<I: IntoIterator<Item = Action>>(&mut self, actions: I) {
        for action in actions {
            self.encoder.put(self.output, &action);
            self.refused.extend(refusal(&action));
            if let Action::Close(reason) = action {
                self.told = Some(reason);
            }
        }
    }
}

/// What an answer refuses, in words.
fn refusal(answer: &Action) -> Option<&'static str> {
    const FAILURE: u8 = 0x80;
    match answer {
        Action::Puback(_, reason) | Action::Pubrec(_, reason) if *reason as u8 >= FAILURE => {
            Some(match reason {
                Reason::NotAuthorized => "published what it is not allowed to",
                Reason::Quota => "published what there is no room for",
                other => other.text(),
            })
        }
        Action::Suback(_, codes) => {
            let code = *codes.iter().find(|code| **code >= FAILURE)?;
            Some(match code {
                code if code == Reason::NotAuthorized as u8 => {
                    "asked for topics that it may not see"
                }
                code if code == Reason::Quota as u8 => {
                    "has as many subscriptions as there is room for"
                }
                _ => Reason::Filter.text(),
            })
        }
        _ => None,
    }
}

/// Gives packets to the core until one ends the connection, or finds no room and stays.
fn give(
    core: &mut Core,
    now: Moment,
    id: ConnId,
    packets: &mut VecDeque<Packet>,
) -> Result<(), End> {
    while let Some(packet) = packets.pop_front() {
        match core.receive(now, id, packet) {
            Ok(Received::Done) => {}
            Ok(Received::Busy(publish)) => {
                packets.push_front(Packet::Publish(publish));
                break;
            }
            Ok(Received::Goodbye(how)) => return Err(End::Goodbye(how)),
            Err(reason) => return Err(End::Fault(reason)),
        }
    }
    Ok(())
}
