//! The zones that this gateway owns: their sessions, and the fence around them.
//!
//! ```text
//!  moved here ──▶ Query: opening ──▶ Zone: opening ──▶ Serving ──┐ session lost
//!                     ▲           └▶ is it ours? ──▶ answers     ▼
//!                     └────── leader: still yours ◀────── Confirming ──▶ moved away: forgotten
//! ```
//!
//! The query session is taken over before the zone session: as long as an old owner could still
//! answer a query, nothing newer than it knows can be agreed for the zone (rule 3). A gateway that
//! opens its query session late, when the zone has moved on, throws the new owner out. So the leader
//! is asked again once the session is up, and only then are queries answered: if the zone was still
//! ours after that, whoever owns it later takes the session over later, too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use paxos::{Moment, Request, SessionId};
use wire::{Device, Epoch, GatewayId, Zone};

use crate::consensus::agreement::Ticket;
use crate::event::{Effect, Read, Session};
use crate::gateway::Gateway;
use crate::mutant::mutant;
use crate::peer::PeerMessage;
use crate::requests::reply::Reply;
use crate::step::Step;

/// A zone that this gateway owns.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) epoch: Epoch,
    pub(crate) stage: Stage,
    /// Number of what the leader was asked last about this zone, and when.
    pub(crate) question: (u64, Moment),
    /// The leader was asked after the query session was up, and the zone was ours.
    pub(crate) confirmed: bool,
    /// Generations of the two sessions; 0 when closed.
    pub(crate) query: u64,
    pub(crate) zone: u64,
    /// Number of the next proposal.
    pub(crate) next: u64,
    /// Proposals that are not applied yet, in order; their number is bounded where they are made.
    pub(crate) flights: VecDeque<Flight>,
    /// A proposal was refused, or chosen before one that it follows: propose again from the first.
    pub(crate) gap: bool,
    /// What the devices' last wills say; a device that was not heard of is taken to be there.
    pub(crate) online: BTreeMap<Device, bool>,
}

/// How far the sessions of an owned zone are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The query session is being opened.
    OpeningQuery,
    /// The zone session is being opened.
    OpeningZone,
    /// Reports and orders come in.
    Serving,
    /// A session broke, or was never open; the leader is asked whether the zone is still ours.
    Confirming,
}

/// A proposal that is not applied yet.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) number: u64,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) sent: Moment,
    /// Its delivery: generation of the session, and token.
    pub(crate) delivery: (u64, u64),
    pub(crate) reply: Reply,
    /// Answer only when the order is fulfilled.
    pub(crate) wait_for_state: bool,
}

/// The leader's session for the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SiteSession {
    #[default]
    Closed,
    Confirming(Moment),
    Opening(u64),
    Open(u64),
}

impl Owned {
    fn new(epoch: Epoch, next: u64) -> Self {
        Self {
            epoch,
            stage: Stage::OpeningQuery,
            question: (0, Moment(0)),
            confirmed: false,
            query: 0,
            zone: 0,
            next,
            flights: VecDeque::new(),
            gap: false,
            online: BTreeMap::new(),
        }
    }

    fn waits_for_leader(&self) -> bool {
        match self.stage {
            Stage::Confirming => true,
            Stage::OpeningQuery => false,
            Stage::OpeningZone | Stage::Serving => !self.confirmed,
        }
    }
}

impl Gateway {
    /// Makes the sessions follow the house after a zone got an owner.
    pub(crate) fn reconcile(&mut self, zone: &Zone, out: &mut Step) {
        if self.follow_owner(zone, out) {
            self.open_query(zone, out);
            if mutant!(ZoneBeforeQuery) {
                self.open_zone(zone, out);
            }
        }
    }

    /// Takes a zone back that the house of a snapshot gives to this gateway. The log may have
    /// taken it away since, so the leader is asked first.
    ///
    /// What it proposed in the same epoch may be chosen behind the snapshot: those numbers must
    /// never stand for anything else.
    pub(crate) fn reclaim(&mut self, zone: &Zone, out: &mut Step) {
        let kept = self.is_ours(zone) && !mutant!(NumbersReused);
        if mutant!(NumbersReused) {
            self.zones.remove(zone);
        }
        let applied = self.house.zones().get(zone).map_or(0, |row| row.next);
        if let Some(owned) = self.zones.get_mut(zone).filter(|_| kept) {
            owned.flights.retain(|flight| flight.number >= applied);
        }
        if kept || self.follow_owner(zone, out) {
            self.ask_to_open(zone, out);
        }
    }

    /// Drops a zone whose epoch is over, and says whether a new one begins here.
    fn follow_owner(&mut self, zone: &Zone, out: &mut Step) -> bool {
        let Some(row) = self.house.zones().get(zone).copied() else { return false };
        let held = self.zones.get(zone).map(|owned| owned.epoch);
        if held == Some(row.epoch) {
            return false;
        }
        if held.is_some() {
            self.drop_zone(zone, out);
        }
        // Until it has joined in this life, a gateway does not trust the epochs it finds: an
        // earlier life may have used them.
        let mine =
            row.owner == self.settings.id && (self.has_joined() || mutant!(OpenedBeforeJoined));
        let begins = mine && (self.is_in_the_tables(row.epoch) || mutant!(BegunBeforeWritten));
        if begins {
            self.zones.insert(zone.clone(), Owned::new(row.epoch, row.next));
        }
        begins
    }

    /// Whether the tables hold the entry that began an epoch, and so whatever was acknowledged before it. The
    /// house is ahead of them: a gateway that catches up would answer with what it has written so far.
    fn is_in_the_tables(&self, epoch: Epoch) -> bool {
        let next = self.unsettled.iter().find_map(|entry| entry.outcome.moved.first());
        next.is_none_or(|moved| epoch < moved.epoch)
    }

    pub(crate) fn is_current(&self, session: &Session, generation: u64) -> bool {
        match session {
            Session::Zone(zone) => self.zones.get(zone).is_some_and(|own| own.zone == generation),
            Session::Query(zone) => self.zones.get(zone).is_some_and(|own| own.query == generation),
            Session::Site => self.site == SiteSession::Open(generation),
            Session::Own => true,
        }
    }

    pub(crate) fn session_up(&mut self, session: &Session, generation: u64, out: &mut Step) {
        match session {
            Session::Site if self.site == SiteSession::Opening(generation) => {
                self.site = SiteSession::Open(generation);
            }
            Session::Query(zone) if self.is_current(session, generation) => {
                self.open_zone(zone, out);
                self.ask_epoch(zone, out);
            }
            Session::Zone(zone) if self.is_current(session, generation) => {
                if let Some(owned) = self.zones.get_mut(zone) {
                    owned.stage = Stage::Serving;
                }
                out.reads.push(Read::Zone(zone.clone()));
                let (me, name) = (self.settings.id, zone);
                self.tell(out, format!("Gateway {me} serves {name}."));
            }
            _ => {}
        }
    }

    pub(crate) fn session_down(&mut self, session: &Session, generation: u64, out: &mut Step) {
        match session {
            Session::Site => {
                let known = [SiteSession::Opening(generation), SiteSession::Open(generation)];
                if known.contains(&self.site) {
                    self.site = SiteSession::Closed;
                }
            }
            Session::Zone(zone) | Session::Query(zone) if self.is_current(session, generation) => {
                let zone = zone.clone();
                self.close_sessions(&zone, out);
                self.ask_to_open(&zone, out);
                if mutant!(OpenedUnasked) {
                    self.open_query(&zone, out);
                }
            }
            Session::Zone(_) | Session::Query(_) | Session::Own => {}
        }
    }

    /// The leader was asked whether `from` still owns a zone; only a round begun now may tell.
    pub(crate) fn epoch_asked(
        &mut self,
        from: GatewayId,
        (zone, epoch, question): (Zone, Epoch, u64),
        out: &mut Step,
    ) {
        if !self.leads() {
            return;
        }
        let ticket = Ticket::Epoch { to: from, zone, epoch, question };
        if mutant!(EpochWithoutARound) {
            return self.take_ticket(ticket, true, out);
        }
        self.confirm(ticket, out);
    }

    pub(crate) fn epoch_answered(
        &mut self,
        (zone, epoch, question): (&Zone, Epoch, u64),
        holds: bool,
        out: &mut Step,
    ) {
        let Some(owned) = self.zones.get_mut(zone) else { return };
        // An answer to an earlier question may come late; it says nothing about now. When it does
        // not hold, the entry that took the zone away is on its way here.
        let this = (owned.epoch, owned.question.0) == (epoch, question) || mutant!(OldAnswerCounts);
        if !holds || !this {
            return;
        }
        match owned.stage {
            Stage::Confirming => self.open_query(zone, out),
            Stage::OpeningQuery => {}
            Stage::OpeningZone | Stage::Serving => {
                owned.confirmed = true;
                self.unpark(out);
            }
        }
    }

    /// Asks again what was not answered, and proposes again what may be lost.
    pub(crate) fn zone_chores(&mut self, out: &mut Step) {
        let (now, resend) = (self.now.moment, self.settings.timing.resend);
        let zones: Vec<Zone> = self.zones.keys().cloned().collect();
        for zone in zones {
            let owned = &self.zones[&zone];
            if owned.waits_for_leader() && now >= owned.question.1 + resend {
                self.send_question(&zone, out);
            }
            let owned = &self.zones[&zone];
            let late = owned.flights.front().is_some_and(|f| now >= f.sent + resend * 4);
            if owned.gap || late {
                self.propose_again(&zone, out);
            }
        }
    }

    /// Proposes again from the first that is not applied, so that order is kept.
    fn propose_again(&mut self, zone: &Zone, out: &mut Step) {
        let applied = self.house.zones().get(zone).map_or(0, |row| row.next);
        let Some(owned) = self.zones.get_mut(zone) else { return };
        owned.gap = false;
        if mutant!(GapLeftOpen) {
            return;
        }
        let session = SessionId(owned.epoch.0);
        let late = owned.flights.iter_mut().filter(|flight| flight.number >= applied);
        let requests = late
            .map(|flight| {
                flight.sent = self.now.moment;
                Request { session, number: flight.number, payload: flight.payload.clone() }
            })
            .collect::<Vec<_>>();
        if !requests.is_empty() {
            self.agree(paxos::Input::Propose(requests), out);
        }
    }

    /// Whether the house says that this gateway is here, in this life.
    pub(crate) fn has_joined(&self) -> bool {
        self.house
            .gateways()
            .get(&self.settings.id)
            .is_some_and(|member| member.alive && member.incarnation == self.settings.incarnation)
    }

    /// Whether the house still gives us the zone. The entry that took it away is applied before it
    /// is in the tables, and only then is the zone dropped: until then nothing may be opened, or
    /// the new owner would be thrown out. A gateway that was declared dead when nobody else was left
    /// keeps its zones, and gets new epochs for them when it joins.
    pub(crate) fn is_ours(&self, zone: &Zone) -> bool {
        let row = self.house.zones().get(zone);
        (self.has_joined() || mutant!(OpenedBeforeJoined))
            && self.zones.get(zone).zip(row).is_some_and(|(owned, row)| owned.epoch == row.epoch)
    }

    fn open_query(&mut self, zone: &Zone, out: &mut Step) {
        if !self.is_ours(zone) {
            return;
        }
        self.next_generation += 1;
        let generation = self.next_generation;
        let Some(owned) = self.zones.get_mut(zone) else { return };
        (owned.stage, owned.query, owned.confirmed) = (Stage::OpeningQuery, generation, false);
        out.effects.push(Effect::Open { session: Session::Query(zone.clone()), generation });
    }

    fn open_zone(&mut self, zone: &Zone, out: &mut Step) {
        if !self.is_ours(zone) {
            return;
        }
        self.next_generation += 1;
        let generation = self.next_generation;
        let Some(owned) = self.zones.get_mut(zone) else { return };
        (owned.stage, owned.zone) = (Stage::OpeningZone, generation);
        out.effects.push(Effect::Open { session: Session::Zone(zone.clone()), generation });
    }

    /// Asks the leader whether the zone is still ours; its sessions are opened if it is.
    fn ask_to_open(&mut self, zone: &Zone, out: &mut Step) {
        if let Some(owned) = self.zones.get_mut(zone) {
            owned.stage = Stage::Confirming;
        }
        self.ask_epoch(zone, out);
    }

    /// Asks the leader whether the zone is still ours.
    fn ask_epoch(&mut self, zone: &Zone, out: &mut Step) {
        let Some(owned) = self.zones.get_mut(zone) else { return };
        owned.question.0 += 1;
        self.send_question(zone, out);
    }

    fn send_question(&mut self, zone: &Zone, out: &mut Step) {
        let Some(owned) = self.zones.get_mut(zone) else { return };
        owned.question.1 = self.now.moment;
        let (epoch, question) = (owned.epoch, owned.question.0);
        if let Some(leader) = self.leader() {
            let zone = zone.clone();
            self.send(leader, PeerMessage::EpochQuery { zone, epoch, question }, out);
        }
    }

    fn close_sessions(&mut self, zone: &Zone, out: &mut Step) {
        let Some(owned) = self.zones.get_mut(zone) else { return };
        (owned.query, owned.zone, owned.confirmed) = (0, 0, false);
        // What this session delivered will be delivered again, and found to be applied already.
        for flight in &mut owned.flights {
            flight.delivery.0 = 0;
        }
        out.effects.push(Effect::Close { session: Session::Query(zone.clone()) });
        out.effects.push(Effect::Close { session: Session::Zone(zone.clone()) });
    }

    pub(crate) fn drop_zone(&mut self, zone: &Zone, out: &mut Step) {
        self.suspend_zone(zone, out);
        self.zones.remove(zone);
    }

    /// Nothing comes in for a zone, and nothing that is known of it is told; its proposals stay.
    pub(crate) fn suspend_zone(&mut self, zone: &Zone, out: &mut Step) {
        self.close_sessions(zone, out);
        self.queries.forget(zone);
        let nodes: Vec<_> = self.house.devices_of(zone).map(|(node, _)| node).collect();
        for node in nodes.into_iter().filter(|_| !mutant!(CacheKept)) {
            self.cache.forget(node);
        }
    }
}
