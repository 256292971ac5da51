//! The version of the site: what every gateway of it understands.
//!
//! A new kind of entry or message belongs to a version ([`Op::since`](crate::command::Op::since),
//! [`PeerMessage::since`](crate::peer::PeerMessage::since)). Every gateway
//! announces in its heartbeats which versions it understands. Once all voters have announced a higher one than
//! the site has, the leader proposes [`Op::Raise`](crate::command::Op::Raise), and from there on the new kinds may be
//! used. So gateways of different programs work together while a home is upgraded one gateway after another, in any
//! order. What is not raised yet is not used: nobody proposes an entry or sends a message above the site's version.
//!
//! A gateway that understands too little stops and says so: it was given an older program after the site was
//! raised, or it came later.

use wire::{Version, Versions};

/// The highest version that this program understands.
///
/// - 3: the entries and messages of programs that announce nothing.
/// - 4: [`Op::Raise`](crate::command::Op::Raise).
/// - 5: ids are remembered for a time, apart from stamps.
/// - 6: [`EXACT_STATES`].
/// - 7: [`COUNTED_TIME`].
/// - 8: [`COUNTED_ZONES`] and [`WITNESSES`].
pub const NEWEST: Version = Version(8);

/// Since this version a zone is made on somebody's account ([`Op::Make`](crate::command::Op::Make)), and goes again
/// when it has no devices. Before, they are not counted, and stay.
pub const COUNTED_ZONES: Version = Version(8);

/// Since this version a report or an order carries the state as it was said. Before, it carries the canonical state
/// ([`State::canonical`](wire::State::canonical)).
pub const EXACT_STATES: Version = Version(6);

/// Since this version the time of an entry only counts durations, and the time of day is an agreed offset away from it
/// ([`Op::Clock`](crate::command::Op::Clock)). Before, the offset is 0.
pub const COUNTED_TIME: Version = Version(7);

/// Since this version gateways tell each other how old their files are. Those that announce it understand that in a
/// site of any version.
pub const WITNESSES: Version = Version(8);

/// The versions that this program understands.
pub const OURS: Versions = Versions { oldest: Version::FIRST, newest: NEWEST };
