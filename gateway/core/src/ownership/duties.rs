//! What a gateway sees to from time to time: heartbeats, leases, probes, and what the leader owes
//! the home. Every duty is derived from the state anew, so none can be forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use paxos::Moment;
use wire::{Epoch, GatewayId, Heartbeat, Liveness, Register, Zone};

use crate::command::{Move, Op, TimerName};
use crate::consensus::agreement::Ticket;
use crate::event::{Effect, Session};
use crate::gateway::Gateway;
use crate::mutant::mutant;
use crate::ownership::zones::SiteSession;
use crate::requests::reply::Reply;
use crate::step::Step;

/// What is due when.
#[derive(Debug, Default)]
pub(crate) struct Duties {
    pub(crate) next: Moment,
    beat: Moment,
    pub(crate) lease: Moment,
    /// When what was proposed last; bounded by what there is to propose, and cleared of old ones.
    proposed: BTreeMap<Duty, Moment>,
    /// Registrations that are not agreed yet, by tag. At most [`REGISTRATIONS`].
    pub(crate) registrations: BTreeMap<u64, (Register, Reply)>,
    next_tag: u64,
}

/// Something to propose until it shows its effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    Join,
    Lead,
    Dead(GatewayId, u64),
    Settings,
    Raise,
    Place(Zone),
    Return(Zone, Epoch),
    Fire(TimerName, u64),
    Register(u64),
}

/// Registrations under way at once; a person or a script makes a few, a boot storm hundreds.
const REGISTRATIONS: usize = 1024;

impl Duties {
    pub(crate) fn waiting(&self) -> usize {
        self.registrations.len() + self.proposed.len()
    }
}

impl Gateway {
    pub(crate) fn chores(&mut self, out: &mut Step) {
        let now = self.now.moment;
        if now < self.duties.next {
            return;
        }
        let timing = self.settings.timing;
        self.duties.next = now + timing.chores;
        if now >= self.duties.beat {
            self.duties.beat = now + timing.beat;
            out.effects.push(Effect::Beat(self.heartbeat()));
        }
        if now >= self.duties.lease {
            self.duties.lease = now + timing.lease_every;
            self.request_lease(out);
        }
        self.join(out);
        self.peer_chores(out);
        self.zone_chores(out);
        self.query_chores(out);
        self.snapshot_chores(out);
        self.contention_chores(out);
        self.site_chores(out);
        self.voter_chores(out);
        if self.leads() {
            self.leader_chores(out);
        }
        self.registration_chores(out);
        let old = timing.resend * 8;
        self.duties.proposed.retain(|_, at| now < *at + old);
    }

    fn heartbeat(&self) -> Heartbeat {
        let counters = self.house.counters();
        Heartbeat {
            epoch: counters.epoch,
            applied: self.applied.0,
            digest: self.digest(),
            seq: counters.seq,
            clock: self.clock,
            devices: self.house.load(self.settings.id),
            zones: u32::try_from(self.zones.len()).unwrap_or(u32::MAX),
            versions: self.settings.versions,
            leader: self.leader(),
            serves: self.settings.serves,
            cache: self.cache.counts(),
            ..Heartbeat::bare(Liveness::Alive, self.settings.id, self.settings.incarnation)
        }
    }

    /// Joins, and joins again when the log says that this gateway is dead.
    fn join(&mut self, out: &mut Step) {
        let me = self.settings.id;
        let ready =
            self.peers.is_up() && self.leader().is_some() && self.caught_up && self.paxos.votes();
        let joined =
            self.has_joined() || mutant!(NotJoinedAgain) && self.house.gateways().contains_key(&me);
        if !joined && ready && self.is_due(Duty::Join) {
            let known = self.house.gateways().get(&me).map_or(0, |member| member.incarnation);
            if known > self.settings.incarnation {
                return out.effects.push(Effect::Outlived(known));
            }
            let (incarnation, serves) = (self.settings.incarnation, self.settings.serves);
            let caches = self.cache.is_on();
            self.propose(
                if self.settings.own_broker {
                    Op::Join { gateway: me, incarnation, serves, caches }
                } else {
                    Op::Arrive { gateway: me, incarnation, serves, caches }
                },
                out,
            );
        }
    }

    pub(crate) fn propose_dead(&mut self, gateway: GatewayId, incarnation: u64, out: &mut Step) {
        if !self.settings.own_broker {
            let why = Move::Dead { gateway, incarnation };
            self.propose_move(Duty::Dead(gateway, incarnation), why, out);
        } else if self.is_due(Duty::Dead(gateway, incarnation)) {
            self.propose(Op::Dead { gateway, incarnation }, out);
        }
    }

    /// Whoever loses by it holds no lease: that was waited for in this leadership.
    fn propose_move(&mut self, duty: Duty, why: Move, out: &mut Step) {
        if let Some(leadership) = self.leadership()
            && self.is_due(duty)
        {
            self.propose(Op::Move { leadership, why }, out);
        }
    }

    /// A leadership in which moves wait for leases begins in the log.
    pub(crate) fn lead_in_the_log(&mut self, out: &mut Step) {
        if !self.settings.own_broker {
            self.duties.proposed.insert(Duty::Lead, self.now.moment);
            self.propose(Op::Lead, out);
        }
    }

    /// A broker holds messages for a zone; if nobody owns it, the leader sees to that.
    pub(crate) fn wanted(&mut self, zone: Zone, out: &mut Step) {
        let unknown = !self.house.zones().contains_key(&zone);
        if unknown && self.leads() && self.is_due(Duty::Place(zone.clone())) {
            self.propose(Op::Place { zone }, out);
        }
    }

    /// Registers a device for someone who asked the API.
    pub(crate) fn register(&mut self, register: Register, reply: Reply, out: &mut Step) {
        if self.duties.registrations.len() >= REGISTRATIONS {
            let why = "too many registrations at once; try again";
            return self.answer(&reply, wire::Answer::error(why), out);
        }
        self.duties.next_tag += 1;
        let tag = self.duties.next_tag;
        self.duties.registrations.insert(tag, (register, reply));
        self.registration_chores(out);
    }

    fn registration_chores(&mut self, out: &mut Step) {
        let tags: Vec<u64> = self.duties.registrations.keys().copied().collect();
        for tag in tags {
            if !self.is_due(Duty::Register(tag)) {
                continue;
            }
            let Some((register, _)) = self.duties.registrations.get(&tag) else { continue };
            let Register { zone, device, kind } = register.clone();
            self.propose(Op::Register { zone, device, kind, tag }, out);
        }
    }

    fn leader_chores(&mut self, out: &mut Step) {
        let agreed = self.settings.agreed;
        if self.house.agreed() != agreed && self.is_due(Duty::Settings) {
            self.propose(Op::Settings(agreed), out);
        }
        if let Some(version) = self.next_version()
            && self.is_due(Duty::Raise)
        {
            let voters = self.house.voters().clone();
            self.propose(Op::Raise { version, voters }, out);
        }
        let due = self.house.timers().iter().filter(|(_, timer)| timer.due <= self.now.time);
        let due: Vec<_> = due.map(|(name, timer)| (*name, timer.generation)).collect();
        for (timer, generation) in due {
            if self.is_due(Duty::Fire(timer, generation)) {
                self.propose(Op::Fire { timer, generation }, out);
            }
        }
        if !self.settings.own_broker {
            // It was refused, or one of an earlier leadership came after it.
            if self.leadership().is_none() && self.is_due(Duty::Lead) {
                self.propose(Op::Lead, out);
            }
            self.bring_zones_home(out);
        }
    }

    /// Where `Join` did not, the leader brings zones home whose leases are over.
    fn bring_zones_home(&mut self, out: &mut Step) {
        let house = &self.house;
        let lost = house.zones().iter().filter(|(zone, row)| {
            house.better_owner(zone).is_some()
                && (self.lease_is_over(row.owner) || mutant!(WayHomeNotWaitedFor))
        });
        let lost: Vec<_> = lost.map(|(zone, row)| (zone.clone(), row.epoch)).collect();
        for (zone, epoch) in lost {
            let duty = Duty::Return(zone.clone(), epoch);
            self.propose_move(duty, Move::Return { zone, epoch }, out);
        }
    }

    /// The leader, and nobody else, holds the site session.
    fn site_chores(&mut self, out: &mut Step) {
        let (leads, now) = (self.leads(), self.now.moment);
        let again = self.settings.timing.resend;
        match self.site {
            SiteSession::Closed if leads => self.ask_site(out),
            SiteSession::Confirming(asked) if leads && now >= asked + again => self.ask_site(out),
            SiteSession::Confirming(_) if !leads => self.site = SiteSession::Closed,
            SiteSession::Opening(_) | SiteSession::Open(_) if !leads => {
                self.site = SiteSession::Closed;
                out.effects.push(Effect::Close { session: Session::Site });
            }
            _ => {}
        }
    }

    fn ask_site(&mut self, out: &mut Step) {
        self.site = SiteSession::Confirming(self.now.moment);
        self.confirm(Ticket::Site, out);
    }

    pub(crate) fn site_confirmed(&mut self, leads: bool, out: &mut Step) {
        if leads && matches!(self.site, SiteSession::Confirming(_)) {
            self.next_generation += 1;
            self.site = SiteSession::Opening(self.next_generation);
            let generation = self.next_generation;
            out.effects.push(Effect::Open { session: Session::Site, generation });
        }
    }

    /// Whether something may be proposed: not again before its effect had time to show.
    fn is_due(&mut self, duty: Duty) -> bool {
        let (now, again) = (self.now.moment, self.settings.timing.resend);
        let due = self.duties.proposed.get(&duty).is_none_or(|at| now >= *at + again);
        if due {
            self.duties.proposed.insert(duty, now);
        }
        due
    }

    /// Seconds since the gateway started.
    pub(crate) fn uptime(&self) -> f64 {
        Duration::from_micros(self.now.moment.0 - self.started.0).as_secs_f64()
    }
}
