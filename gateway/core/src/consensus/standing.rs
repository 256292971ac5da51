//! Whether this gateway's file is as new as the others remember it.
//!
//! A file that was put back to an older state has forgotten promises, and nothing in it tells: a folder or the disk of
//! a virtual machine takes the life file along. So every gateway remembers of every other one's file which life used
//! it last and how old it was then, in commits, and writes that down. Whoever starts with a file that knows a group
//! says how old it found the file, and takes no part in the agreement, neither as a voter nor as a candidate, before
//! enough of the others have answered that they know of nothing later.
//!
//! ```text
//!  starts ──Announce(life, found 640)──▶ the others: write it down ──▶ Known(an earlier life, 640)   takes part
//!                                                              └──▶ Known(an earlier life, 812)   gives its vote up
//! ```
//!
//! Enough are a majority of the other voters: one of them was there when anything was agreed with this gateway's vote.
//! If they are not all there, it goes on after a while with as many as make a majority with itself.

use std::collections::{BTreeMap, BTreeSet};

use paxos::{Moment, ReplicaId};
use wire::GatewayId;

use crate::consensus::agreement::Agreement;
use crate::consensus::versions;
use crate::context::Context;
use crate::event::Effect;
use crate::id::gateway;
use crate::ownership::peers::Peers;
use crate::peer::PeerMessage;
use crate::planted;
use crate::settings::{File, Settings};
use crate::version::WITNESSES;
use crate::want::{Want, Wants};
use crate::witness::{Announcement, Known, Witness};

/// What this gateway can prove of its own file, and what it remembers of the others'.
#[derive(Debug)]
pub(crate) struct Standing {
    file: File,
    /// How old the file is now.
    age: u64,
    /// The age that the others were told last.
    told: u64,
    /// Since when the links are up.
    up: Option<Moment>,
    /// When to announce again at the earliest.
    due: Moment,
    /// Its own heartbeat has come back, so what the broker kept was heard: perhaps the site goes on without its file.
    echoed: bool,
    /// Who has answered; none once this gateway takes part.
    answers: Option<BTreeSet<ReplicaId>>,
    known: BTreeMap<ReplicaId, Witness>,
    /// What is not written yet, and when the oldest of it came.
    unwritten: BTreeSet<ReplicaId>,
    since: Option<Moment>,
}

/// Files of one gateway that are remembered: it gets another one when its box dies or a backup is put back.
const FILES: usize = 16;

impl Standing {
    pub(crate) fn new(settings: &Settings) -> Self {
        let (file, known) = (settings.file, settings.witnesses.clone());
        let can = settings.versions.newest >= WITNESSES;
        let asks = planted::standing::unproven(can && !file.trusted);
        Self {
            file,
            age: file.found,
            told: 0,
            up: None,
            due: Moment::default(),
            echoed: false,
            answers: asks.then(BTreeSet::new),
            known,
            unwritten: BTreeSet::new(),
            since: None,
        }
    }

    /// What the broker had kept of the others has come.
    pub(crate) fn echoed(&mut self) {
        self.echoed = true;
    }

    /// Whether this gateway has heard what the broker kept.
    pub(crate) const fn has_listened(&self) -> bool {
        self.echoed
    }

    /// Whether this gateway may take part in the agreement. Before it knows a group it can only look for one; then a
    /// blank file may have been put back too. A voter alone has nobody to ask.
    pub(crate) fn is_proven(&self, agreement: &Agreement) -> bool {
        let nobody = agreement.begins_alone() || voters_but_me(agreement).next().is_none();
        self.echoed && (self.answers.is_none() || agreement.is_blank() || nobody)
    }

    /// For whose answers it waits.
    pub(crate) fn awaited(&self, agreement: &Agreement) -> Vec<GatewayId> {
        let Some(answers) = &self.answers else { return Vec::new() };
        let silent = voters_but_me(agreement).filter(|id| !answers.contains(id));
        silent.map(gateway).collect()
    }

    /// The links are up or down. Who was cut off tells again how old its file is: a machine may have been set back.
    pub(crate) fn links(&mut self, up: bool, now: Moment) {
        self.up = if up { self.up.or(Some(now)) } else { None };
        self.told = 0;
    }

    /// The file is so old by now.
    pub(crate) fn aged(&mut self, age: u64) {
        self.age = age;
    }

    pub(crate) fn chores(
        &mut self,
        ctx: &Context,
        agreement: &Agreement,
        peers: &Peers,
        out: &mut Wants,
    ) {
        let now = ctx.now.moment;
        if self.since.is_some_and(|since| now >= since + ctx.settings.timing.remember) {
            self.write(out);
        }
        self.look_whether_it_is_enough(ctx, agreement, peers, out);
        let asks = self.answers.is_some();
        if self.up.is_none() || agreement.is_blank() || now < self.due {
            return;
        }
        if !asks && self.age == self.told {
            return;
        }
        self.due = now + ctx.settings.timing.beat;
        self.told = self.age;
        let announcement = Announcement {
            life: self.file.life,
            found: self.file.found,
            age: self.age,
            asks,
            trusted: self.file.trusted,
        };
        for to in peers.known().filter(|to| versions::understands_witnesses(ctx, peers, *to)) {
            out.send(to, PeerMessage::Announce(announcement));
        }
    }

    /// Another gateway tells how old its file is.
    pub(crate) fn announced(
        &mut self,
        ctx: &Context,
        agreement: &Agreement,
        from: ReplicaId,
        its: Announcement,
        out: &mut Wants,
    ) {
        if agreement.is_blank() {
            return;
        }
        let known = self.known.get(&from).copied();
        let answer = Known { to: its.life, witness: known.unwrap_or_default() };
        let older = |known: Witness| match known.life == its.life {
            true => known.age > its.age,
            false => known.age > its.found,
        };
        if known.is_some_and(older) && !its.trusted {
            return out.send(gateway(from), PeerMessage::Known(answer));
        }
        let seen = Witness { life: its.life, age: its.age };
        if known != Some(seen) {
            self.remember(from, seen, ctx.now.moment, agreement, out);
        }
        if its.asks {
            self.write(out);
            out.push(Want::SendWritten(gateway(from), PeerMessage::Known(answer)));
        }
    }

    /// Another gateway says what it remembers of this one's file.
    pub(crate) fn answered(
        &mut self,
        ctx: &Context,
        agreement: &Agreement,
        from: ReplicaId,
        known: Known,
        out: &mut Wants,
    ) {
        let (witness, life) = (known.witness, self.file.life);
        // What was said of the file before this one comes late.
        if planted::standing::is_for_another_file(known.to != life) {
            return;
        }
        let mine = if witness.life == life { self.age } else { self.file.found };
        if witness.age > mine && !self.file.trusted {
            return out.effect(Effect::SetBack(set_back(ctx, gateway(from), witness.age, mine)));
        }
        if let Some(answers) = &mut self.answers
            // One for each voter, and a few files of gateways that this one does not know.
            && answers.len() < FILES
        {
            answers.insert(from);
            let voters = voters_but_me(agreement);
            let (asked, yes) = voters.fold((0, 0), |(asked, yes), id| {
                (asked + 1, yes + usize::from(answers.contains(&id)))
            });
            if yes > asked / 2 {
                self.answers = None;
            }
        }
    }

    /// Goes on without a majority of the others when they had time to answer.
    fn look_whether_it_is_enough(
        &mut self,
        ctx: &Context,
        agreement: &Agreement,
        peers: &Peers,
        out: &mut Wants,
    ) {
        let Some(answers) = &self.answers else { return };
        if agreement.is_blank() {
            return;
        }
        if voters_but_me(agreement).next().is_none() {
            self.answers = None;
            return;
        }
        let patient = self.up.is_none_or(|up| ctx.now.moment < up + ctx.settings.timing.proof);
        // A gateway with an older program cannot answer, and remembers nothing.
        let mute = peers.known().filter(|id| versions::knows_no_witnesses(ctx, peers, *id));
        let least = (agreement.voters().majority() - 1).max(1);
        if patient || answers.len() + mute.count() < least {
            return;
        }
        let (me, silent) = (ctx.me(), self.awaited(agreement));
        let silent = silent.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.answers = None;
        out.tell(format!(
            "Gateway {me} takes part although gateways {silent} have not said whether its file is the newest: those \
             that answered know of no newer one."
        ));
    }

    fn remember(
        &mut self,
        file: ReplicaId,
        seen: Witness,
        now: Moment,
        agreement: &Agreement,
        out: &mut Wants,
    ) {
        self.known.insert(file, seen);
        self.unwritten.insert(file);
        self.since = self.since.or(Some(now));
        let files = self.known.keys().filter(|id| id.number() == file.number());
        let files: Vec<_> = files.copied().collect();
        let spare = |id: &&ReplicaId| **id != file && !agreement.voters().contains(**id);
        if files.len() > FILES
            && let Some(forgotten) = files.iter().find(spare)
        {
            self.known.remove(forgotten);
            self.unwritten.remove(forgotten);
            out.push(Want::Remember(*forgotten, None));
        }
    }

    fn write(&mut self, out: &mut Wants) {
        for (file, witness) in self.unwritten() {
            out.push(Want::Remember(file, witness));
        }
    }

    /// What is to be written. It goes along with every commit: what is agreed was promised by files that are so old.
    pub(crate) fn unwritten(&mut self) -> Vec<(ReplicaId, Option<Witness>)> {
        self.since = None;
        let files = std::mem::take(&mut self.unwritten).into_iter();
        files.map(|file| (file, self.known.get(&file).copied())).collect()
    }
}

fn voters_but_me(agreement: &Agreement) -> impl Iterator<Item = ReplicaId> + '_ {
    let me = agreement.id();
    agreement.voters().iter().filter(move |id| *id != me)
}

fn set_back(ctx: &Context, by: GatewayId, known: u64, mine: u64) -> String {
    let me = ctx.me();
    format!(
        "gateway {by} remembers the file of gateway {me} after {known} commits, and this file had {mine}: a folder, a \
         disk or a virtual machine was put back to an older state, or a copy of it ran. What it promised and accepted \
         since is not in it, so it gives its vote up, follows the others, and gets a vote from them. If there is no \
         newer file of it anywhere, start it with --trust-file"
    )
}
