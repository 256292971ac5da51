//! What a gateway's core is told when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paxos::ReplicaId;
use wire::{GatewayId, Site, SiteGeneration, Versions};

use crate::command::Agreed;
use crate::house::Memory;
use crate::id::Incarnation;
use crate::witness::Witness;

/// The settings of one gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site.
    pub site: Site,
    /// Which gateway this is.
    pub id: GatewayId,
    /// What tells its file from every other file, also from one that it had before.
    pub disk: u64,
    /// Of which generation of the site its file is.
    pub generation: SiteGeneration,
    /// How old its file is, and who uses it.
    pub file: File,
    /// What it remembers of the other gateways' files.
    pub witnesses: BTreeMap<ReplicaId, Witness>,
    /// Why its file has no vote, and what to do, for people; none if there is nothing to say.
    pub doubt: Option<String>,
    /// Which life of it; greater after every start.
    pub incarnation: Incarnation,
    /// The versions of entries and messages that it announces and takes; the program's own, but where an older
    /// program is played.
    pub versions: Versions,
    /// The gateways that found a new site together; who votes afterwards is in the log.
    pub founders: BTreeSet<GatewayId>,
    /// Whether this one owns zones.
    pub serves: bool,
    /// Preferred leaders, the most preferred first.
    pub leaders: Vec<GatewayId>,
    /// What apply shall read; proposed by whoever leads.
    pub agreed: Agreed,
    /// Devices that the cache holds.
    pub cache: usize,
    /// Whether the broker is Hearth's own, whose takeover fences an old owner off at once.
    pub own_broker: bool,
    /// Whether to tell every step of what happens, not only what an operator must know.
    pub story: bool,
    /// Whether to tell of every round of Paxos too.
    pub rounds: bool,
    /// Applied slots that the log keeps on disk for replicas that were away; older ones are
    /// trimmed, and who needs them gets a snapshot.
    pub log_keep: u64,
    /// Periods and timeouts.
    pub timing: Timing,
    /// What is remembered of requests that may come again; the usual, but where small ones are tried.
    pub memory: Memory,
    /// Proposals of one zone for publishes at QoS 0 that are not applied yet; [`UNPROMISED`], but where fewer are
    /// tried.
    pub unpromised: usize,
}

/// A gateway's file, as this life of the gateway found it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// The life that uses it now: a random number, not 0.
    pub life: u64,
    /// How many commits there were in it.
    pub found: u64,
    /// An operator says that there is no newer one.
    pub trusted: bool,
}

/// Nothing holds the senders of publishes at QoS 0 back, so what is above is dropped and counted. 32: half of what our
/// own broker has under way at QoS 1 and 2 (its receive maximum), so that a flood gets no more than a third of the
/// zone's agreements.
///
/// Proposals for QoS 1 and 2 need no bound of their own: none is refused, and the session has at most as many under way
/// as its receive maximum says, or, on a foreign broker that knows none, 65,535 packet ids.
pub const UNPROMISED: usize = 32;

/// Chosen slots that Paxos keeps in memory for late replicas; older ones come from the disk.
const LOG_WINDOW: u64 = 4096;

impl Settings {
    /// Chosen slots that Paxos keeps in memory: none that the disk has trimmed.
    #[must_use]
    pub fn log_window(&self) -> u64 {
        log_window(self.log_keep)
    }
}

/// The same for a log that keeps so many slots on disk.
#[must_use]
pub fn log_window(log_keep: u64) -> u64 {
    LOG_WINDOW.min(log_keep)
}

/// Periods and timeouts, and what must hold between them.
///
/// ```text
/// 2 · leader_beat  ≤ election_min            a lost heartbeat is no election
/// lease            ≥ 3 · lease_every         a lost request is no lost lease
/// silence          ≥ 4 · beat                a lost beat is no suspicion
/// silence + probes · probe_every < 1.5 s − election_max    a hung leader that owns zones
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two retained heartbeats of a gateway.
    pub beat: Duration,
    /// Between two Paxos heartbeats of the leader.
    pub leader_beat: Duration,
    /// A leader that was heard within this is alive.
    pub election_min: Duration,
    /// The longest silence before a pre-vote.
    pub election_max: Duration,
    /// How long an owner may answer queries from the moment at which it asked.
    pub lease: Duration,
    /// Between two lease requests.
    pub lease_every: Duration,
    /// Assumed bound of how much faster one monotonic clock may run than another, in percent.
    pub drift_percent: u32,
    /// Silence after which a gateway is suspected.
    pub silence: Duration,
    /// Between two probes of a suspected gateway.
    pub probe_every: Duration,
    /// Probes that must stay unanswered before a suspected gateway is declared dead.
    pub probes: u32,
    /// After which an unanswered request of the gateway's own is made again.
    pub resend: Duration,
    /// Between two looks at everything that may be due.
    pub chores: Duration,
    /// How long a gateway that starts waits for all others' word on its file, before less is enough.
    pub proof: Duration,
    /// After which what is known of another gateway's file is on disk.
    pub remember: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            beat: Duration::from_millis(100),
            leader_beat: Duration::from_millis(50),
            election_min: Duration::from_millis(300),
            election_max: Duration::from_millis(500),
            lease: Duration::from_millis(400),
            lease_every: Duration::from_millis(100),
            drift_percent: 10,
            silence: Duration::from_millis(500),
            probe_every: Duration::from_millis(25),
            probes: 3,
            resend: Duration::from_millis(250),
            chores: Duration::from_millis(25),
            proof: Duration::from_secs(2),
            remember: Duration::from_secs(1),
        }
    }
}

impl Timing {
    /// The same with every time that tells silence from death, or bounds a lease, multiplied.
    #[must_use]
    pub fn times(self, patience: u32) -> Self {
        Self {
            beat: self.beat * patience,
            leader_beat: self.leader_beat * patience,
            election_min: self.election_min * patience,
            election_max: self.election_max * patience,
            lease: self.lease * patience,
            lease_every: self.lease_every * patience,
            silence: self.silence * patience,
            probe_every: self.probe_every * patience,
            proof: self.proof * patience,
            ..self
        }
    }

    /// What a leader waits after its last grant before it moves a zone away from a gateway that
    /// may still live, where no takeover fences that gateway off.
    #[must_use]
    pub fn lease_wait(&self) -> Duration {
        self.lease + self.lease * self.drift_percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inequalities_between_the_timeouts_hold() {
        let t = Timing::default();
        assert!(t.leader_beat * 2 <= t.election_min && t.election_min < t.election_max);
        assert!(t.lease >= t.lease_every * 3);
        assert!(t.silence >= t.beat * 4);
        let noticed = t.silence + t.probe_every * (t.probes + 1) + t.chores;
        assert!(noticed + t.election_max < Duration::from_millis(1500));
    }
}
