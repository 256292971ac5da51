//! The gateway: brings every input to the role that it concerns, and sees to what the roles want.
//!
//! ```text
//!  input ──▶ role ──▶ wants ──▶ effect: into the step
//!              ▲        │
//!              └────────┘ for another role: at once, before the next want
//! ```
//!
//! No role knows another one's inside. A role that may look at another has it in its signature.

mod happening;
mod hearing;
mod start;
mod view;

use std::collections::VecDeque;

use paxos::{Moment, Slot};
use wire::{Clock, GatewayId, Heartbeat};

use crate::after_commit::applying::Applying;
use crate::after_commit::settle::Settling;
use crate::after_commit::unsettled::Unsettled;
use crate::consensus::agreement::Agreement;
use crate::consensus::damage::Damage;
use crate::consensus::digests::Digests;
use crate::consensus::generations::Generations;
use crate::consensus::lone::Lone;
use crate::consensus::rounds::Rounds;
use crate::consensus::standing::Standing;
use crate::consensus::versions;
use crate::context::Context;
use crate::event::{Delivery, Effect, Input, Now, Session, Stored};
use crate::id::gateway;
use crate::ownership::authority::Authority;
use crate::ownership::cache::Cache;
use crate::ownership::duties::Duties;
use crate::ownership::grants::Grants;
use crate::ownership::heartbeat::{Beats, Pulse};
use crate::ownership::lease::Lease;
use crate::ownership::peers::Peers;
use crate::ownership::publications;
use crate::ownership::site::Site;
use crate::ownership::zones::{self, Zones};
use crate::peer::PeerMessage;
use crate::planted;
use crate::requests::handler::{RequestHandler, Surroundings};
use crate::requests::knocks::Door;
use crate::requests::refusals::Refusals;
use crate::snapshots::Report;
use crate::snapshots::fetching::Fetching;
use crate::snapshots::giving::Giving;
use crate::snapshots::installing::Installing;
use crate::step::Step;
use crate::timekeeping::timekeeper::Timekeeper;
use crate::want::{Chore, Question, Want, Wants};
use happening::Happening;
use hearing::Hearing;

/// A gateway's decisions.
///
/// # The caller's contract
///
/// 1. Call [`step`](Self::step) with every input as it comes and, at the latest at
///    [`deadline`](Self::deadline), with [`Input::Tick`]. Time never runs backwards.
/// 2. Carry out the step's effects in order. Then hand the step to the store, in the order in
///    which the steps were made; many may be absorbed into one.
/// 3. Feed back what [`Step::persist`] gives, in order. If it fails, stop the process: memory is
///    ahead of the disk.
/// 4. Open sessions when asked to, report what becomes of them under the number with which they
///    were opened, and deliver only what came in under that number.
/// 5. [`Effect::Stop`], [`Effect::SetBack`], [`Effect::Adopt`] and [`Effect::Outlived`] are final.
pub struct Gateway {
    ctx: Context,
    /// The Lamport clock.
    clock: Clock,
    started: Moment,
    /// When it is time for the next chores.
    chores: Moment,
    agreement: Agreement,
    damage: Damage,
    lone: Lone,
    standing: Standing,
    generations: Generations,
    rounds: Rounds,
    digests: Digests,
    /// Nothing that is known to be chosen is missing here.
    caught_up: bool,
    peers: Peers,
    beats: Beats,
    lease: Lease,
    grants: Grants,
    duties: Duties,
    zones: Zones,
    site: Site,
    door: Door,
    cache: Cache,
    requests: RequestHandler,
    refusals: Refusals,
    unsettled: Unsettled,
    fetching: Fetching,
    giving: Giving,
    timekeeper: Timekeeper,
}

impl Gateway {
    /// When to tick at the latest.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        let agreement = self.agreement.deadline();
        if self.may_agree() { agreement.min(self.chores) } else { self.chores }
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) -> Step {
        self.ctx.now = now;
        self.ctx.elapsed = self.timekeeper.elapsed(&self.ctx.house, now.moment);
        let mut step = Step::default();
        let mut out = Wants::default();
        self.take(input, &mut out);
        let mut wants = Vec::new();
        out.put_on(&mut wants);
        while let Some(want) = wants.pop() {
            let mut out = Wants::default();
            self.see_to(want, &mut out, &mut step);
            out.put_on(&mut wants);
        }
        if step.commits() {
            step.witnesses.extend(self.standing.unwritten());
        }
        step
    }

    fn take(&mut self, input: Input, out: &mut Wants) {
        match input {
            Input::Tick => {
                if self.may_agree() {
                    out.agree(paxos::Input::Tick);
                }
                self.look_around(out);
            }
            Input::Links { up } => {
                self.lone.links(up, self.ctx.now.moment);
                self.standing.links(up, self.ctx.now.moment);
                self.peers.links(up, self.ctx.now.moment);
            }
            // This gateway's own number from outside is a twin's or a forger's: it would vote in its name, and
            // before it has written.
            Input::Peer { from, .. } if gateway(from) == self.ctx.me() => {}
            Input::Peer { from, message } => self.hearing().take(from, message, out),
            Input::Campaign if !self.standing.is_proven(&self.agreement) => {}
            Input::Campaign => out.agree(paxos::Input::Campaign),
            Input::Stopping => out.agree(paxos::Input::HandOver),
            Input::Echo => self.standing.echoed(),
            Input::OtherGeneration { from, generation } => {
                let blank = self.agreement.is_blank();
                self.generations.agree(&self.ctx, blank, (from, generation), true, out);
            }
            Input::Heartbeat(beat) => self.hear_beat(beat, true, out),
            Input::Kept(beat) => self.hear_beat(beat, planted::peers::kept_beat_is_life(), out),
            Input::Waiting { zone, maker } => {
                let (maker, up_to) = maker.unzip();
                self.door.note_report(&self.ctx, &zone, up_to);
                self.duties.place(&self.ctx, zone, maker, out);
            }
            Input::Asking(zone, up_to) => self.door.knock(&self.ctx, zone, up_to),
            Input::Up { session: Session::Site, generation } => self.site.up(generation),
            Input::Up { session, generation } => {
                self.zones.session_up(&self.ctx, &session, generation, out);
            }
            Input::Down { session: Session::Site, generation } => self.site.down(generation),
            Input::Down { session, generation } => {
                self.zones.session_down(&self.ctx, &session, generation, out);
            }
            Input::Delivery(delivery) => self.deliver(&delivery, out),
            Input::Stored(stored) => self.stored(stored, out),
        }
    }

    fn see_to(&mut self, want: Want, out: &mut Wants, step: &mut Step) {
        match want {
            Want::Effect(effect) => step.effects.push(effect),
            Want::Read(read) => step.reads.push(read),
            Want::Send(to, message) => self.send(to, message, out),
            Want::Propose(op) if !versions::may_propose(&self.ctx, &self.peers, &op) => {}
            Want::Propose(op) => {
                let number = self.agreement.next_number();
                self.grants.note_move(number, &op);
                let payload = self.ctx.entry(&mut self.clock, op);
                self.agreement.propose(number, payload, out);
            }
            Want::Agree(inputs) => self.agree(inputs, out),
            Want::Confirm(question) => self.agreement.confirm(question, out),
            Want::Confirmed(question, leads) => self.confirmed(question, leads, out),
            Want::Happened(event) => self.happening().take(&event, out),
            Want::Apply(chosen) => self.applying().apply(&chosen, out, step),
            Want::Stepped(paxos) => {
                step.paxos.absorb(paxos);
                if self.lease.after_a_move(&self.ctx) {
                    self.unpark(out);
                }
            }
            Want::Deliver(delivery) => self.deliver(&delivery, out),
            Want::Refused(refused) => {
                let (now, story) = (self.ctx.now.moment, self.ctx.settings.story);
                self.refusals.note(now, story, refused, out);
            }
            Want::Remember(file, witness) => step.witnesses.push((file, witness)),
            Want::SendWritten(to, message) => step.answers.push((to, message)),
            Want::Chore(chore) => self.chore(chore, out),
            Want::Install(id, house) => self.installing().install(id, *house, out, step),
        }
    }

    fn hear_beat(&mut self, beat: Heartbeat, live: bool, out: &mut Wants) {
        let blank = self.agreement.is_blank();
        // A will does not tell how far it had come, and one that has nothing is no older history.
        let (of, news) = ((beat.gateway, beat.generation), live && beat.applied > 0);
        if !self.generations.agree(&self.ctx, blank, of, news, out) {
            return;
        }
        self.lone.hear(&self.ctx, blank, &beat, out);
        if live && self.peers.hear_beat(&self.ctx, beat, out) {
            self.timekeeper.hear(&self.ctx, &beat);
            let majority = self.agreement.voters().majority();
            self.digests.compare(&beat, majority, out);
            self.digests.compare_rows(&beat, majority, out);
        }
    }

    fn deliver(&mut self, delivery: &Delivery, out: &mut Wants) {
        let current = match &delivery.session {
            Session::Own => true,
            Session::Site => self.site.is_current(delivery.generation),
            session => self.zones.is_current(session, delivery.generation),
        };
        if !current {
            return;
        }
        let (requests, with) = self.requests();
        requests.deliver(with, delivery, out);
    }

    fn stored(&mut self, stored: Stored, out: &mut Wants) {
        match stored {
            Stored::Messages(messages) => self.agreement.written(messages, out),
            Stored::Answers(messages) => {
                messages.into_iter().for_each(|(to, message)| out.send(to, message));
            }
            Stored::Aged(age) => self.standing.aged(age),
            Stored::Tables(written) => self.digests.note_written(written),
            Stored::Surveyed(found, ticket) => {
                self.requests.surveyed(&self.ctx, &found, ticket, out);
            }
            Stored::NotSurveyed(ticket) => self.requests.not_surveyed(ticket, out),
            // Of entries that the snapshot has swallowed.
            Stored::Rows(_) if self.fetching.is_installing() => {}
            Stored::Rows(rows) => self.unsettled.add_rows(rows),
            Stored::Installed(slot) => self.installing().installed(slot, out),
            Stored::Snapshot(report) => self.snapshot(report, out),
            Stored::Applied(slot) => self.settle(slot, out),
            Stored::Zone(zone, rows) => {
                publications::everything(&self.ctx, &self.zones, &zone, &rows, out);
            }
            Stored::Status(row, ticket) => {
                let (requests, with) = self.requests();
                requests.loaded(with, row.as_ref(), ticket, out);
            }
            Stored::Everything(rows, ticket) => {
                self.requests.devices(&self.ctx, &rows, ticket, out);
            }
            Stored::History(rows, ticket) => {
                self.requests.history(&self.ctx, &rows, ticket, out);
            }
            Stored::Log { to, entries } => self.agreement.fetched(to, entries, out),
        }
    }

    fn snapshot(&mut self, report: Report, out: &mut Wants) {
        let (ctx, peers) = (&self.ctx, &self.peers);
        match report {
            Report::Given { to, answer } => self.giving.given(to, answer, out),
            Report::Held(held) => self.fetching.held(ctx, peers, held, out),
            Report::Sound(id, house) if id.slot > ctx.applied => {
                out.push(Want::Install(id, house));
            }
            Report::Sound(..) => self.fetching.give_up(out),
            Report::Failed(why) => self.fetching.failed(ctx, &why, out),
        }
    }

    /// Sends to another gateway; a message to this one is taken at once.
    fn send(&mut self, to: GatewayId, message: PeerMessage, out: &mut Wants) {
        if to == self.ctx.me() {
            let me = self.agreement.id();
            return self.hearing().take(me, message, out);
        }
        if !versions::may_send(&self.ctx, &self.peers, to, &message) {
            return;
        }
        if let PeerMessage::Paxos(message) = &message {
            self.rounds.proposed(&self.ctx, message);
        }
        out.effect(Effect::Send { to, message });
    }

    fn agree(&mut self, inputs: VecDeque<paxos::Input>, out: &mut Wants) {
        let (me, voters) = (self.agreement.id(), self.agreement.voters().len());
        self.rounds.accepted(me, voters, inputs.front(), out);
        self.agreement.step(self.ctx.now.moment, inputs, out);
        (self.ctx.leader, self.ctx.leads) = (self.agreement.leader(), self.agreement.leads());
    }

    /// Paxos says whether this gateway led when it was asked.
    fn confirmed(&mut self, question: Question, leads: bool, out: &mut Wants) {
        match question {
            Question::Lease(request) if leads => {
                self.grants.grant(&self.ctx, self.agreement.voters(), request, out);
            }
            Question::Epoch(to, question) if leads => {
                zones::answer_epoch(&self.ctx, to, question, out);
            }
            Question::Past if leads => self.timekeeper.leads_for_sure(self.ctx.now.moment),
            Question::Site => self.site.confirmed(leads, out),
            Question::Knocks(knocks) => self.door.confirmed(&self.ctx, knocks, leads, out),
            Question::Api(delivery, verb) => {
                let (requests, with) = self.requests();
                requests.api(&with, &delivery, verb, leads, out);
            }
            // Whoever asked asks again, and then perhaps another leader.
            Question::Lease(_) | Question::Epoch(..) | Question::Past => {}
        }
    }

    /// Everything up to `slot` is written.
    fn settle(&mut self, slot: Slot, out: &mut Wants) {
        while let Some(written) = self.unsettled.next(slot) {
            let mut settling = Settling {
                ctx: &self.ctx,
                unsettled: &self.unsettled,
                zones: &mut self.zones,
                cache: &mut self.cache,
                requests: &mut self.requests,
                door: &mut self.door,
                clock: &mut self.clock,
            };
            settling.settle(&written, out);
        }
    }

    fn look_around(&mut self, out: &mut Wants) {
        if self.ctx.now.moment >= self.chores {
            self.chores = self.ctx.now.moment + self.ctx.settings.timing.chores;
            Chore::ALL.into_iter().for_each(|chore| out.push(Want::Chore(chore)));
        }
    }

    fn chore(&mut self, chore: Chore, out: &mut Wants) {
        let ctx = &self.ctx;
        match chore {
            Chore::Standing => self.standing.chores(ctx, &self.agreement, &self.peers, out),
            Chore::Beat => {
                let (zones, cache) = (self.zones.len(), self.cache.counts());
                let tables = self.digests.last_written();
                self.beats.beat(ctx, Pulse { clock: self.clock, zones, cache, tables }, out);
            }
            Chore::Lease => self.lease.request(ctx, out),
            Chore::Join => {
                let follows = ctx.leader.is_some() && self.caught_up && self.agreement.votes();
                let ready = self.peers.is_up() && follows;
                self.duties.join(ctx, ready, self.cache.is_on(), out);
            }
            Chore::Suspect => self.peers.suspect_the_silent(ctx, out),
            Chore::Bury => {
                let (peers, grants) = (&self.peers, &self.grants);
                self.duties.bury(ctx, self.agreement.voters(), peers, grants, out);
            }
            Chore::Probe => self.peers.probe(ctx, out),
            Chore::Zones => self.zones.chores(ctx, out),
            Chore::Queries => self.requests.query_chores(ctx, out),
            Chore::Snapshots => self.fetching.chores(ctx, &self.peers, out),
            Chore::Site => self.site.chores(ctx, out),
            Chore::Door => self.door.chores(ctx, out),
            Chore::Voters => self.requests.voter_chores(ctx, out),
            Chore::Time => {
                let voters = self.agreement.voters();
                if self.timekeeper.chores(ctx, voters, &self.peers, out) {
                    self.beats.hurry();
                }
            }
            Chore::Lead => {
                let (peers, grants) = (&self.peers, &self.grants);
                let (voters, timekeeper) = (self.agreement.voters(), &mut self.timekeeper);
                self.duties.lead_the_home(ctx, voters, peers, grants, timekeeper, out);
            }
            Chore::Registrations => {
                self.requests.registration_chores(ctx, out);
                self.duties.clear(ctx);
                self.refusals.chores(ctx.now.moment, out);
            }
        }
    }

    /// Whether Paxos may act by itself.
    fn may_agree(&self) -> bool {
        let (standing, agreement) = (&self.standing, &self.agreement);
        standing.is_proven(agreement) && self.lone.may_found(&self.ctx, agreement.is_blank())
    }

    /// The lease is here, or the leader's word that a zone is still ours.
    fn unpark(&mut self, out: &mut Wants) {
        let Self { ctx, zones, lease, requests, .. } = self;
        requests.unpark(Authority { ctx, zones, lease }, out);
    }

    fn requests(&mut self) -> (&mut RequestHandler, Surroundings<'_>) {
        let (fetched, started) = (self.fetching.progress(), self.started);
        let refused = self.refusals.total();
        let Self { ctx, agreement, peers, lease, zones, cache, clock, requests, .. } = self;
        let (timekeeper, standing) = (&self.timekeeper, &self.standing);
        let with = Surroundings {
            ctx,
            agreement,
            standing,
            peers,
            lease,
            fetched,
            refused,
            started,
            zones,
            cache,
            clock,
            timekeeper,
        };
        (requests, with)
    }

    fn hearing(&mut self) -> Hearing<'_> {
        Hearing {
            ctx: &self.ctx,
            agreement: &self.agreement,
            standing: &mut self.standing,
            damage: &mut self.damage,
            rounds: &mut self.rounds,
            peers: &mut self.peers,
            grants: &self.grants,
            lease: &mut self.lease,
            zones: &mut self.zones,
            requests: &mut self.requests,
            fetching: &mut self.fetching,
            giving: &mut self.giving,
        }
    }

    fn happening(&mut self) -> Happening<'_> {
        Happening {
            ctx: &self.ctx,
            agreement: &self.agreement,
            rounds: &mut self.rounds,
            caught_up: &mut self.caught_up,
            peers: &mut self.peers,
            lease: &mut self.lease,
            grants: &mut self.grants,
            duties: &mut self.duties,
            zones: &mut self.zones,
            requests: &mut self.requests,
            fetching: &mut self.fetching,
            timekeeper: &mut self.timekeeper,
        }
    }

    fn applying(&mut self) -> Applying<'_> {
        let Self { ctx, clock, grants, digests, unsettled, zones, cache, .. } = self;
        Applying { ctx, clock, grants, digests, unsettled, zones, cache }
    }

    fn installing(&mut self) -> Installing<'_> {
        Installing {
            ctx: &mut self.ctx,
            clock: &mut self.clock,
            founders: self.agreement.founders(),
            peers: &mut self.peers,
            digests: &mut self.digests,
            zones: &mut self.zones,
            cache: &mut self.cache,
            requests: &mut self.requests,
            unsettled: &mut self.unsettled,
            fetching: &mut self.fetching,
        }
    }
}
