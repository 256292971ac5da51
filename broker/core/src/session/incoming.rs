//! QoS 1 and 2 publishes of one client that are not finished.

use std::collections::{BTreeMap, BTreeSet};

use super::planted;
use crate::id::ConnId;
use crate::packet::{Publish, Qos, Reason, Version};

/// The handshakes of a client's own publishes.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    stages: BTreeMap<u16, Stage>,
    /// How many of them are withheld.
    withheld: usize,
    /// QoS 1 publishes of an earlier connection that were settled since. The client cannot know and repeats them, and
    /// then hears of it: an acknowledgement more might be taken for that of another publish.
    acked_away: BTreeSet<u16>,
}

/// Where the handshake of a publish from the client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Taken in for a zone; PUBACK or PUBREC is withheld. On which connection it was heard last.
    Withheld(ConnId),
    /// QoS 2, PUBREC sent: a repetition is not a new message.
    Received,
}

/// What a publish is that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    New,
    /// The client has as many unfinished as it may.
    TooMany,
    /// A repetition of what is settled: it is acknowledged.
    Settled,
    /// A repetition of QoS 2 that has its PUBREC: it gets it again.
    Received,
    /// A repetition of what is taken in already; its acknowledgement is under way.
    UnderWay,
}

impl Incoming {
    /// Looks at a QoS 1 or 2 publish that came on a connection, with at most `limit` unfinished.
    pub(crate) fn arrives(
        &mut self,
        conn: ConnId,
        publish: &Publish,
        version: Version,
        limit: u16,
    ) -> Arrival {
        let Publish { pid, qos, dup, .. } = *publish;
        let away = qos == Qos::AtLeastOnce && self.acked_away.remove(&pid);
        if away && dup {
            return Arrival::Settled;
        }
        match self.stages.get(&pid) {
            Some(Stage::Received) if planted::received_before(qos == Qos::ExactlyOnce) => {
                Arrival::Received
            }
            Some(Stage::Withheld(_))
                if planted::withheld_before(dup || qos == Qos::ExactlyOnce) =>
            {
                self.withhold(pid, conn);
                Arrival::UnderWay
            }
            None if self.counted(version) >= usize::from(limit) => Arrival::TooMany,
            _ => Arrival::New,
        }
    }

    /// A publish was taken in and its acknowledgement is withheld.
    pub(crate) fn withhold(&mut self, pid: u16, conn: ConnId) {
        self.set(pid, Some(Stage::Withheld(conn)));
    }

    /// A QoS 2 publish was taken in, or came back in a new life of the broker; its PUBREL is awaited.
    pub(crate) fn receive(&mut self, pid: u16) {
        self.set(pid, Some(Stage::Received));
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
            Some(Stage::Received) => {}
        }
        self.set(pid, None);
        Ok(true)
    }

    /// The connection that a withheld publish was heard on last.
    pub(crate) fn withheld(&self, pid: u16) -> Option<ConnId> {
        match self.stages.get(&pid) {
            Some(Stage::Withheld(heard)) => Some(*heard),
            _ => None,
        }
    }

    /// A withheld publish is finished. `listens` says whether its client is there to hear of it.
    pub(crate) fn settle(&mut self, pid: u16, qos: Qos, listens: bool) {
        if qos == Qos::ExactlyOnce {
            return self.receive(pid);
        }
        self.set(pid, None);
        if !listens {
            self.acked_away.insert(pid);
        }
    }

    /// A withheld publish was refused.
    pub(crate) fn forget(&mut self, pid: u16) {
        self.set(pid, None);
    }

    /// QoS 2 publishes whose PUBREL has not come.
    pub(crate) fn received(&self) -> impl Iterator<Item = u16> {
        let received = self.stages.iter().filter(|(_, stage)| **stage == Stage::Received);
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
