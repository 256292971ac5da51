//! Frames: one version byte, one byte for the kind, then the fields.
//!
//! Frames of a link come in the order in which they were sent, or the link is over. Only messages ([`Publish`]) outlive a
//! link: they are numbered, and the receiver says how far it got. Everything else is told anew on the next link.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::coded::{Coded, Malformed, Reader, coded};
use crate::id::{Counter, DiskId, Incarnation, Lane, Life, Nodes};
use crate::map::{Bucket, Buried, Record};
use crate::message::Message;

/// Oldest version of the mesh that this node speaks.
pub const OLDEST: u8 = 1;
/// Newest version of the mesh that this node speaks.
pub const NEWEST: u8 = 1;
/// Longest frame, in bytes. 4 MiB: the largest packet of a client (1 MiB), or a bucket of 50,000 briefs.
pub const LONGEST: usize = 4 * 1024 * 1024;

/// The first frame on a link, from both sides at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Oldest version that the sender speaks.
    pub oldest: u8,
    /// Newest version that the sender speaks.
    pub newest: u8,
    /// What the link is for.
    pub lane: Lane,
    /// Who it is.
    pub life: Life,
    /// The disk that it has.
    pub disk: DiskId,
    /// How far it got with the receiver's messages, and of which life of the receiver.
    pub got: Option<(Incarnation, Counter)>,
    /// For how many milliseconds clients have been let in.
    pub serving: u64,
    /// The nodes that it reaches.
    pub reach: Nodes,
}

/// The answer to a hello, on the lane of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The receiver's disk is written off: it has to begin anew before it tells anything of its map.
    pub written_off: bool,
}

/// A filter that clients of a node want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The filter, with `$share/<name>/` for a shared one.
    pub path: Box<str>,
    /// Whether a session that outlives its connection has it at QoS 1 or 2.
    pub kept: bool,
}

/// What the sender's clients are subscribed to when a link comes up, in one or more parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// A part of all.
    pub wanted: Vec<Wanted>,
    /// Its shared subscriptions.
    pub groups: Vec<Members>,
    /// The last part.
    pub last: bool,
}

/// The hash of each bucket of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// 1,024 of them.
    pub hashes: Vec<u64>,
}

/// Buckets that differ, as the sender has them, in one or more parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// A part of them.
    pub buckets: Vec<Bucket>,
    /// The last part.
    pub last: bool,
}

/// Records that the receiver may not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Each with what is left of its time in milliseconds, if that is limited.
    pub records: Vec<(Record, Option<u64>)>,
}

/// The receiver has all that the sender had when it compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {}

/// A message that was published at the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Its number among the sender's.
    pub counter: Counter,
    /// Whether the receiver's subscribers get it; otherwise it is for the map only.
    pub deliver: bool,
    /// Shared subscriptions for which the receiver's members were chosen.
    pub groups: Vec<Box<str>>,
    /// What is left of its time in milliseconds, if that is limited.
    pub left: Option<u64>,
    /// The message.
    pub message: Arc<Message>,
}

/// There is nothing for the receiver up to this message. It confirms, so that the sender may forget those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The last message that was looked at.
    pub counter: Counter,
}

/// How far the sender got with the receiver's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    /// It has them in memory.
    pub got: Counter,
    /// And so has a second node, where that was promised.
    pub kept: Counter,
}

/// Messages up to this one are lost, because the bound was reached before the receiver came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The last that is lost.
    pub upto: Counter,
    /// Their topics; none if there are too many to name.
    pub topics: Option<Vec<Box<str>>>,
}

/// The sender's clients want these too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Named in the answer.
    pub request: u64,
    /// What.
    pub wanted: Vec<Wanted>,
}

/// Every message after `at` that a request asked for is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subacked {
    /// Which request.
    pub request: u64,
    /// The sender's last message before that.
    pub at: Counter,
}

/// The sender's clients do not want these any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Filters, shared ones as in [`Wanted`].
    pub paths: Vec<Box<str>>,
}

/// The members of a shared subscription at the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// With `$share/` and the name.
    pub path: Box<str>,
    /// Connected, and with room for more.
    pub ready: u32,
    /// Not connected, or full, but keeping what they get.
    pub asleep: u32,
}

/// The nodes that the sender reaches now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Those.
    pub nodes: Nodes,
}

/// Records of the sender's own that are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Those.
    pub records: Vec<Buried>,
}

/// Are these tombstones on the receiver's disk?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bury {
    /// Those.
    pub tombstones: Vec<Buried>,
}

/// These tombstones are on the sender's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Those.
    pub tombstones: Vec<Buried>,
}

/// These tombstones have been on every member's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forget {
    /// Those.
    pub tombstones: Vec<Buried>,
}

/// The sender's disk was written off: it has begun anew and this is its disk now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anew {
    /// That.
    pub disk: DiskId,
}

/// A report or order of a zone, for the node that claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The zone.
    pub zone: Box<str>,
    /// The claim that it is sent to.
    pub epoch: u64,
    /// How often the sender has begun again with this zone; an answer names it.
    pub round: u64,
    /// Its number among those of the zone at the sender; 0 with QoS 0.
    pub counter: u64,
    /// The one before it that is not acknowledged; 0 if there is none.
    pub before: u64,
    /// What is left of its time in milliseconds, if that is limited.
    pub left: Option<u64>,
    /// The message.
    pub message: Arc<Message>,
}

/// The zone's owner has a report, or refuses it for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The zone.
    pub zone: Box<str>,
    /// The report.
    pub counter: u64,
    /// The reason code of a refusal.
    pub refusal: Option<u8>,
}

/// The receiver has to send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The zone.
    pub zone: Box<str>,
    /// The round in which the report was sent.
    pub round: u64,
    /// The report.
    pub counter: u64,
    /// Why.
    pub why: Why,
}

/// Why a report is not taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The node has no open session of that epoch.
    NotOpen = 1,
    /// The report before it has not been taken.
    Predecessor = 2,
    /// The session has as many as it takes.
    Full = 3,
}

macro_rules! frames {
    ($($kind:literal $name:ident)+) => {
        /// Anything that one node says to another.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each kind is explained at its type")]
        pub enum Frame {
            $($name($name),)+
        }

        impl Frame {
            /// Adds the bytes of this frame.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name(frame) => {
                        out.extend([NEWEST, $kind]);
                        frame.put(out);
                    })+
                }
            }

            /// Reads a frame; payloads share the memory of `bytes`.
            ///
            /// # Errors
            /// The bytes are no frame.
            pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
                let mut from = Reader::new(bytes);
                let version = u8::get(&mut from)?;
                if !(OLDEST..=NEWEST).contains(&version) {
                    return Err(Malformed::Kind(version));
                }
                let frame = match u8::get(&mut from)? {
                    $($kind => Self::$name(Coded::get(&mut from)?),)+
                    kind => return Err(Malformed::Kind(kind)),
                };
                from.end()?;
                Ok(frame)
            }
        }

        $(impl From<$name> for Frame {
            fn from(frame: $name) -> Self {
                Self::$name(frame)
            }
        })+
    };
}

frames! {
    1 Hello
    2 Welcome
    3 Interest
    4 Hashes
    5 Buckets
    6 Records
    7 Matched
    8 Publish
    9 Mark
    10 Got
    11 Gap
    12 Subscribe
    13 Subacked
    14 Unsubscribe
    15 Members
    16 Reach
    17 Gone
    18 Bury
    19 Stored
    20 Forget
    21 Anew
    22 Report
    23 Taken
    24 Refused
}

impl Coded for Lane {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Messages => 1,
            Self::Zones => 2,
        });
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        match u8::get(from)? {
            1 => Ok(Self::Messages),
            2 => Ok(Self::Zones),
            _ => Err(Malformed::Number),
        }
    }
}

impl Coded for Why {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        match u8::get(from)? {
            1 => Ok(Self::NotOpen),
            2 => Ok(Self::Predecessor),
            3 => Ok(Self::Full),
            _ => Err(Malformed::Number),
        }
    }
}

impl Coded for Arc<Message> {
    fn put(&self, out: &mut Vec<u8>) {
        Message::put(self, out);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Message::get(from).map(Self::new)
    }
}

coded! {
    Hello { oldest, newest, lane, life, disk, got, serving, reach }
    Welcome { written_off }
    Wanted { path, kept }
    Interest { wanted, groups, last }
    Hashes { hashes }
    Buckets { buckets, last }
    Records { records }
    Matched {}
    Publish { counter, deliver, groups, left, message }
    Mark { counter }
    Got { got, kept }
    Gap { upto, topics }
    Subscribe { request, wanted }
    Subacked { request, at }
    Unsubscribe { paths }
    Members { path, ready, asleep }
    Reach { nodes }
    Gone { records }
    Bury { tombstones }
    Stored { tombstones }
    Forget { tombstones }
    Anew { disk }
    Report { zone, epoch, round, counter, before, left, message }
    Taken { zone, counter, refusal }
    Refused { zone, round, counter, why }
}
