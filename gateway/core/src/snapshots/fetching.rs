//! Fetching: whom to ask for a snapshot, when, and for which part of it.

use std::collections::BTreeSet;
use std::time::Duration;

use paxos::{Moment, Slot};
use wire::GatewayId;

use super::{Chunk, SnapshotAnswer, SnapshotId, Task};
use crate::context::Context;
use crate::event::Effect;
use crate::ownership::peers::Peers;
use crate::peer::PeerMessage;
use crate::want::Wants;

/// The snapshot that this gateway fetches or installs.
#[derive(Debug, Default)]
pub(crate) struct Fetching {
    fetch: Option<Fetch>,
    /// Handed to the store and not yet in the tables: what the store says meanwhile of rows is
    /// about the tables that are to be replaced.
    installing: bool,
    /// Who gave the last chunk.
    giver: Option<GatewayId>,
    /// How often another one was asked for entries that the leader does not have.
    asked: usize,
}

/// A snapshot on its way here.
#[derive(Debug)]
struct Fetch {
    /// The first slot that nobody's log gave.
    missing: Slot,
    /// Who said that its log begins later: it has a state to copy.
    sources: BTreeSet<GatewayId>,
    stage: Stage,
    /// How much of which one is here.
    held: Option<(SnapshotId, u64)>,
    /// Whom it comes from: the same one as long as it answers, for another one's is another.
    peer: Option<GatewayId>,
    /// Who could not help in this round.
    tried: BTreeSet<GatewayId>,
    /// One of them does not have what is held here.
    gone: bool,
    /// Requests that stayed unanswered in a row.
    unanswered: u32,
    told: Told,
}

/// When people were told last, and at which tenth.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Moment,
    tenth: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Someone else's log may still reach back; Paxos asks them all until then.
    Doubting(Moment),
    /// The store is at work.
    Storing,
    /// This gateway was asked; at the latest at this moment it is asked again, or another one.
    Asking(GatewayId, Moment),
    /// At this moment someone is asked again.
    Waiting(Moment),
}

/// Unanswered requests after which another gateway is asked: a gateway that starts again is back
/// before that, and still has its snapshot.
const UNANSWERED: u32 = 5;

/// After a failure. It may be a full disk, or a gateway with a damaged file.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// How often people are told how far it is, unless a tenth takes longer.
const TELL_EVERY: Duration = Duration::from_secs(5);

impl Fetching {
    pub(crate) const fn is_installing(&self) -> bool {
        self.installing
    }

    /// What is being fetched and how much of it is here, for people.
    pub(crate) fn progress(&self) -> Option<(SnapshotId, u64)> {
        self.fetch.as_ref()?.held
    }

    /// The log of `from` does not reach back. Paxos asks those from which it hears, and that is
    /// mostly the leader alone; another one may have kept more.
    pub(crate) fn needed(
        &mut self,
        ctx: &Context,
        peers: &Peers,
        from: GatewayId,
        missing: Slot,
        out: &mut Wants,
    ) {
        let now = ctx.now.moment;
        let until = now + ctx.settings.timing.resend * 4;
        let fetch = self.fetch.get_or_insert_with(|| Fetch::new(missing, until, now));
        fetch.sources.insert(from);
        if ctx.leader != Some(from) {
            return;
        }
        let mut others = fetch.whom_to_ask(ctx, peers);
        others.retain(|id| *id != from);
        // Whoever gave a snapshot keeps the log behind it; the others have their turn.
        let giver = self.giver.filter(|giver| others.contains(giver));
        self.asked = self.asked.wrapping_add(1);
        let turn = self.asked.checked_rem(others.len());
        if let Some(peer) = giver.or(turn.map(|turn| others[turn])) {
            out.send(peer, PeerMessage::Paxos(paxos::Message::CatchUp { from: missing }));
        }
    }

    pub(crate) fn chores(&mut self, ctx: &Context, peers: &Peers, out: &mut Wants) {
        let now = ctx.now.moment;
        // Until then it could only find, and delete, the file that is being installed.
        if self.installing {
            return;
        }
        let Some(fetch) = &mut self.fetch else { return };
        match fetch.stage {
            // Someone's log was long enough.
            Stage::Doubting(_) if ctx.applied >= fetch.missing => self.fetch = None,
            Stage::Doubting(until) if now >= until => {
                fetch.stage = Stage::Storing;
                out.effect(Effect::Snapshot(Task::Resume));
            }
            Stage::Asking(_, due) if now >= due => {
                fetch.unanswered += 1;
                if fetch.unanswered >= UNANSWERED {
                    fetch.next_gateway();
                }
                fetch.ask(ctx, peers, out);
            }
            Stage::Waiting(until) if now >= until => fetch.ask(ctx, peers, out),
            _ => {}
        }
    }

    pub(crate) fn answered(
        &mut self,
        ctx: &Context,
        from: GatewayId,
        answer: SnapshotAnswer,
        out: &mut Wants,
    ) {
        let soon = ctx.now.moment + ctx.settings.timing.resend;
        let Some(fetch) = &mut self.fetch else { return };
        if !matches!(fetch.stage, Stage::Asking(asked, _) if asked == from) {
            return;
        }
        fetch.unanswered = 0;
        match answer {
            SnapshotAnswer::Chunk(chunk) if fetch.continues(&chunk, ctx.applied) => {
                fetch.stage = Stage::Storing;
                self.giver = Some(from);
                fetch.tell_progress(ctx, from, &chunk, out);
                out.effect(Effect::Snapshot(Task::Take(chunk)));
            }
            SnapshotAnswer::NotReady => fetch.stage = Stage::Waiting(soon),
            SnapshotAnswer::Chunk(_) | SnapshotAnswer::Nothing | SnapshotAnswer::Gone => {
                fetch.gone |= answer == SnapshotAnswer::Gone;
                fetch.next_gateway();
                fetch.stage = Stage::Waiting(soon);
            }
        }
    }

    /// So much is on this gateway's disk.
    pub(crate) fn held(
        &mut self,
        ctx: &Context,
        peers: &Peers,
        held: Option<(SnapshotId, u64)>,
        out: &mut Wants,
    ) {
        let again = ctx.now.moment + ctx.settings.timing.resend;
        let storing = |fetch: &&mut Fetch| fetch.stage == Stage::Storing;
        let Some(fetch) = self.fetch.as_mut().filter(storing) else { return };
        let before = core::mem::replace(&mut fetch.held, held);
        match held {
            // The log has come that far by itself.
            Some((id, _)) if id.slot <= ctx.applied => self.give_up(out),
            Some((id, bytes)) if bytes == id.bytes => {
                out.effect(Effect::Snapshot(Task::Check(id)));
            }
            // A chunk was damaged on its way.
            Some(_) if before == held => fetch.stage = Stage::Waiting(again),
            _ => fetch.ask(ctx, peers, out),
        }
    }

    pub(crate) fn failed(&mut self, ctx: &Context, why: &str, out: &mut Wants) {
        let Some(fetch) = &mut self.fetch else { return };
        fetch.held = None;
        fetch.next_gateway();
        fetch.stage = Stage::Waiting(ctx.now.moment + AFTER_FAILURE);
        out.tell(format!("Gateway {} starts its snapshot again: {why}.", ctx.me()));
    }

    /// The log has overtaken the snapshot.
    pub(crate) fn give_up(&mut self, out: &mut Wants) {
        self.fetch = None;
        out.effect(Effect::Snapshot(Task::Discard));
    }

    /// The snapshot takes the place of everything with this step.
    pub(crate) fn install(&mut self) {
        self.fetch = None;
        self.installing = true;
    }

    /// The snapshot is in the tables.
    pub(crate) fn installed(&mut self, ctx: &Context, slot: Slot, out: &mut Wants) {
        self.installing = false;
        out.effect(Effect::Snapshot(Task::Discard));
        let me = ctx.me();
        out.tell(format!("Gateway {me} has put a snapshot in place, up to slot {slot}."));
    }
}

impl Fetch {
    fn new(missing: Slot, until: Moment, now: Moment) -> Self {
        Self {
            missing,
            sources: BTreeSet::new(),
            stage: Stage::Doubting(until),
            held: None,
            peer: None,
            tried: BTreeSet::new(),
            gone: false,
            unanswered: 0,
            told: Told { at: now, tenth: 0 },
        }
    }

    fn ask(&mut self, ctx: &Context, peers: &Peers, out: &mut Wants) {
        let (now, resend) = (ctx.now.moment, ctx.settings.timing.resend);
        let sources = self.whom_to_ask(ctx, peers);
        if self.peer.is_none() && sources.iter().all(|id| self.tried.contains(id)) {
            self.tried.clear();
            // Nobody has the rest of what is held.
            if core::mem::take(&mut self.gone) && self.held.take().is_some() {
                out.effect(Effect::Snapshot(Task::Discard));
            }
        }
        let next = sources.into_iter().find(|id| !self.tried.contains(id));
        let Some(peer) = self.peer.or(next) else {
            self.stage = Stage::Waiting(now + resend);
            return;
        };
        self.peer = Some(peer);
        self.stage = Stage::Asking(peer, now + resend * 4);
        out.send(peer, PeerMessage::SnapshotRequest { above: ctx.applied, part: self.held });
    }

    /// Whom to ask, the best first: who is there and has what is missing, and the leader last,
    /// which has enough to do.
    fn whom_to_ask(&self, ctx: &Context, peers: &Peers) -> Vec<GatewayId> {
        let mut all: Vec<GatewayId> = peers.others().collect();
        all.sort_by_key(|id| {
            let beat = peers.beat(*id);
            let has = self.sources.contains(id)
                || beat.is_some_and(|beat| beat.applied >= self.missing.0);
            (peers.is_suspected(*id), !has, Some(*id) == ctx.leader)
        });
        all
    }

    fn tell_progress(&mut self, ctx: &Context, from: GatewayId, chunk: &Chunk, out: &mut Wants) {
        let (me, now) = (ctx.me(), ctx.now.moment);
        let size = chunk.id.bytes;
        let tenth = chunk.offset * 10 / size.max(1);
        if chunk.offset > 0 && tenth == self.told.tenth && now < self.told.at + TELL_EVERY {
            return;
        }
        self.told = Told { at: now, tenth };
        let (slot, at) = (chunk.id.slot, chunk.offset * 100 / size.max(1));
        out.tell(format!(
            "Gateway {me} fetches a snapshot up to slot {slot} from gateway {from}: {at} % of \
             {size} bytes."
        ));
    }

    /// Whether this is the next piece of what is held, or the first one of anything.
    fn continues(&self, chunk: &Chunk, applied: Slot) -> bool {
        let end = chunk.offset.checked_add(chunk.bytes.len() as u64);
        let fits = !chunk.bytes.is_empty() && end.is_some_and(|end| end <= chunk.id.bytes);
        let next = self.held.map_or(chunk.offset == 0, |held| held == (chunk.id, chunk.offset));
        fits && next && chunk.id.slot > applied
    }

    fn next_gateway(&mut self) {
        self.tried.extend(self.peer.take());
        self.unanswered = 0;
    }
}
