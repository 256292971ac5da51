//! The version of the site: what every gateway of it understands.
//!
//! A new kind of entry or message belongs to a version ([`Op::since`], [`PeerMessage::since`]). Every gateway
//! announces in its heartbeats which versions it understands. Once all voters have announced a higher one than
//! the site has, the leader proposes [`Op::Raise`], and from there on the new kinds may be used. So gateways of
//! different programs work together while a home is upgraded one gateway after another, in any order. What is
//! not raised yet is not used: nobody proposes an entry or sends a message above the site's version.
//!
//! A gateway that understands too little stops and says so: it was given an older program after the site was
//! raised, or it came later.

use wire::{Version, Versions};

use crate::command::{DecodeError, Entry, Op};
use crate::gateway::Gateway;
use crate::mutant::mutant;
use crate::peer::PeerMessage;

/// The highest version that this program understands.
///
/// - 3: the entries and messages of programs that announce nothing.
/// - 4: [`Op::Raise`].
pub const NEWEST: Version = Version(4);

/// The versions that this program understands.
pub const OURS: Versions = Versions { oldest: Version::FIRST, newest: NEWEST };

impl Gateway {
    /// Whether what exists since `version` may be proposed and sent.
    pub(crate) fn speaks(&self, version: Version) -> bool {
        version <= self.house.counters().version
    }

    /// Whether an entry may be proposed.
    pub(crate) fn may_propose(&self, op: &Op) -> bool {
        // The first entry of a version is the one that raises the site to it.
        matches!(op, Op::Raise { .. }) || self.speaks(op.since())
    }

    /// Whether a message may be sent.
    pub(crate) fn may_send(&self, message: &PeerMessage) -> bool {
        self.speaks(message.since())
    }

    /// Reads an entry of the log.
    pub(crate) fn read_entry(&self, bytes: &[u8]) -> Result<Entry, DecodeError> {
        let entry = Entry::decode(bytes)?;
        let since = entry.op.since();
        if since > self.settings.versions.newest {
            Err(DecodeError::Version(since))
        } else {
            Ok(entry)
        }
    }

    /// The highest version that every voter has announced and that the site has not; none while a voter is away,
    /// for it may come back with another program.
    pub(crate) fn next_version(&self) -> Option<Version> {
        let mut common = self.settings.versions.newest;
        for id in self.peers.others().filter(|_| !mutant!(RaisedUnannounced)) {
            let beat = self.peers.beat(id).filter(|_| !self.peers.is_suspected(id))?;
            common = common.min(beat.versions.newest);
        }
        Some(common).filter(|common| !self.speaks(*common))
    }

    /// Why this gateway cannot go on in a site of the version that it has just applied.
    pub(crate) fn left_behind(&self) -> Option<String> {
        let (site, ours) = (self.house.counters().version, self.settings.versions.newest);
        (site > ours).then(|| {
            format!(
                "the site has version {site} from here on, and this program knows versions up to {ours}: use the \
                 program that the other gateways run, or a later one"
            )
        })
    }
}
