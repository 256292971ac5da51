//! What goes into a gateway's core and what it asks for.

use wire::{
    Epoch, GatewayId, Heartbeat, Maker, NodeId, Seq, SiteGeneration, Stamp, State, UnixMillis,
    Written, Zone,
};

use crate::house::{Refusal, StatusRow};
use crate::id::{Generation, Incarnation, Ticket, Token};
use crate::peer::PeerMessage;
use crate::snapshots::{Report, Task};
use crate::survey::{Survey, Surveyed};

/// The time of an input, by both clocks: durations are measured on the one that never jumps. The other may be wrong:
/// it is compared with those of the other gateways, and a majority of them says what people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic, since the process started. It counts on while the machine sleeps.
    pub moment: paxos::Moment,
    /// Wall clock.
    pub time: UnixMillis,
}

/// A session that the core has opened and closed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Session {
    /// The persistent session through which a zone's owner reads reports and orders, and on which
    /// it publishes.
    Zone(Zone),
    /// The clean session through which a zone's owner answers queries.
    Query(Zone),
    /// The session through which the leader answers the API.
    Site,
    /// This gateway's own connection: heartbeats and local requests. It is always open.
    Own,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time passed; at the latest at the deadline.
    Tick,
    /// The connection for Paxos, or the gateway's own, is up or down.
    Links {
        /// Both are up and subscribed.
        up: bool,
    },
    /// A message from a gateway.
    Peer {
        /// The sender, with what tells its disk from others.
        from: paxos::ReplicaId,
        /// What it says.
        message: PeerMessage,
    },
    /// Somebody asks this gateway to lead.
    Campaign,
    /// The process is about to end: whoever leads hands over first.
    Stopping,
    /// A heartbeat or a last will of another gateway; never one from the store of retained
    /// messages, which proves nothing.
    Heartbeat(Heartbeat),
    /// A heartbeat or a last will that a broker had kept, maybe this gateway's own: it says what there was, not who
    /// lives.
    Kept(Heartbeat),
    /// This gateway's own heartbeat came back: what the broker had kept has come before.
    Echo,
    /// A message from a gateway of another generation of the site.
    OtherGeneration {
        /// The sender.
        from: GatewayId,
        /// Its generation.
        generation: SiteGeneration,
    },
    /// A broker of ours holds a report for a zone that has no session.
    Waiting {
        /// The zone.
        zone: Zone,
        /// Who makes it if there is none, and how much the broker had taken in up to that one's last report; none of an
        /// older broker.
        maker: Option<(Maker, Stamp)>,
    },
    /// A broker of ours holds orders and no report for a zone that has no session, among what it had taken in up to
    /// there.
    Asking(Zone, Stamp),
    /// A session is connected and subscribed.
    Up {
        /// Which one.
        session: Session,
        /// The number with which it was opened.
        generation: Generation,
    },
    /// A session could not be opened, or ended.
    Down {
        /// Which one.
        session: Session,
        /// The number with which it was opened.
        generation: Generation,
    },
    /// A message came in on a session.
    Delivery(Delivery),
    /// The store did what a step asked for.
    Stored(Stored),
}

/// A message that came in on a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The session.
    pub session: Session,
    /// The number with which the session was opened.
    pub generation: Generation,
    /// By which the shell finds the message again when it is to be acknowledged.
    pub token: Token,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// It came at QoS 1 or 2: its sender waits for the acknowledgement. At QoS 0 nobody does, and nothing holds the
    /// sender back.
    pub promised: bool,
    /// It came from the store of retained messages, or was published with that flag.
    pub retain: bool,
    /// MQTT 5 Response Topic.
    pub response_topic: Option<String>,
    /// MQTT 5 Correlation Data.
    pub correlation: Option<Vec<u8>>,
    /// MQTT 5 user properties.
    pub properties: Vec<(String, String)>,
}

/// Something to do that rests on no write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a message to another gateway.
    Send {
        /// The addressee.
        to: GatewayId,
        /// The message.
        message: PeerMessage,
    },
    /// Publish this heartbeat, retained.
    Beat(Heartbeat),
    /// Open a session; [`Input::Up`] or [`Input::Down`] follows.
    Open {
        /// Which one.
        session: Session,
        /// Its number, to tell its events from those of one before.
        generation: Generation,
        /// Since when this gateway owns the zone; 0 for a session that is of no zone. A broker of ours is told, so that
        /// nobody who has not heard that a zone moved takes it from its new owner.
        epoch: Epoch,
    },
    /// Close a session at once, dropping what it has not sent.
    Close {
        /// Which one.
        session: Session,
    },
    /// Publish on a session.
    Publish {
        /// The session.
        session: Session,
        /// The topic.
        topic: String,
        /// The payload.
        payload: Vec<u8>,
        /// QoS 1 rather than 0.
        at_least_once: bool,
        /// Keep it for later subscribers.
        retain: bool,
        /// Correlation Data of the request that this answers.
        correlation: Option<Vec<u8>>,
        /// Seconds after which it means nothing any more, and the broker drops it.
        expires: Option<u32>,
    },
    /// Acknowledge a delivery.
    Acknowledge {
        /// The session that it came in on.
        session: Session,
        /// The number with which the session was opened.
        generation: Generation,
        /// The delivery's token.
        token: Token,
        /// Why it is refused for good; none when it is taken. An overload is neither: it is not acknowledged.
        refusal: Option<Refusal>,
    },
    /// Work on the files of snapshots, beside the store; [`Stored::Snapshot`] follows.
    Snapshot(Task),
    /// Look at the rows of the file, beside the store; [`Stored::Surveyed`] or [`Stored::NotSurveyed`] follows.
    Survey(Survey, Ticket),
    /// Tell people.
    Say(String),
    /// A later life of this gateway has joined, with this incarnation: stop this one. The next one
    /// begins after both.
    Outlived(Incarnation),
    /// The file was put back to an older state, with the reason: stop, give its number up, and start again.
    SetBack(String),
    /// The file is blank, and its site is of this generation: stop, write that down, and start again.
    Adopt(SiteGeneration),
    /// A broken invariant: stop this replica, with the reason.
    Stop(String),
}

/// Something to read from the replica's tables, after everything that was to be written before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The status of one device, for this ticket.
    Status(NodeId, Ticket),
    /// The status of every device of a zone.
    Zone(Zone),
    /// The status of every device, for this ticket.
    Everything(Ticket),
    /// Agreed changes, for this ticket.
    History {
        /// Whose; none for everyone's.
        node: Option<NodeId>,
        /// The first change wanted; none for the newest ones.
        from: Option<Seq>,
        /// At most so many.
        limit: u32,
        /// The ticket.
        ticket: Ticket,
    },
    /// Chosen entries for a late replica.
    Log(paxos::Fetch),
}

/// What the store gives back.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Messages that rested on a write, now written; those to this gateway itself among them.
    Messages(Vec<paxos::Outgoing>),
    /// Messages of this gateway's own that rested on a write, with their addressees.
    Answers(Vec<(GatewayId, PeerMessage)>),
    /// The file has had so many commits.
    Aged(u64),
    /// The rows that are applied up to this slot have this digest.
    Tables(Written),
    /// What was found in the rows, for this ticket or by itself.
    Surveyed(Surveyed, Option<Ticket>),
    /// There is no time for that look.
    NotSurveyed(Ticket),
    /// Everything up to this slot is written, and the rows before this tell how it is now.
    Applied(paxos::Slot),
    /// The snapshot up to this slot took the place of everything; what follows is on top of it.
    Installed(paxos::Slot),
    /// What became of [`Effect::Snapshot`].
    Snapshot(Report),
    /// Changes were written: the rows of [`Change::Status`](crate::house::Change), in order.
    Rows(Vec<StatusRow>),
    /// For [`Read::Status`].
    Status(Option<StatusRow>, Ticket),
    /// For [`Read::Zone`].
    Zone(Zone, Vec<StatusRow>),
    /// For [`Read::Everything`].
    Everything(Vec<StatusRow>, Ticket),
    /// For [`Read::History`].
    History(Vec<HistoryRow>, Ticket),
    /// For [`Read::Log`].
    Log {
        /// Who asked.
        to: paxos::ReplicaId,
        /// The entries.
        entries: Vec<paxos::Entry>,
    },
}

/// One agreed change, as history keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// Its number.
    pub seq: Seq,
    /// When it was agreed.
    pub time: UnixMillis,
    /// The device.
    pub node: NodeId,
    /// `state` or `desired`.
    pub register: String,
    /// What was said or ordered.
    pub state: State,
    /// Number of the order that it is or fulfils.
    pub ordered: Option<u64>,
    /// Lamport clock.
    pub clock: u64,
    /// The gateway that proposed it.
    pub owner: GatewayId,
    /// What a rule concluded.
    pub note: Option<String>,
}
