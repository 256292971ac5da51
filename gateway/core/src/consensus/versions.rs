//! What may be used in a site of its version, and when it is raised; see [`version`](crate::version).

use wire::Version;

use crate::command::{DecodeError, Entry, Op};
use crate::context::Context;
use crate::ownership::peers::Peers;
use crate::peer::PeerMessage;
use crate::planted;

/// Whether an entry may be proposed.
pub(crate) fn may_propose(ctx: &Context, op: &Op) -> bool {
    // The first entry of a version is the one that raises the site to it.
    matches!(op, Op::Raise { .. }) || speaks(ctx, op.since())
}

/// Whether a message may be sent.
pub(crate) fn may_send(ctx: &Context, message: &PeerMessage) -> bool {
    speaks(ctx, message.since())
}

/// Whether a message is one that this gateway understands. To an older program it would be undecodable.
pub(crate) fn understands(ctx: &Context, message: &PeerMessage) -> bool {
    message.since() <= ctx.settings.versions.newest
}

/// Reads an entry of the log.
pub(crate) fn read_entry(ctx: &Context, bytes: &[u8]) -> Result<Entry, DecodeError> {
    let entry = Entry::decode(bytes)?;
    let since = entry.op.since();
    if since > ctx.settings.versions.newest { Err(DecodeError::Version(since)) } else { Ok(entry) }
}

/// The highest version that every voter has announced and that the site has not; none while a voter is away,
/// for it may come back with another program.
pub(crate) fn next(ctx: &Context, peers: &Peers) -> Option<Version> {
    let mut common = ctx.settings.versions.newest;
    for id in planted::versions::raised_unannounced(peers.others().collect()) {
        let beat = peers.beat(id).filter(|_| !peers.is_suspected(id))?;
        common = common.min(beat.versions.newest);
    }
    Some(common).filter(|common| !speaks(ctx, *common))
}

/// Why this gateway cannot go on in a site of the version that it has just applied.
pub(crate) fn left_behind(ctx: &Context) -> Option<String> {
    let (site, ours) = (ctx.house.counters().version, ctx.settings.versions.newest);
    (site > ours).then(|| {
        format!(
            "the site has version {site} from here on, and this program knows versions up to {ours}: use the \
             program that the other gateways run, or a later one"
        )
    })
}

/// Whether what exists since `version` may be proposed and sent.
fn speaks(ctx: &Context, version: Version) -> bool {
    version <= ctx.house.counters().version
}
