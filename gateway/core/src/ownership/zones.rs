//! The zones that this gateway owns: their sessions, and the fence around them.
//!
//! ```text
//!  moved here ──▶ Query: opening ──▶ Zone: opening ──▶ Serving ──┐ session lost
//!                     ▲           └▶ is it ours? ──▶ answers     ▼
//!                     └────── leader: still yours ◀────── Confirming ──▶ moved away: forgotten
//! ```
//!
//! The query session is taken over before the zone session: as long as an old owner could still
//! answer a query, nothing newer than it knows can be agreed for the zone. A gateway that
//! opens its query session late, when the zone has moved on, throws the new owner out. So the leader
//! is asked again once the session is up, and only then are queries answered: if the zone was still
//! ours after that, whoever owns it later takes the session over later, too.

use std::collections::BTreeMap;

use paxos::{Moment, SessionId};
use wire::{Device, Epoch, GatewayId, Zone};

use crate::context::Context;
use crate::event::{Effect, Read, Session};
use crate::id::Generation;
use crate::ownership::flights::Flights;
use crate::peer::PeerMessage;
use crate::planted;
use crate::want::{EpochQuestion, Question, Want, Wants};

/// The zones of this gateway.
#[derive(Debug, Default)]
pub(crate) struct Zones {
    owned: BTreeMap<Zone, Owned>,
    /// Of the last opening of a session.
    generation: Generation,
}

/// A zone that this gateway owns.
#[derive(Debug)]
struct Owned {
    epoch: Epoch,
    stage: Stage,
    /// Number of what the leader was asked last about this zone, and when.
    question: u64,
    asked: Moment,
    /// The leader was asked after the query session was up, and the zone was ours.
    confirmed: bool,
    /// The two sessions, unless they are closed.
    query: Option<Generation>,
    zone: Option<Generation>,
    flights: Flights,
    /// What the devices' last wills say; a device that was not heard of is taken to be there.
    online: BTreeMap<Device, bool>,
}

/// How far the sessions of an owned zone are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The query session is being opened.
    OpeningQuery,
    /// The zone session is being opened.
    OpeningZone,
    /// Reports and orders come in.
    Serving,
    /// A session broke, or was never open; the leader is asked whether the zone is still ours.
    Confirming,
}

/// Whether a zone was given up. What is known of it is to be forgotten then.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Yes,
    GivenUp,
}

impl Zones {
    pub(crate) fn names(&self) -> impl Iterator<Item = &Zone> {
        self.owned.keys()
    }

    /// Those that the house does not have any more.
    pub(crate) fn gone(&self, ctx: &Context) -> Vec<Zone> {
        let gone = self.names().filter(|zone| !ctx.house.zones().contains_key(*zone));
        gone.cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.owned.len()
    }

    pub(crate) fn owns(&self, zone: &Zone) -> bool {
        self.owned.contains_key(zone)
    }

    pub(crate) fn epoch(&self, zone: &Zone) -> Option<Epoch> {
        self.owned.get(zone).map(|owned| owned.epoch)
    }

    /// Proposals that are not applied yet, of all zones.
    pub(crate) fn waiting(&self) -> usize {
        self.owned.values().map(|owned| owned.flights.len()).sum()
    }

    /// Publishes at QoS 0 that were dropped, of all zones since they came here.
    pub(crate) fn dropped(&self) -> u64 {
        self.owned.values().map(|owned| owned.flights.dropped()).sum()
    }

    /// The proposals of a zone.
    pub(crate) fn flights(&mut self, zone: &Zone) -> Option<&mut Flights> {
        self.owned.get_mut(zone).map(|owned| &mut owned.flights)
    }

    /// Whether the leader was asked after the query session was up, and the zone was ours.
    pub(crate) fn is_confirmed(&self, zone: &Zone) -> bool {
        self.owned.get(zone).is_some_and(|owned| owned.confirmed)
    }

    /// Whether a device is known to be offline.
    pub(crate) fn is_away(&self, zone: &Zone, device: &Device) -> bool {
        self.owned.get(zone).is_some_and(|owned| owned.online.get(device) == Some(&false))
    }

    /// A device came or went.
    pub(crate) fn note_presence(&mut self, zone: &Zone, device: &Device, online: bool) {
        if let Some(owned) = self.owned.get_mut(zone) {
            owned.online.insert(device.clone(), online);
        }
    }

    pub(crate) fn is_current(&self, session: &Session, generation: Generation) -> bool {
        let of = |zone| self.owned.get(zone);
        match session {
            Session::Zone(zone) => of(zone).is_some_and(|own| own.zone == Some(generation)),
            Session::Query(zone) => of(zone).is_some_and(|own| own.query == Some(generation)),
            Session::Site | Session::Own => false,
        }
    }

    /// Whether the house still gives us the zone. The entry that took it away is applied before it
    /// is in the tables, and only then is the zone dropped: until then nothing may be opened, or
    /// the new owner would be thrown out. A gateway that was declared dead when nobody else was left
    /// keeps its zones, and gets new epochs for them when it joins.
    pub(crate) fn is_ours(&self, ctx: &Context, zone: &Zone) -> bool {
        let row = ctx.house.zones().get(zone);
        planted::zones::opened_before_joined(ctx.has_joined())
            && self.owned.get(zone).zip(row).is_some_and(|(owned, row)| owned.epoch == row.epoch)
    }

    /// Makes the sessions follow the house after a zone got an owner. `unwritten` is the first epoch that is applied
    /// and not in the tables.
    pub(crate) fn reconcile(
        &mut self,
        ctx: &Context,
        zone: &Zone,
        unwritten: Option<Epoch>,
        out: &mut Wants,
    ) -> Kept {
        let kept = self.give_up(ctx, zone, out);
        if self.begin(ctx, zone, unwritten) {
            self.open_query(ctx, zone, out);
            if planted::zones::zone_before_query() {
                self.open_zone(ctx, zone, out);
            }
        }
        kept
    }

    /// Takes a zone back that the house of a snapshot gives to this gateway. The log may have
    /// taken it away since, so the leader is asked first.
    ///
    /// What it proposed in the same epoch may be chosen behind the snapshot: those numbers must
    /// never stand for anything else.
    pub(crate) fn reclaim(
        &mut self,
        ctx: &Context,
        zone: &Zone,
        unwritten: Option<Epoch>,
        out: &mut Wants,
    ) -> Kept {
        if planted::zones::numbers_reused() {
            self.owned.remove(zone);
        }
        let ours = self.is_ours(ctx, zone);
        if ours && let Some(flights) = self.flights(zone) {
            flights.applied_before(applied(ctx, zone));
        }
        let kept = if ours { Kept::Yes } else { self.give_up(ctx, zone, out) };
        if ours || self.begin(ctx, zone, unwritten) {
            self.ask_to_open(ctx, zone, out);
        }
        kept
    }

    /// Nothing comes in for a zone; its proposals stay. What is known of it is to be forgotten.
    pub(crate) fn suspend(&mut self, zone: &Zone, out: &mut Wants) {
        let Some(owned) = self.owned.get_mut(zone) else { return };
        (owned.query, owned.zone, owned.confirmed) = (None, None, false);
        owned.flights.session_lost();
        out.effect(Effect::Close { session: Session::Query(zone.clone()) });
        out.effect(Effect::Close { session: Session::Zone(zone.clone()) });
    }

    /// A session of a zone is connected and subscribed.
    pub(crate) fn session_up(
        &mut self,
        ctx: &Context,
        session: &Session,
        generation: Generation,
        out: &mut Wants,
    ) {
        if !self.is_current(session, generation) {
            return;
        }
        match session {
            Session::Query(zone) => {
                self.open_zone(ctx, zone, out);
                self.ask_epoch(ctx, zone, out);
            }
            Session::Zone(zone) => {
                if let Some(owned) = self.owned.get_mut(zone) {
                    owned.stage = Stage::Serving;
                }
                out.read(Read::Zone(zone.clone()));
                out.tell(format!("Gateway {} serves {zone}.", ctx.me()));
            }
            Session::Site | Session::Own => {}
        }
    }

    /// A session of a zone could not be opened, or ended.
    pub(crate) fn session_down(
        &mut self,
        ctx: &Context,
        session: &Session,
        generation: Generation,
        out: &mut Wants,
    ) {
        let (Session::Zone(zone) | Session::Query(zone)) = session else { return };
        if self.is_current(session, generation) {
            self.suspend(zone, out);
            self.ask_to_open(ctx, zone, out);
            if planted::zones::opened_unasked() {
                self.open_query(ctx, zone, out);
            }
        }
    }

    /// The leader says that a zone is still ours, or not. Says whether queries that waited for it may be answered.
    pub(crate) fn epoch_answered(
        &mut self,
        ctx: &Context,
        question: &EpochQuestion,
        holds: bool,
        out: &mut Wants,
    ) -> bool {
        let EpochQuestion { zone, epoch, number } = question;
        let Some(owned) = self.owned.get_mut(zone) else { return false };
        // An answer to an earlier question may come late; it says nothing about now. When it does
        // not hold, the entry that took the zone away is on its way here.
        let this = (owned.epoch, owned.question) == (*epoch, *number);
        if !holds || !planted::zones::old_answer_counts(this) {
            return false;
        }
        match owned.stage {
            Stage::Confirming => self.open_query(ctx, zone, out),
            Stage::OpeningQuery => {}
            Stage::OpeningZone | Stage::Serving => {
                owned.confirmed = true;
                return true;
            }
        }
        false
    }

    /// The queue of the leader was full, or there is no leader: what was refused is due again.
    pub(crate) fn refused(&mut self, sessions: impl Iterator<Item = SessionId>) {
        for session in sessions {
            if let Some(zone) = self.owned.values_mut().find(|zone| zone.epoch.0 == session.0) {
                zone.flights.note_gap();
            }
        }
    }

    /// Asks again what was not answered, and proposes again what may be lost.
    pub(crate) fn chores(&mut self, ctx: &Context, out: &mut Wants) {
        let (now, resend) = (ctx.now.moment, ctx.settings.timing.resend);
        for (zone, owned) in &mut self.owned {
            if owned.waits_for_leader() && now >= owned.asked + resend {
                owned.send_question(ctx, zone, out);
            }
            if owned.flights.are_late(now, resend * 4) {
                let requests = owned.flights.again(applied(ctx, zone), now);
                if !requests.is_empty() {
                    out.agree(paxos::Input::Propose(requests));
                }
            }
        }
    }

    /// Drops a zone whose epoch is over.
    fn give_up(&mut self, ctx: &Context, zone: &Zone, out: &mut Wants) -> Kept {
        let now = ctx.house.zones().get(zone).map(|row| row.epoch);
        // A zone that is gone has none.
        if self.epoch(zone).is_none_or(|held| Some(held) == now) {
            return Kept::Yes;
        }
        self.suspend(zone, out);
        self.owned.remove(zone);
        Kept::GivenUp
    }

    /// Begins with a zone that the house gives us. The tables must hold the entry that began its epoch, and so
    /// whatever was acknowledged before it: the house is ahead of them, and a gateway that catches up would answer
    /// with what it has written so far.
    fn begin(&mut self, ctx: &Context, zone: &Zone, unwritten: Option<Epoch>) -> bool {
        let Some(row) = ctx.house.zones().get(zone) else { return false };
        // Until it has joined in this life, a gateway does not trust the epochs it finds: an
        // earlier life may have used them.
        let mine = row.owner == ctx.me() && planted::zones::opened_before_joined(ctx.has_joined());
        let written = unwritten.is_none_or(|first| row.epoch < first);
        let begins = !self.owns(zone) && mine && planted::zones::begun_before_written(written);
        if begins {
            self.owned
                .insert(zone.clone(), Owned::new(row.epoch, row.next, ctx.settings.unpromised));
        }
        begins
    }

    fn open_query(&mut self, ctx: &Context, zone: &Zone, out: &mut Wants) {
        if !self.is_ours(ctx, zone) {
            return;
        }
        let Some(owned) = self.owned.get_mut(zone) else { return };
        self.generation = self.generation.next();
        let generation = self.generation;
        (owned.stage, owned.query, owned.confirmed) =
            (Stage::OpeningQuery, Some(generation), false);
        let (session, epoch) = (Session::Query(zone.clone()), owned.epoch);
        out.effect(Effect::Open { session, generation, epoch });
    }

    fn open_zone(&mut self, ctx: &Context, zone: &Zone, out: &mut Wants) {
        if !self.is_ours(ctx, zone) {
            return;
        }
        let Some(owned) = self.owned.get_mut(zone) else { return };
        self.generation = self.generation.next();
        let generation = self.generation;
        (owned.stage, owned.zone) = (Stage::OpeningZone, Some(generation));
        let (session, epoch) = (Session::Zone(zone.clone()), owned.epoch);
        out.effect(Effect::Open { session, generation, epoch });
    }

    /// Asks the leader whether the zone is still ours; its sessions are opened if it is.
    fn ask_to_open(&mut self, ctx: &Context, zone: &Zone, out: &mut Wants) {
        if let Some(owned) = self.owned.get_mut(zone) {
            owned.stage = Stage::Confirming;
        }
        self.ask_epoch(ctx, zone, out);
    }

    /// Asks the leader whether the zone is still ours.
    fn ask_epoch(&mut self, ctx: &Context, zone: &Zone, out: &mut Wants) {
        let Some(owned) = self.owned.get_mut(zone) else { return };
        owned.question += 1;
        owned.send_question(ctx, zone, out);
    }
}

impl Owned {
    const fn new(epoch: Epoch, next: u64, unpromised: usize) -> Self {
        Self {
            epoch,
            stage: Stage::OpeningQuery,
            question: 0,
            asked: Moment(0),
            confirmed: false,
            query: None,
            zone: None,
            flights: Flights::new(epoch, next, unpromised),
            online: BTreeMap::new(),
        }
    }

    const fn waits_for_leader(&self) -> bool {
        match self.stage {
            Stage::Confirming => true,
            Stage::OpeningQuery => false,
            Stage::OpeningZone | Stage::Serving => !self.confirmed,
        }
    }

    fn send_question(&mut self, ctx: &Context, zone: &Zone, out: &mut Wants) {
        self.asked = ctx.now.moment;
        if let Some(leader) = ctx.leader {
            let (zone, epoch, question) = (zone.clone(), self.epoch, self.question);
            out.send(leader, PeerMessage::EpochQuery { zone, epoch, question });
        }
    }
}

/// The leader was asked whether `from` still owns a zone; only a round begun now may tell.
pub(crate) fn epoch_asked(
    ctx: &Context,
    from: GatewayId,
    question: EpochQuestion,
    out: &mut Wants,
) {
    if ctx.leads {
        let ask = Want::Confirm(Question::Epoch(from, question));
        out.push(planted::rounds::epoch_without_a_round(ask));
    }
}

/// Answers that, since this gateway led after the question had come.
pub(crate) fn answer_epoch(ctx: &Context, to: GatewayId, question: EpochQuestion, out: &mut Wants) {
    let EpochQuestion { zone, epoch, number: question } = question;
    let row = ctx.house.zones().get(&zone);
    let holds = row.is_some_and(|row| row.epoch == epoch && row.owner == to);
    out.send(to, PeerMessage::EpochAnswer { zone, epoch, question, holds });
}

/// The number of the next proposal that apply takes for a zone.
fn applied(ctx: &Context, zone: &Zone) -> u64 {
    ctx.house.zones().get(zone).map_or(0, |row| row.next)
}
