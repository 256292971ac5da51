//! The zones that this gateway owns: their sessions, and the fence around them.
//!
//! ```text
//!  moved here ──▶ Query: opening ──▶ Zone: opening ──▶ Serving ──┐ session lost
//!                     ▲                                         ▼
//!                     └────── leader: still yours ◀────── Confirming ──▶ moved away: forgotten
//! ```
//!
//! The query session is taken over before the zone session: as long as an old owner could still
//! answer a query, nothing newer than it knows can be agreed for the zone (rule 3).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use paxos::{Moment, Request, SessionId};
use wire::{Device, Epoch, GatewayId, Zone};

use crate::agreement::Ticket;
use crate::event::{Effect, Read, Session};
use crate::gateway::Gateway;
use crate::peer::PeerMessage;
use crate::reply::Reply;
use crate::step::Step;

/// A zone that this gateway owns.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) epoch: Epoch,
    pub(crate) stage: Stage,
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
    /// A session broke; the leader was asked at this moment whether the zone is still ours.
    Confirming(Moment),
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
            query: 0,
            zone: 0,
            next,
            flights: VecDeque::new(),
            gap: false,
            online: BTreeMap::new(),
        }
    }
}

impl Gateway {
    /// Makes the sessions follow the house after a zone got an owner.
    pub(crate) fn reconcile(&mut self, zone: &Zone, out: &mut Step) {
        if self.follow_owner(zone, out) {
            self.open_query(zone, out);
        }
    }

    /// Takes a zone back that the house of a snapshot gives to this gateway. The log may have
    /// taken it away since, so the leader is asked first.
    pub(crate) fn reclaim(&mut self, zone: &Zone, out: &mut Step) {
        if self.follow_owner(zone, out) {
            self.ask_epoch(zone, out);
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
        let joined =
            self.house.gateways().get(&self.settings.id).is_some_and(|member| {
                member.alive && member.incarnation == self.settings.incarnation
            });
        let mine = row.owner == self.settings.id && joined;
        if mine {
            self.zones.insert(zone.clone(), Owned::new(row.epoch, row.next));
        }
        mine
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
                self.ask_epoch(&zone, out);
            }
            Session::Zone(_) | Session::Query(_) | Session::Own => {}
        }
    }

    /// The leader was asked whether `from` still owns a zone; only a round begun now may tell.
    pub(crate) fn epoch_asked(
        &mut self,
        from: GatewayId,
        zone: Zone,
        epoch: Epoch,
        out: &mut Step,
    ) {
        if self.leads() {
            self.confirm(Ticket::Epoch { to: from, zone, epoch }, out);
        }
    }

    pub(crate) fn epoch_answered(
        &mut self,
        zone: &Zone,
        epoch: Epoch,
        holds: bool,
        out: &mut Step,
    ) {
        let Some(owned) = self.zones.get(zone) else { return };
        let asked = matches!(owned.stage, Stage::Confirming(_)) && owned.epoch == epoch;
        // When it does not hold, the entry that took the zone away is on its way here.
        if asked && holds {
            self.open_query(zone, out);
        }
    }

    /// Asks again what was not answered, and proposes again what may be lost.
    pub(crate) fn zone_chores(&mut self, out: &mut Step) {
        let (now, resend) = (self.now.moment, self.settings.timing.resend);
        let zones: Vec<Zone> = self.zones.keys().cloned().collect();
        for zone in zones {
            let owned = &self.zones[&zone];
            if matches!(owned.stage, Stage::Confirming(asked) if now >= asked + resend) {
                self.ask_epoch(&zone, out);
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

    /// Whether the house still gives us the zone. The entry that took it away is applied before it
    /// is in the tables, and only then is the zone dropped: until then nothing may be opened, or
    /// the new owner would be thrown out.
    fn is_ours(&self, zone: &Zone) -> bool {
        let row = self.house.zones().get(zone);
        self.zones.get(zone).zip(row).is_some_and(|(owned, row)| owned.epoch == row.epoch)
    }

    fn open_query(&mut self, zone: &Zone, out: &mut Step) {
        if !self.is_ours(zone) {
            return;
        }
        self.next_generation += 1;
        let generation = self.next_generation;
        let Some(owned) = self.zones.get_mut(zone) else { return };
        (owned.stage, owned.query) = (Stage::OpeningQuery, generation);
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

    fn ask_epoch(&mut self, zone: &Zone, out: &mut Step) {
        let Some(owned) = self.zones.get_mut(zone) else { return };
        owned.stage = Stage::Confirming(self.now.moment);
        let epoch = owned.epoch;
        if let Some(leader) = self.leader() {
            self.send(leader, PeerMessage::EpochQuery { zone: zone.clone(), epoch }, out);
        }
    }

    fn close_sessions(&mut self, zone: &Zone, out: &mut Step) {
        let Some(owned) = self.zones.get_mut(zone) else { return };
        (owned.query, owned.zone) = (0, 0);
        // What this session delivered will be delivered again, and found to be applied already.
        for flight in &mut owned.flights {
            flight.delivery.0 = 0;
        }
        out.effects.push(Effect::Close { session: Session::Query(zone.clone()) });
        out.effects.push(Effect::Close { session: Session::Zone(zone.clone()) });
    }

    pub(crate) fn drop_zone(&mut self, zone: &Zone, out: &mut Step) {
        self.close_sessions(zone, out);
        self.zones.remove(zone);
        self.queries.forget(zone);
        let nodes: Vec<_> = self.house.devices_of(zone).map(|(node, _)| node).collect();
        for node in nodes {
            self.cache.forget(node);
        }
    }
}
