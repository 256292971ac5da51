//! What may be used in a site of its version, and when it is raised; see [`version`](crate::version).

use wire::{Allowance, GatewayId, Maker, State, Version, Versions};

use crate::command::{DecodeError, Entry, Op};
use crate::context::Context;
use crate::ownership::peers::Peers;
use crate::peer::PeerMessage;
use crate::planted;
use crate::version::{COUNTED_ZONES, EXACT_STATES, WITNESSES};

/// Whether an entry may be proposed.
pub(crate) fn may_propose(ctx: &Context, peers: &Peers, op: &Op) -> bool {
    match op {
        // The first entry of a version is the one that raises the site to it.
        Op::Raise { .. } => true,
        // The first zone waits for that, so that no state of a new site is agreed in an older form.
        Op::Place { .. } | Op::Register { .. } | Op::Make { .. } | Op::Enrol { .. }
            if ctx.house.zones().is_empty() =>
        {
            !is_to_be_raised(ctx, peers)
        }
        _ => speaks(ctx, op.since()),
    }
}

/// Whether the site is raised to this program's version as soon as all voters were heard. A voter that is silent is
/// suspected in time, and ends the waiting.
fn is_to_be_raised(ctx: &Context, peers: &Peers) -> bool {
    let newest = ctx.settings.versions.newest;
    let agrees = |id| {
        let announced = peers.beat(id).is_none_or(|beat| beat.versions.newest >= newest);
        announced && !peers.is_suspected(id)
    };
    !speaks(ctx, newest) && peers.others().all(agrees)
}

/// The state as an entry may carry it now; none where programs that run here could not understand it.
pub(crate) fn agreed_form(ctx: &Context, state: State) -> Option<State> {
    if speaks(ctx, EXACT_STATES) { Some(state) } else { state.canonical() }
}

/// Who makes a zone, where that is counted; none where programs that run here could not understand it.
pub(crate) fn counted(ctx: &Context, maker: Option<Maker>) -> Option<Maker> {
    // An older broker of ours, or another one, does not say.
    let anybody = || Maker {
        may: Allowance { user: u32::MAX, role: u32::MAX, all: u32::MAX },
        account: None,
    };
    counts_zones(ctx).then(|| maker.unwrap_or_else(anybody))
}

/// Whether zones go on somebody's account, and go.
pub(crate) fn counts_zones(ctx: &Context) -> bool {
    speaks(ctx, COUNTED_ZONES)
}

/// Whether a message may be sent to a gateway.
pub(crate) fn may_send(ctx: &Context, peers: &Peers, to: GatewayId, message: &PeerMessage) -> bool {
    let heard = matches!(message, PeerMessage::Announce(_) | PeerMessage::Known(_));
    speaks(ctx, message.since()) || heard && understands_witnesses(ctx, peers, to)
}

/// Whether a gateway can be told how old a file is. A file that was put back may be from before the site had the
/// version for it, so what the gateway has announced counts too.
pub(crate) fn understands_witnesses(ctx: &Context, peers: &Peers, id: GatewayId) -> bool {
    let ours = ctx.settings.versions.newest >= WITNESSES;
    let announced = || peers.versions(id).is_some_and(|theirs| theirs.newest >= WITNESSES);
    ours && (speaks(ctx, WITNESSES) || announced())
}

/// Whether a gateway has said that it has an older program, or this one is older itself.
pub(crate) fn knows_no_witnesses(ctx: &Context, peers: &Peers, id: GatewayId) -> bool {
    let older = |versions: Versions| versions.newest < WITNESSES;
    older(ctx.settings.versions) || peers.versions(id).is_some_and(older)
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
