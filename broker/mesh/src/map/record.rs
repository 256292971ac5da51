//! Records of the map, and their order.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{DiskId, Life, NodeId};
use crate::message::Message;
use crate::moment::Moment;
use crate::version::Version;
use crate::wire::coded::{Coded, Malformed, Reader, coded};

/// First byte of a record: the version of the mesh since which records look like this.
const FORMAT: u8 = 1;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The retained message of a topic.
    Retained = 1,
    /// The node that a client is connected to.
    Client = 2,
    /// A session that outlives its connection.
    Session = 3,
    /// A client's last will.
    Will = 4,
    /// Who serves a zone.
    Claim = 5,
    /// A node whose disk knows removed records that nobody else remembers; named by its number.
    WrittenOff = 6,
    /// The disk that a node has; named by its number.
    Disk = 7,
}

/// The name of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is about.
    pub kind: Kind,
    /// Topic, client id, zone, or the number of a node.
    pub name: Box<str>,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The retained message.
    Retained(Arc<Message>),
    /// The client is connected to this life of a node, since the record's version.
    Client(Life),
    /// Where the session is.
    Session(Home),
    /// The will, and who has to publish it.
    Will(Box<Testament>),
    /// The life that claims the zone, for the epoch in the record's version.
    Claim(Life),
    /// The disk that is written off.
    WrittenOff(DiskId),
    /// The disk that the node has.
    Disk(DiskId),
}

/// The nodes that have a kept session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The node that the session is at.
    pub home: NodeId,
    /// The node that has a copy.
    pub second: Option<NodeId>,
    /// The CONNECT with which it came there.
    pub since: Version,
    /// Seconds it outlives its connection.
    pub expiry: u32,
}

/// A last will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Testament {
    /// What is published.
    pub message: Message,
    /// Seconds that it waits.
    pub delay: u32,
    /// The life of the node at which its client is connected.
    pub at: Life,
    /// The CONNECT that it came with.
    pub since: Version,
    /// Somebody has published it.
    pub published: bool,
}

/// A record; without a value it is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub key: Key,
    /// Which of the records of this name it is.
    pub version: Version,
    /// What it says.
    pub value: Option<Value>,
}

impl Key {
    /// The record of this kind and name.
    #[must_use]
    pub fn new(kind: Kind, name: &str) -> Self {
        Self { kind, name: name.into() }
    }

    /// A number that spreads keys evenly.
    pub(crate) fn hash(&self) -> u64 {
        mix(fnv(self.kind as u64, self.name.as_bytes()))
    }
}

impl Kind {
    /// Whether a node alone says what there is of this kind at itself. Such records come and go too often for
    /// tombstones: when they go, their node says so, and a node that died took them with it.
    #[must_use]
    pub const fn is_owned(self) -> bool {
        matches!(self, Self::Client)
    }
}

impl Record {
    /// Tells two values of one version apart, which can only be if a node's clock was set back. 0 is a tombstone's.
    pub(crate) fn sum(&self) -> u64 {
        let Some(value) = &self.value else { return 0 };
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        mix(fnv(1, &bytes)).max(1)
    }

    /// What is left of its time in milliseconds, if that is limited.
    #[must_use]
    pub fn left(&self, now: Moment) -> Option<u64> {
        match &self.value {
            Some(Value::Retained(message)) => now.left(message.expires),
            _ => None,
        }
    }

    /// What it weighs in the map, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let value = match &self.value {
            Some(Value::Retained(message)) => message.weight(),
            Some(Value::Will(will)) => will.message.weight(),
            _ => 0,
        };
        // A place in the table, its name once more in the list of its bucket, and an entry of the tombstones.
        192 + 2 * self.key.name.len() + value
    }
}

/// Fowler, Noll and Vo's hash, variant 1a, with another beginning.
fn fnv(from: u64, bytes: &[u8]) -> u64 {
    let start = 0xCBF2_9CE4_8422_2325 ^ from;
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Lets every bit depend on every other.
pub(crate) fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

impl Coded for Kind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        match u8::get(from)? {
            1 => Ok(Self::Retained),
            2 => Ok(Self::Client),
            3 => Ok(Self::Session),
            4 => Ok(Self::Will),
            5 => Ok(Self::Claim),
            6 => Ok(Self::WrittenOff),
            7 => Ok(Self::Disk),
            kind => Err(Malformed::Kind(kind)),
        }
    }
}

impl Value {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Retained(_) => Kind::Retained,
            Self::Client(_) => Kind::Client,
            Self::Session(_) => Kind::Session,
            Self::Will(_) => Kind::Will,
            Self::Claim(_) => Kind::Claim,
            Self::WrittenOff(_) => Kind::WrittenOff,
            Self::Disk(_) => Kind::Disk,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Retained(message) => message.put(out),
            Self::Client(life) | Self::Claim(life) => life.put(out),
            Self::Session(home) => home.put(out),
            Self::Will(will) => will.put(out),
            Self::WrittenOff(disk) | Self::Disk(disk) => disk.put(out),
        }
    }

    fn get(kind: Kind, from: &mut Reader) -> Result<Self, Malformed> {
        Ok(match kind {
            Kind::Retained => Self::Retained(Arc::new(Coded::get(from)?)),
            Kind::Client => Self::Client(Coded::get(from)?),
            Kind::Session => Self::Session(Coded::get(from)?),
            Kind::Will => Self::Will(Box::new(Coded::get(from)?)),
            Kind::Claim => Self::Claim(Coded::get(from)?),
            Kind::WrittenOff => Self::WrittenOff(Coded::get(from)?),
            Kind::Disk => Self::Disk(Coded::get(from)?),
        })
    }
}

impl Coded for Record {
    fn put(&self, out: &mut Vec<u8>) {
        FORMAT.put(out);
        self.key.put(out);
        self.version.put(out);
        self.value.is_some().put(out);
        if let Some(value) = &self.value {
            value.put(out);
        }
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        match u8::get(from)? {
            FORMAT => {}
            other => return Err(Malformed::Kind(other)),
        }
        let key = Key::get(from)?;
        let version = Coded::get(from)?;
        let value = if bool::get(from)? { Some(Value::get(key.kind, from)?) } else { None };
        Ok(Self { key, version, value })
    }
}

coded! {
    Key { kind, name }
    Home { home, second, since, expiry }
    Testament { message, delay, at, since, published }
}
