//! The gateway: routes every input to the part that it concerns.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use paxos::{Moment, ReplicaId, SessionId};
use wire::{Clock, Epoch, GatewayId, Topic, Topics, Zone};

use crate::after_commit::cache::Cache;
use crate::after_commit::settle::Unsettled;
use crate::command::DecodeError;
use crate::consensus::agreement::Ticket;
use crate::consensus::digests::Digests;
use crate::consensus::lone::Lone;
use crate::consensus::voters::Wish;
use crate::contend::Contention;
use crate::event::{Delivery, Effect, Input, Now, Session, Stored};
use crate::house::{House, StatusRow};
use crate::mutant::mutant;
use crate::ownership::duties::Duties;
use crate::ownership::leases::Leases;
use crate::ownership::peers::Peers;
use crate::ownership::zones::{Owned, SiteSession};
use crate::peer::PeerMessage;
use crate::requests::answers::Waiter;
use crate::requests::api::Asked;
use crate::requests::queries::Queries;
use crate::settings::Settings;
use crate::snapshots::Snapshots;
use crate::step::Step;
use crate::story::Rounds;

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
/// 5. [`Effect::Stop`] and [`Effect::Outlived`] are final.
pub struct Gateway {
    pub(crate) settings: Settings,
    pub(crate) topics: Topics,
    pub(crate) now: Now,
    pub(crate) started: Moment,
    pub(crate) paxos: paxos::Replica,
    pub(crate) house: House,
    pub(crate) applied: paxos::Slot,
    pub(crate) clock: Clock,
    pub(crate) cache: Cache,
    pub(crate) peers: Peers,
    pub(crate) leases: Leases,
    pub(crate) zones: BTreeMap<Zone, Owned>,
    pub(crate) site: SiteSession,
    pub(crate) queries: Queries,
    pub(crate) duties: Duties,
    pub(crate) contention: Contention,
    /// Questions to Paxos whether this gateway leads still.
    pub(crate) tickets: BTreeMap<u64, Ticket>,
    pub(crate) next_ticket: u64,
    /// Reads that the store has not answered yet.
    pub(crate) asked: BTreeMap<u64, Asked>,
    /// For whom the store reads old entries: one read each, however often they ask.
    pub(crate) fetching_for: BTreeSet<GatewayId>,
    /// Who wants to hear of an order only when it is fulfilled.
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) next_generation: u64,
    /// Entries that are applied and not yet written.
    pub(crate) unsettled: VecDeque<Unsettled>,
    pub(crate) rows: VecDeque<StatusRow>,
    /// Numbers this gateway's own proposals, those of no zone.
    pub(crate) own_number: u64,
    pub(crate) rounds: Rounds,
    pub(crate) snapshots: Snapshots,
    pub(crate) caught_up: bool,
    pub(crate) digests: Digests,
    /// Who waits for a change of voters.
    pub(crate) wish: Option<Wish>,
    pub(crate) lone: Lone,
    /// When it was last told that something was dropped.
    told_of_damage: Option<Moment>,
}

const TELL_EVERY: Duration = Duration::from_secs(60);

impl Gateway {
    /// A gateway that starts from what its disk holds.
    ///
    /// # Errors
    /// When the settings cannot make a Paxos group; the text says why.
    pub fn new(
        settings: Settings,
        house: House,
        recovered: paxos::Recovered,
        now: Now,
    ) -> Result<Self, paxos::ConfigError> {
        let applied = recovered.applied;
        let config = paxos_config(&settings)?;
        let clock = house.counters().clock;
        let paxos = paxos::Replica::new(config, recovered, now.moment);
        let mut peers = Peers::new(&settings, now.moment);
        if !paxos.is_blank() {
            let voters = paxos.voters().iter().map(gateway).collect();
            peers.regroup(settings.id, &voters, now.moment);
        }
        Ok(Self {
            topics: Topics::new(settings.site.clone()),
            now,
            started: now.moment,
            paxos,
            applied,
            clock,
            cache: Cache::new(settings.cache),
            peers,
            leases: Leases::default(),
            zones: BTreeMap::new(),
            site: SiteSession::default(),
            queries: Queries::default(),
            duties: Duties::default(),
            contention: Contention::default(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            asked: BTreeMap::new(),
            fetching_for: BTreeSet::new(),
            waiters: Vec::new(),
            next_generation: 0,
            unsettled: VecDeque::new(),
            rows: VecDeque::new(),
            own_number: 0,
            rounds: Rounds::default(),
            snapshots: Snapshots::default(),
            caught_up: true,
            digests: Digests::default(),
            wish: None,
            lone: Lone::default(),
            told_of_damage: None,
            house,
            settings,
        })
    }

    /// When to tick at the latest.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        let agreement = self.paxos.deadline().0;
        if self.may_found() { agreement.min(self.duties.next) } else { self.duties.next }
    }

    /// The replicated state, to look at.
    #[must_use]
    pub fn house(&self) -> &House {
        &self.house
    }

    /// The slot up to which the house is applied.
    #[must_use]
    pub fn applied(&self) -> paxos::Slot {
        self.applied
    }

    /// How many things wait here for something: questions, reads, answers, proposals.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let flights: usize = self.zones.values().map(|zone| zone.flights.len()).sum();
        self.tickets.len()
            + self.asked.len()
            + self.waiters.len()
            + self.queries.waiting()
            + flights
            + self.duties.waiting()
    }

    /// How many entries and rows are applied and wait for the store. It takes no more than some steps at once, and a
    /// gateway that catches up asks for more only when it has applied what it has.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.unsettled.len() + self.rows.len()
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) -> Step {
        self.now = now;
        let mut out = Step::default();
        match input {
            Input::Tick => {
                if self.may_found() {
                    self.agree(paxos::Input::Tick, &mut out);
                }
                self.chores(&mut out);
            }
            Input::Links { up } => self.links(up),
            // This gateway's own number from outside is a twin's or a forger's: it would vote in its name, and
            // before it has written.
            Input::Peer { from, .. } if gateway(from) == self.settings.id => {}
            Input::Peer { from, message } => self.hear(from, message, &mut out),
            Input::Stopping => self.agree(paxos::Input::HandOver, &mut out),
            Input::Heartbeat(beat) => {
                self.hear_of_a_history(&beat, &mut out);
                self.hear_beat(beat, &mut out);
            }
            Input::Kept(beat) => {
                self.hear_of_a_history(&beat, &mut out);
                if mutant!(KeptBeatIsLife) {
                    self.hear_beat(beat, &mut out);
                }
            }
            Input::Waiting(zone) => self.wanted(zone, &mut out),
            Input::Up { session, generation } => self.session_up(&session, generation, &mut out),
            Input::Down { session, generation } => {
                self.session_down(&session, generation, &mut out);
            }
            Input::Delivery(delivery) => self.deliver(delivery, &mut out),
            Input::Stored(stored) => self.stored(stored, &mut out),
        }
        out
    }

    pub(crate) fn hear(&mut self, replica: ReplicaId, message: PeerMessage, out: &mut Step) {
        let from = gateway(replica);
        self.peers.heard(from, self.now.moment);
        if message.since() > self.settings.versions.newest {
            // As a program that does not know it would find it undecodable.
            return;
        }
        let Some(message) = self.contention_hears(replica, message) else { return };
        match message {
            PeerMessage::Paxos(message) => {
                if let Some(error) = self.damage(&message) {
                    let id = self.settings.id;
                    let words =
                        format!("Gateway {id} drops what gateway {from} proposes: {error}.");
                    return self.tell_of_damage(words, out);
                }
                self.watch_round(&message);
                self.agree(paxos::Input::Message { from: replica, message }, out);
            }
            PeerMessage::Ping(number) => self.send(from, PeerMessage::Pong(number), out),
            PeerMessage::Pong(number) => self.peers.answered(from, number),
            PeerMessage::LeaseRequest { sent, life } => {
                self.lease_requested((from, life), sent, out);
            }
            PeerMessage::LeaseGrant { sent, life, epoch } => {
                if life == self.settings.incarnation || mutant!(GrantToAnotherLife) {
                    self.lease_granted(sent, epoch, out);
                }
            }
            PeerMessage::EpochQuery { zone, epoch, question } => {
                self.epoch_asked(from, (zone, epoch, question), out);
            }
            PeerMessage::EpochAnswer { zone, epoch, question, holds } => {
                self.epoch_answered((&zone, epoch, question), holds, out);
            }
            PeerMessage::SnapshotRequest { above, part } => {
                self.snapshot_asked(from, above, part, out);
            }
            PeerMessage::SnapshotAnswer(answer) => self.snapshot_answered(from, answer, out),
        }
    }

    pub(crate) fn deliver(&mut self, delivery: Delivery, out: &mut Step) {
        if !self.is_current(&delivery.session, delivery.generation) {
            return;
        }
        let topic = self.topics.parse(&delivery.topic);
        match (&delivery.session, topic) {
            (Session::Zone(_), Some(Topic::Device(zone, device, verb))) => {
                self.zone_delivery(&delivery, &zone, &device, verb, out);
            }
            (Session::Query(_), Some(Topic::Device(zone, device, wire::ZoneVerb::Get))) => {
                self.query(&delivery, &zone, &device, out);
            }
            (Session::Site, Some(Topic::Device(zone, device, wire::ZoneVerb::Get))) => {
                self.query_nowhere(&delivery, &zone, &device, out);
            }
            (Session::Site, Some(Topic::Api(verb))) => self.api(&delivery, verb, out),
            (Session::Own, Some(Topic::Gateway(_, verb))) => self.local(&delivery, verb, out),
            _ => self.misaddressed(&delivery, out),
        }
    }

    fn stored(&mut self, stored: Stored, out: &mut Step) {
        match stored {
            Stored::Messages(messages) => {
                for paxos::Outgoing { to, message } in messages {
                    if to == self.paxos.id() {
                        self.agree(paxos::Input::Message { from: to, message }, out);
                    } else {
                        self.send(gateway(to), PeerMessage::Paxos(message), out);
                    }
                }
            }
            // Of entries that the snapshot has swallowed.
            Stored::Rows(_) if self.snapshots.is_installing() => {}
            Stored::Rows(rows) => self.rows.extend(rows),
            Stored::Installed(slot) => self.installed(slot, out),
            Stored::Snapshot(report) => self.snapshot_report(report, out),
            Stored::Applied(slot) => self.settle(slot, out),
            Stored::Status(row, ticket) => self.loaded(row, ticket, out),
            Stored::Zone(zone, rows) => self.republish(&zone, rows, out),
            Stored::Everything(rows, ticket) => self.tell_devices(&rows, ticket, out),
            Stored::History(rows, ticket) => self.tell_history(&rows, ticket, out),
            Stored::Log { to, entries } => {
                self.fetching_for.remove(&gateway(to));
                self.agree(paxos::Input::Fetched { to, entries }, out);
            }
        }
    }

    /// Sends to another gateway; a message to this one is taken at once.
    pub(crate) fn send(&mut self, to: GatewayId, message: PeerMessage, out: &mut Step) {
        if to == self.settings.id {
            self.hear(self.paxos.id(), message, out);
        } else if let Some(message) = self.contention_lets(to, message)
            && self.may_send(&message)
        {
            out.effects.push(Effect::Send { to, message });
        }
    }

    pub(crate) fn leader(&self) -> Option<GatewayId> {
        self.paxos.leader().map(gateway)
    }

    /// Whether a query of this zone would be answered at a moment, and under which epoch.
    #[must_use]
    pub fn answers_for(&self, zone: &Zone, now: Moment) -> Option<Epoch> {
        let owned = self.zones.get(zone)?;
        self.may_answer(&Session::Query(zone.clone()), now).then_some(owned.epoch)
    }

    /// Until when this gateway has, or had, a lease, by its own clock.
    #[must_use]
    pub const fn lease(&self) -> Option<Moment> {
        self.leases.until()
    }

    /// The gateways that this one watches, and whether it suspects them.
    pub fn watched(&self) -> impl Iterator<Item = (GatewayId, bool)> + '_ {
        self.peers.others().map(|id| (id, self.peers.is_suspected(id)))
    }

    /// Whether this gateway has a vote.
    #[must_use]
    pub fn votes(&self) -> bool {
        self.paxos.votes()
    }

    /// Whether this gateway leads.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.leads()
    }

    pub(crate) fn leads(&self) -> bool {
        self.paxos.is_leading()
    }

    /// Whoever sends such a thing sends it again ten times a second.
    fn tell_of_damage(&mut self, words: String, out: &mut Step) {
        let now = self.now.moment;
        if self.told_of_damage.is_none_or(|at| now >= at + TELL_EVERY) {
            self.told_of_damage = Some(now);
            self.tell(out, words);
        }
    }

    /// Why this gateway could not apply what a message wants agreed. What is accepted once must be
    /// applied, so it is looked at before.
    fn damage(&self, message: &paxos::Message) -> Option<DecodeError> {
        use paxos::Message as M;
        let readable = |requests: &[paxos::Request]| {
            requests.iter().find_map(|request| self.read_entry(&request.payload).err())
        };
        match message {
            M::Accept { value, .. } => readable(value.requests()),
            M::Propose { requests } => readable(requests),
            M::Promise { entries, .. } | M::Suffix { entries, .. } => {
                entries.iter().find_map(|entry| readable(entry.value.requests()))
            }
            _ => None,
        }
    }

    /// The session under which this life of the gateway numbers its own proposals.
    pub(crate) fn own_session(&self) -> SessionId {
        // The highest bit keeps it apart from the epochs, which number the sessions of zones.
        let incarnation = self.settings.incarnation & ((1 << 52) - 1);
        SessionId(1 << 63 | u64::from(self.settings.id.0) << 52 | incarnation)
    }
}

/// The gateway that a replica is the memory of.
pub(crate) const fn gateway(replica: ReplicaId) -> GatewayId {
    GatewayId(replica.number())
}

fn paxos_config(settings: &Settings) -> Result<paxos::Config, paxos::ConfigError> {
    let timing = &settings.timing;
    let founders = settings.founders.iter().map(|id| id.0);
    let mut config = paxos::Config::new(ReplicaId::new(settings.id.0, settings.disk), founders);
    let ranks = settings.leaders.iter().rev().zip(1..);
    config.priority = ranks.map(|(id, rank)| (id.0, rank)).collect();
    config.heartbeat = timing.leader_beat;
    config.election_min = timing.election_min;
    config.election_max = timing.election_max;
    config.log_window = settings.log_window();
    config.seed = settings.incarnation ^ u64::from(settings.id.0) << 56;
    config.validate()
}
