//! Fetching: whom to ask for a snapshot, when, and for which part of it.

use std::collections::BTreeSet;
use std::time::Duration;

use paxos::{Moment, Slot};
use wire::GatewayId;

use super::{Chunk, SnapshotAnswer, SnapshotId, Task};
use crate::event::Effect;
use crate::gateway::Gateway;
use crate::peer::PeerMessage;
use crate::step::Step;

/// A snapshot on its way here.
#[derive(Debug)]
pub(crate) struct Fetch {
    /// The first slot that nobody's log gave.
    missing: Slot,
    /// Who said that its log begins later: it has a state to copy.
    sources: BTreeSet<GatewayId>,
    stage: Stage,
    /// How much of which one is here.
    pub(super) held: Option<(SnapshotId, u64)>,
    /// Whom it comes from: the same one as long as it answers, for another one's is another.
    peer: Option<GatewayId>,
    /// Who could not help in this round.
    tried: BTreeSet<GatewayId>,
    /// One of them does not have what is held here.
    gone: bool,
    /// Requests that stayed unanswered in a row.
    unanswered: u32,
    /// When people were told last, and at which tenth.
    told: (Moment, u64),
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

impl Gateway {
    /// The log of `from` does not reach back. Paxos asks those from which it hears, and that is
    /// mostly the leader alone; another one may have kept more.
    pub(crate) fn snapshot_needed(&mut self, from: GatewayId, missing: Slot, out: &mut Step) {
        let now = self.now.moment;
        let until = now + self.settings.timing.resend * 4;
        let fetch = self.snapshots.fetch.get_or_insert_with(|| Fetch {
            missing,
            sources: BTreeSet::new(),
            stage: Stage::Doubting(until),
            held: None,
            peer: None,
            tried: BTreeSet::new(),
            gone: false,
            unanswered: 0,
            told: (now, 0),
        });
        fetch.sources.insert(from);
        if self.leader() != Some(from) {
            return;
        }
        let mut others = self.sources();
        others.retain(|id| *id != from);
        // Whoever gave a snapshot keeps the log behind it; the others have their turn.
        let giver = self.snapshots.giver.filter(|giver| others.contains(giver));
        self.snapshots.asked = self.snapshots.asked.wrapping_add(1);
        let turn = self.snapshots.asked.checked_rem(others.len());
        if let Some(peer) = giver.or(turn.map(|turn| others[turn])) {
            let message = PeerMessage::Paxos(paxos::Message::CatchUp { from: missing });
            self.send(peer, message, out);
        }
    }

    pub(crate) fn snapshot_chores(&mut self, out: &mut Step) {
        let (now, applied) = (self.now.moment, self.applied);
        // Until then it could only find, and delete, the file that is being installed.
        if self.snapshots.installing {
            return;
        }
        let Some(fetch) = &mut self.snapshots.fetch else { return };
        match fetch.stage {
            // Someone's log was long enough.
            Stage::Doubting(_) if applied >= fetch.missing => self.snapshots.fetch = None,
            Stage::Doubting(until) if now >= until => {
                fetch.stage = Stage::Storing;
                out.effects.push(Effect::Snapshot(Task::Resume));
            }
            Stage::Asking(_, due) if now >= due => {
                fetch.unanswered += 1;
                if fetch.unanswered >= UNANSWERED {
                    fetch.next_gateway();
                }
                self.ask_snapshot(out);
            }
            Stage::Waiting(until) if now >= until => self.ask_snapshot(out),
            _ => {}
        }
    }

    pub(crate) fn snapshot_answered(
        &mut self,
        from: GatewayId,
        answer: SnapshotAnswer,
        out: &mut Step,
    ) {
        let soon = self.now.moment + self.settings.timing.resend;
        let applied = self.applied;
        let Some(fetch) = &mut self.snapshots.fetch else { return };
        if !matches!(fetch.stage, Stage::Asking(asked, _) if asked == from) {
            return;
        }
        fetch.unanswered = 0;
        match answer {
            SnapshotAnswer::Chunk(chunk) if fetch.continues(&chunk, applied) => {
                fetch.stage = Stage::Storing;
                self.snapshots.giver = Some(from);
                self.tell_progress(from, &chunk, out);
                out.effects.push(Effect::Snapshot(Task::Take(chunk)));
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
    pub(super) fn snapshot_held(&mut self, held: Option<(SnapshotId, u64)>, out: &mut Step) {
        let again = self.now.moment + self.settings.timing.resend;
        let storing = |fetch: &&mut Fetch| fetch.stage == Stage::Storing;
        let Some(fetch) = self.snapshots.fetch.as_mut().filter(storing) else { return };
        let before = core::mem::replace(&mut fetch.held, held);
        match held {
            // The log has come that far by itself.
            Some((id, _)) if id.slot <= self.applied => self.give_up_fetching(out),
            Some((id, bytes)) if bytes == id.bytes => {
                out.effects.push(Effect::Snapshot(Task::Check(id)));
            }
            // A chunk was damaged on its way.
            Some(_) if before == held => fetch.stage = Stage::Waiting(again),
            _ => self.ask_snapshot(out),
        }
    }

    pub(super) fn snapshot_failed(&mut self, why: &str, out: &mut Step) {
        let Some(fetch) = &mut self.snapshots.fetch else { return };
        fetch.held = None;
        fetch.next_gateway();
        fetch.stage = Stage::Waiting(self.now.moment + AFTER_FAILURE);
        let me = self.settings.id;
        self.tell(out, format!("Gateway {me} starts its snapshot again: {why}."));
    }

    /// The log has overtaken the snapshot.
    pub(super) fn give_up_fetching(&mut self, out: &mut Step) {
        self.snapshots.fetch = None;
        out.effects.push(Effect::Snapshot(Task::Discard));
    }

    fn ask_snapshot(&mut self, out: &mut Step) {
        let (now, timing) = (self.now.moment, self.settings.timing);
        let (above, sources) = (self.applied, self.sources());
        let Some(fetch) = &mut self.snapshots.fetch else { return };
        if fetch.peer.is_none() && sources.iter().all(|id| fetch.tried.contains(id)) {
            fetch.tried.clear();
            // Nobody has the rest of what is held.
            if core::mem::take(&mut fetch.gone) && fetch.held.take().is_some() {
                out.effects.push(Effect::Snapshot(Task::Discard));
            }
        }
        let next = sources.into_iter().find(|id| !fetch.tried.contains(id));
        let Some(peer) = fetch.peer.or(next) else {
            fetch.stage = Stage::Waiting(now + timing.resend);
            return;
        };
        fetch.peer = Some(peer);
        fetch.stage = Stage::Asking(peer, now + timing.resend * 4);
        let part = fetch.held;
        self.send(peer, PeerMessage::SnapshotRequest { above, part }, out);
    }

    /// Whom to ask, the best first: who is there and has what is missing, and the leader last,
    /// which has enough to do.
    fn sources(&self) -> Vec<GatewayId> {
        let Some(fetch) = &self.snapshots.fetch else { return Vec::new() };
        let leader = self.leader();
        let mut all: Vec<GatewayId> = self.peers.others().collect();
        all.sort_by_key(|id| {
            let beat = self.peers.beat(*id);
            let has = fetch.sources.contains(id)
                || beat.is_some_and(|beat| beat.applied >= fetch.missing.0);
            (self.peers.is_suspected(*id), !has, Some(*id) == leader)
        });
        all
    }

    fn tell_progress(&mut self, from: GatewayId, chunk: &Chunk, out: &mut Step) {
        let (me, now) = (self.settings.id, self.now.moment);
        let Some(fetch) = &mut self.snapshots.fetch else { return };
        let size = chunk.id.bytes;
        let tenth = chunk.offset * 10 / size.max(1);
        if chunk.offset > 0 && tenth == fetch.told.1 && now < fetch.told.0 + TELL_EVERY {
            return;
        }
        fetch.told = (now, tenth);
        let (slot, at) = (chunk.id.slot, chunk.offset * 100 / size.max(1));
        let words = format!(
            "Gateway {me} fetches a snapshot up to slot {slot} from gateway {from}: {at} % of \
             {size} bytes."
        );
        self.tell(out, words);
    }
}

impl Fetch {
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
