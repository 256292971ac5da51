//! QoS 1 and 2 publishes of one client that are not finished.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::planted;
use crate::id::ConnId;
use crate::message::Hold;
use crate::packet::{Publish, Qos, Reason, Version};

/// The handshakes of a client's own publishes.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    stages: BTreeMap<u16, Stage>,
    /// How many of them are withheld.
    withheld: usize,
    /// QoS 1 publishes of an earlier connection that were settled since. The client cannot know and repeats them, and
    /// then hears of it: an acknowledgement more might be taken for that of another publish.
    acked_away: BTreeMap<u16, AckedAway>,
    /// How many are on the user's account, in [`BLOCK`]s.
    blocks: usize,
}

/// So many handshakes go on an account at once: what usual clients have open costs nothing, and is counted nowhere.
const BLOCK: usize = 1024;
/// What one costs, about.
const HANDSHAKE: usize = 64;

/// Where the handshake of a publish from the client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Taken in for a zone; PUBACK or PUBREC is withheld.
    Withheld(Withheld),
    /// QoS 2, PUBREC sent: a repetition is not a new message.
    Received(Received),
}

/// A QoS 2 publish whose PUBREL has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Received {
    /// On which connection it was heard last; none for one of an earlier life of the broker.
    heard: Option<ConnId>,
    /// None for one of an earlier life of the broker.
    print: Option<Print>,
}

/// A publish whose acknowledgement is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Withheld {
    /// On which connection it was heard last.
    heard: ConnId,
    /// That of its [`Hold`].
    number: u64,
    print: Print,
}

/// A QoS 1 publish that was settled while its client was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AckedAway {
    print: Print,
    reason: Reason,
}

/// A hash of a publish. A client that has lost its memory uses a packet id again for another message, and may even
/// mark it as a repetition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Print(u64);

impl Print {
    pub(crate) fn of(publish: &Publish) -> Self {
        let parts = (&publish.topic, &publish.payload, &publish.properties.forwarded);
        // The seed is fixed: equal runs of a simulator are equal, and a collision harms only who makes it.
        Self(FixedState::default().hash_one(parts))
    }

    fn is(self, other: Self) -> bool {
        planted::same_message(self == other)
    }
}

/// On which terms a publish is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) version: Version,
    /// How many unfinished ones the client may have.
    pub(crate) most: u16,
    /// Whether its acknowledgement will be withheld.
    pub(crate) held: bool,
}

/// What a publish is that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    New(Print),
    /// The client has as many unfinished as it may.
    TooMany,
    /// A repetition of what was settled like this: it is told so again.
    Settled(Reason),
    /// A repetition of what is taken in already; its acknowledgement is under way.
    UnderWay,
}

impl Incoming {
    /// What goes on the user's account, in bytes. MQTT 3.1.1 has no Receive Maximum, so a client may have as many
    /// handshakes open as there are packet ids, in every session that it begins.
    pub(crate) fn weight(&self) -> usize {
        self.blocks * BLOCK * HANDSHAKE
    }

    /// What another handshake would add to that, in bytes.
    pub(crate) fn cost_of_another(&self) -> usize {
        let blocks = (self.len() + 1) / BLOCK;
        blocks.saturating_sub(self.blocks) * BLOCK * HANDSHAKE
    }

    /// Brings the account up to date; whether that changed it.
    pub(crate) fn count(&mut self) -> bool {
        let blocks = self.len() / BLOCK;
        std::mem::replace(&mut self.blocks, blocks) != blocks
    }

    fn len(&self) -> usize {
        self.stages.len() + self.acked_away.len()
    }

    /// Looks at a QoS 1 or 2 publish that came on a connection.
    pub(crate) fn arrives(&mut self, conn: ConnId, publish: &Publish, terms: Terms) -> Arrival {
        let Publish { pid, qos, dup, .. } = *publish;
        let exactly = qos == Qos::ExactlyOnce;
        let away = self.acked_away.remove(&pid).filter(|_| qos == Qos::AtLeastOnce);
        // Of anything else no repetition has to be recognised.
        let compared = terms.held || exactly || away.is_some();
        let print = if compared { Print::of(publish) } else { Print::default() };
        if let Some(away) = away.filter(|away| planted::settled_before(dup && away.print.is(print)))
        {
            return Arrival::Settled(away.reason);
        }
        match self.stages.get(&pid).copied() {
            Some(Stage::Received(earlier))
                if planted::received_before(
                    exactly && earlier.print.is_none_or(|it| it.is(print)),
                ) =>
            {
                let heard = Some(conn);
                self.set(pid, Some(Stage::Received(Received { heard, ..earlier })));
                Arrival::Settled(Reason::Normal)
            }
            Some(Stage::Withheld(earlier))
                if planted::withheld_before((dup || exactly) && earlier.print.is(print)) =>
            {
                self.set(pid, Some(Stage::Withheld(Withheld { heard: conn, ..earlier })));
                Arrival::UnderWay
            }
            None if self.is_full(conn, terms) => Arrival::TooMany,
            _ => Arrival::New(print),
        }
    }

    /// A publish was taken in and its acknowledgement is withheld. An earlier one under the same packet id is not
    /// waited for any more, here and below: what becomes of it says nothing about this one.
    pub(crate) fn withhold(&mut self, hold: Hold, heard: ConnId, print: Print) {
        let withheld = Withheld { heard, number: hold.number, print };
        self.set(hold.pid, Some(Stage::Withheld(withheld)));
    }

    /// A publish was taken in and is acknowledged at once. The PUBREL of one at QoS 2 is awaited.
    pub(crate) fn take(&mut self, heard: ConnId, pid: u16, qos: Qos, print: Print) {
        let received = Received { heard: Some(heard), print: Some(print) };
        self.set(pid, (qos == Qos::ExactlyOnce).then_some(Stage::Received(received)));
    }

    /// A QoS 2 publish of an earlier life of the broker; its PUBREL is awaited.
    pub(crate) fn restore(&mut self, pid: u16) {
        self.set(pid, Some(Stage::Received(Received { heard: None, print: None })));
    }

    /// A PUBREL; whether the packet id was known.
    ///
    /// # Errors
    ///
    /// The reason to end the connection with: the client was not told yet that its publish is received.
    pub(crate) fn release(&mut self, pid: u16) -> Result<bool, Reason> {
        match self.stages.get(&pid) {
            Some(Stage::Withheld(_)) => return Err(Reason::Protocol),
            None => return Ok(false),
            Some(Stage::Received(_)) => {}
        }
        self.set(pid, None);
        Ok(true)
    }

    /// The connection that a withheld publish was heard on last; none if the client has used its packet id for another
    /// one since.
    pub(crate) fn withheld(&self, hold: Hold) -> Option<ConnId> {
        match self.stages.get(&hold.pid) {
            Some(Stage::Withheld(it)) if planted::same_message(it.number == hold.number) => {
                Some(it.heard)
            }
            _ => None,
        }
    }

    /// A withheld publish is finished, with the refusal that its client can be told. `listens` says whether it is there
    /// to hear.
    pub(crate) fn settle(&mut self, hold: Hold, refusal: Option<Reason>, listens: bool) {
        let Some(Stage::Withheld(it)) = self.stages.get(&hold.pid).copied() else { return };
        if hold.qos == Qos::ExactlyOnce && refusal.is_none() {
            let received = Received { heard: Some(it.heard), print: Some(it.print) };
            return self.set(hold.pid, Some(Stage::Received(received)));
        }
        self.set(hold.pid, None);
        if !listens && hold.qos == Qos::AtLeastOnce {
            let reason = refusal.unwrap_or(Reason::Normal);
            self.acked_away.insert(hold.pid, AckedAway { print: it.print, reason });
        }
    }

    /// A withheld publish was refused.
    pub(crate) fn forget(&mut self, pid: u16) {
        self.set(pid, None);
    }

    /// QoS 2 publishes whose PUBREL has not come.
    pub(crate) fn received(&self) -> impl Iterator<Item = u16> {
        let received = self.stages.iter();
        let received = received.filter(|(_, stage)| matches!(stage, Stage::Received(_)));
        received.map(|(pid, _)| *pid)
    }

    /// Publishes that count against a Receive Maximum. MQTT 3.1.1 has none: such a client is not read while there are
    /// too many, so only those count that go on without it. A PUBREL that is not read would never come.
    pub(crate) fn counted(&self, version: Version) -> usize {
        match version {
            Version::V5 => self.stages.len(),
            Version::V311 => self.withheld,
        }
    }

    /// Whether the client has as many unfinished as it may on this connection (MQTT 5, 3.1.2.11.3). What was received
    /// on earlier ones may be finished without our knowledge: the client has lost its memory, or the broker a PUBREL
    /// with its power. Then nobody would ever release it, and the client could publish nothing more; so the oldest of
    /// these gives its place to a new one.
    fn is_full(&mut self, conn: ConnId, terms: Terms) -> bool {
        let most = usize::from(terms.most);
        if self.counted(terms.version) < most {
            return false;
        }
        if terms.version == Version::V311 {
            return true;
        }
        let stale = self.stages.iter().filter_map(|(pid, stage)| match stage {
            Stage::Received(it) if it.heard < Some(conn) => Some((it.heard, *pid)),
            _ => None,
        });
        let (count, oldest) = stale.fold((0, None), |(count, oldest): (usize, Option<_>), it| {
            (count + 1, Some(oldest.map_or(it, |oldest| it.min(oldest))))
        });
        let full = self.stages.len() - count >= most;
        if let Some((_, pid)) = oldest.filter(|_| !full) {
            self.set(pid, None);
        }
        full
    }

    #[cfg(feature = "testing")]
    pub(crate) fn contains(&self, pid: u16) -> bool {
        self.stages.contains_key(&pid)
    }

    fn set(&mut self, pid: u16, stage: Option<Stage>) {
        let was = match stage {
            Some(stage) => self.stages.insert(pid, stage),
            None => self.stages.remove(&pid),
        };
        let withheld = |stage| usize::from(matches!(stage, Some(Stage::Withheld(_))));
        self.withheld += withheld(stage);
        self.withheld -= withheld(was);
    }
}
