//! What goes through the log: everything that apply reads arrives in here.
//!
//! An entry is one Paxos request. Its bytes begin with the version since which its kind exists, so that a
//! replica that does not know an entry stops instead of applying something else than the others. Before the
//! site has that version, nobody proposes such an entry (see [`version`](crate::version)).

use core::fmt;

use paxos::Voters;
use serde::{Deserialize, Serialize};
use wire::{
    Clock, Device, Epoch, GatewayId, Kind, Maker, OrderNumber, RequestId, Stamp, State, UnixMillis,
    Version, Zone,
};

use crate::id::Incarnation;
use crate::version::{COUNTED_TIME, COUNTED_ZONES, EXACT_STATES, NEWEST};

/// First byte of the entries that exist since [`Version::FIRST`]; that of later ones is their version.
const FIRST: u8 = 1;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The elapsed time at which its proposer proposed it; what is agreed is the maximum so far. It counts durations
    /// and is no time of day, though a site begins with the one that it is then.
    pub time: UnixMillis,
    /// Its proposer's Lamport clock.
    pub clock: Clock,
    /// Its proposer.
    pub by: GatewayId,
    /// What shall happen.
    pub op: Op,
}

/// What an entry asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// A gateway is here, or is here again.
    Join {
        /// Who.
        gateway: GatewayId,
        /// Which life of it.
        incarnation: Incarnation,
        /// Whether it owns zones while it lives.
        serves: bool,
        /// Whether it has a cache.
        caches: bool,
    },
    /// The leader found a gateway dead; its zones move.
    Dead {
        /// Who.
        gateway: GatewayId,
        /// Which life of it; a later life is not meant.
        incarnation: Incarnation,
    },
    /// The settings that apply reads.
    Settings(Agreed),
    /// A zone was heard of that has no owner.
    Place {
        /// The zone.
        zone: Zone,
    },
    /// A device is registered without a report.
    Register {
        /// Its zone.
        zone: Zone,
        /// Its name.
        device: Device,
        /// What it is.
        kind: Kind,
        /// By which the proposer finds its requester again.
        tag: u64,
    },
    /// A device said what it is.
    Report {
        /// Its zone.
        zone: Zone,
        /// Its name.
        device: Device,
        /// What it said.
        report: Said,
        /// Where the entry comes from.
        origin: Origin,
    },
    /// Someone ordered what a device shall be.
    Set {
        /// Its zone.
        zone: Zone,
        /// Its name.
        device: Device,
        /// What it shall be.
        state: State,
        /// Milliseconds after which the order is dropped.
        expires: Option<u64>,
        /// Where the entry comes from.
        origin: Origin,
    },
    /// A timer is due.
    Fire {
        /// Which one.
        timer: TimerName,
        /// Which setting of it; a second firing does nothing.
        generation: u64,
    },
    /// As `Join`, where no takeover ends an old owner's answers: no zone moves that has a living owner.
    Arrive {
        /// Who.
        gateway: GatewayId,
        /// Which life of it.
        incarnation: Incarnation,
        /// Whether it owns zones while it lives.
        serves: bool,
        /// Whether it has a cache.
        caches: bool,
    },
    /// Where no takeover ends an old owner's answers: no lease on what moves is left.
    Move {
        /// The leadership in which the leases were waited out; in another one there may be new ones.
        leadership: Leadership,
        /// Why zones move.
        why: Move,
    },
    /// A leader begins, where moves wait for leases.
    Lead,
    /// Every voter understands this version: from here on it may be used.
    Raise {
        /// The version.
        version: Version,
        /// Who has announced it; among other voters it is not meant.
        voters: Voters,
    },
    /// The time of day is so far from the elapsed time, from here on.
    Clock {
        /// The new offset.
        offset: Offset,
    },
    /// As `Place`, on somebody's account.
    Make {
        /// The zone.
        zone: Zone,
        /// Who.
        maker: Maker,
    },
    /// As `Register`; the zone, if there is none, goes on somebody's account.
    Enrol {
        /// Its zone.
        zone: Zone,
        /// Its name.
        device: Device,
        /// What it is.
        kind: Kind,
        /// By which the proposer finds its requester again.
        tag: u64,
        /// Who.
        maker: Maker,
    },
    /// A zone that has had no device for some time goes.
    Remove {
        /// The zone.
        zone: Zone,
        /// Its epoch; a later one is not meant.
        epoch: Epoch,
        /// The number of its next proposal: after another one it is not meant either.
        next: u64,
    },
}

impl Op {
    /// The version since which this kind of entry exists.
    #[must_use]
    pub fn since(&self) -> Version {
        match self {
            Self::Raise { .. } => Version(4),
            Self::Clock { .. } => COUNTED_TIME,
            Self::Make { .. } | Self::Enrol { .. } | Self::Remove { .. } => COUNTED_ZONES,
            Self::Report { report: Said { state, .. }, .. } | Self::Set { state, .. }
                if !state.is_canonical() =>
            {
                EXACT_STATES
            }
            Self::Join { .. }
            | Self::Dead { .. }
            | Self::Settings(_)
            | Self::Place { .. }
            | Self::Register { .. }
            | Self::Report { .. }
            | Self::Set { .. }
            | Self::Fire { .. }
            | Self::Arrive { .. }
            | Self::Move { .. }
            | Self::Lead => Version::FIRST,
        }
    }
}

/// Why zones move that have an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Move {
    /// The leader found a gateway dead.
    Dead {
        /// Who.
        gateway: GatewayId,
        /// Which life of it; a later life is not meant.
        incarnation: Incarnation,
    },
    /// A zone goes where it belongs.
    Return {
        /// The zone.
        zone: Zone,
        /// Its epoch; a later one is not meant.
        epoch: Epoch,
    },
}

/// Number of a leadership among those that the log tells of, from 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Leadership(pub u64);

/// By how many milliseconds the time of day is ahead of the elapsed time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Offset(pub i64);

/// The part of a report that is agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The state.
    pub state: State,
    /// What a presence sensor saw.
    pub presence: Option<bool>,
    /// What the device says that it is.
    pub kind: Option<Kind>,
    /// The order that it fulfils.
    pub order: Option<OrderNumber>,
    /// It came from the store of retained messages: it registers, and is otherwise ignored.
    pub retained: bool,
}

/// Where an entry of a zone comes from: the fence, and what makes a repetition recognisable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Epoch of the proposing owner; a past one is not applied.
    pub epoch: Epoch,
    /// Number of the proposal within the epoch, from 1; only the next one is applied.
    pub number: u64,
    /// The client's name of the request.
    pub id: Option<RequestId>,
    /// The broker's stamp of the publish.
    pub stamp: Option<Stamp>,
}

/// The settings that apply reads, agreed like everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Agreed {
    /// A serving gateway with this many devices takes no new zone while another has fewer.
    pub threshold: u32,
    /// Milliseconds after which an open door is closed; none for never.
    pub door_closes_after: Option<u64>,
}

/// What a timer is for; its name in the table of timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TimerName {
    /// The door with this node id closes itself.
    CloseDoor(wire::NodeId),
    /// The open order of this device expires.
    DropOrder(wire::NodeId),
}

/// Why bytes of the log are no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They are of a version that this program does not know.
    Version(Version),
    /// There are none.
    Empty,
    /// They are damaged.
    Damaged,
}

impl Entry {
    /// The bytes of the entry.
    ///
    /// # Panics
    /// Never: every entry has an encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = match self.op.since() {
            Version::FIRST => FIRST,
            Version(later) => later,
        };
        postcard::to_extend(self, vec![head]).expect("an entry has an encoding")
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// When the bytes are of a version that this program does not know, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (head, rest) = bytes.split_first().ok_or(DecodeError::Empty)?;
        let version = match *head {
            FIRST => Version::FIRST,
            head if head > Version::FIRST.0 => Version(head),
            _ => return Err(DecodeError::Damaged),
        };
        if version > NEWEST {
            return Err(DecodeError::Version(version));
        }
        match postcard::take_from_bytes::<Self>(rest) {
            Ok((entry, [])) if entry.op.since() == version => Ok(entry),
            _ => Err(DecodeError::Damaged),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "the entry has version {version}, and this program knows versions up to {NEWEST}; \
                 use the program that the other gateways run, or a later one"
            ),
            Self::Empty => write!(f, "the entry is empty"),
            Self::Damaged => write!(f, "the entry is damaged"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for TimerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseDoor(node) => write!(f, "close-door/{node}"),
            Self::DropOrder(node) => write!(f, "drop-order/{node}"),
        }
    }
}

impl core::str::FromStr for TimerName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (what, node) = text.split_once('/').ok_or(())?;
        let node = wire::NodeId(node.parse().map_err(|_| ())?);
        match what {
            "close-door" => Ok(Self::CloseDoor(node)),
            "drop-order" => Ok(Self::DropOrder(node)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            time: UnixMillis(1_700_000_000_123),
            clock: Clock(7),
            by: GatewayId(2),
            op: Op::Report {
                zone: Zone::new("hallway").unwrap(),
                device: Device::new("doorSensor").unwrap(),
                report: Said {
                    state: State::new("21.5").unwrap(),
                    presence: Some(true),
                    kind: Some(Kind::Door),
                    order: Some(OrderNumber(3)),
                    retained: false,
                },
                origin: Origin {
                    epoch: Epoch(4),
                    number: 9,
                    id: RequestId::new("x").ok(),
                    stamp: Some(Stamp { broker: 1, incarnation: 2, counter: 3 }),
                },
            },
        }
    }

    fn said(text: &str) -> Entry {
        let mut entry = entry();
        if let Op::Report { report, .. } = &mut entry.op {
            report.state = State::new(text).unwrap();
        }
        entry
    }

    #[test]
    fn an_entry_comes_back_from_its_bytes() {
        assert_eq!(Entry::decode(&entry().encode()), Ok(entry()));
    }

    #[test]
    fn an_entry_names_the_version_since_which_its_kind_exists() {
        let voters = Voters::new([paxos::ReplicaId(1)]).unwrap();
        let raise = Entry { op: Op::Raise { version: Version(4), voters }, ..entry() };
        assert_eq!((entry().encode()[0], raise.encode()[0]), (1, 4));
        assert_eq!(Entry::decode(&raise.encode()), Ok(raise.clone()));
        let clock = Entry { op: Op::Clock { offset: Offset(-86_400_000) }, ..entry() };
        assert_eq!((clock.encode()[0], Entry::decode(&clock.encode())), (7, Ok(clock)));
        let mut mislabelled = raise.encode();
        mislabelled[0] = 1;
        assert_eq!(Entry::decode(&mislabelled), Err(DecodeError::Damaged));
    }

    #[test]
    fn entries_of_the_first_version_are_read_and_written_as_ever() {
        // From commit f4fe4dd: a report of 21.5, one of `half open`, and a set of `ON`, which is 1.
        const OLD: [(&str, &[u8]); 3] = [
            ("21.5", b"\x01\xfb\xd0\x95\xff\xbc1\x07\x02\x05\x07hallway\ndoorSensor\0\0\0\0\0\0\x805@\x01\x01\x01\x02\x01\x03\0\x04\t\x01\x01x\x01\x01\x02\x03"),
            ("half open", b"\x01\xfb\xd0\x95\xff\xbc1\x07\x02\x05\x07hallway\ndoorSensor\x01\thalf open\x01\x01\x01\x02\x01\x03\0\x04\t\x01\x01x\x01\x01\x02\x03"),
            ("1", b"\x01\xfb\xd0\x95\xff\xbc1\x07\x02\x06\x07hallway\ndoorSensor\0\0\0\0\0\0\0\xf0?\x01\xa8F\x04\t\x01\x01x\x01\x01\x02\x03"),
        ];
        for (text, bytes) in OLD {
            let entry = Entry::decode(bytes).expect("an entry");
            assert_eq!((entry.time, entry.by), (UnixMillis(1_700_000_000_123), GatewayId(2)));
            assert_eq!(entry.encode(), bytes);
            let (Op::Report { report: Said { state, .. }, .. } | Op::Set { state, .. }) = entry.op
            else {
                panic!("{:?}", entry.op)
            };
            assert_eq!(state.as_str(), text);
        }
    }

    #[test]
    fn a_state_as_it_was_said_is_newer_than_a_canonical_one() {
        assert_eq!(
            (entry().encode()[0], said("1.10").encode()[0], said("1.1").encode()[0]),
            (1, 6, 1)
        );
        assert_eq!(Entry::decode(&said("ON").encode()), Ok(said("ON")));
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_panic() {
        let good = entry().encode();
        assert_eq!(Entry::decode(&[]), Err(DecodeError::Empty));
        assert_eq!(Entry::decode(&[0, 1]), Err(DecodeError::Damaged));
        assert_eq!(Entry::decode(&[99, 1]), Err(DecodeError::Version(Version(99))));
        for length in 1..good.len() {
            assert_eq!(Entry::decode(&good[..length]), Err(DecodeError::Damaged), "{length}");
        }
    }
}
