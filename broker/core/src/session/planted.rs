//! Mistakes of one session.

use crate::packet::Qos;
use crate::planted::planted;

planted! {
    /// Whether a QoS 2 publish is known by its packet id.
    RepetitionIsNew: fn received_before(known: bool) => false;
    /// Whether a publish is the one that was settled while its client was away, and not another one under its packet
    /// id.
    RepetitionUnseen: fn settled_before(same: bool) => true;
    /// Whether a publish that is withheld is known by its packet id.
    ReportTwice: fn withheld_before(known: bool) => false;
    /// Whether it is the same message, and not another one under its packet id.
    PacketIdIsTheMessage: fn same_message(same: bool) => true;
    /// Whether a client is spared its own message.
    OwnMessages: fn own(spared: bool) => false;
    /// Whether a message comes on another way.
    OnceForEachSubscription: fn another_way(other: bool) => false;
    /// The QoS of a delivery.
    HigherQos: fn granted(lower: Qos, higher: Qos) => higher;
    /// Whether a message may be lost when a queue is full.
    LostSilently: fn lossy(may: bool) => true;
    /// How much of what is under way a new connection has been sent.
    NotSentAgain: fn sent_at_return(sent: usize, all: usize) => all;
    /// Whether what is sent again is marked so.
    SentAgainAsNew: fn sent_again(marked: bool) => false;
    /// Whether the window is full while all is sent again.
    WindowIgnoredAtReturn: fn window_is_full_at_return(full: bool) => false;
    /// Whether the window is full.
    WindowIgnored: fn window_is_full(full: bool) => false;
    /// Whether a message's time is over.
    ExpiredSent: fn expired(over: bool) => false;
    /// The next packet id.
    IdReusedTooSoon: fn packet_id(next: u16, under_way: usize) => { let _ = next; under_way as u16 + 1 };
    /// Whether a message is forgotten at its PUBREC.
    ReleaseForgotten: fn forgotten_at_pubrec(forgotten: bool) => true;
    /// Whether a message that a member of a group was sent stays with it.
    SharedTwice: fn stays_with_member(stays: bool) => false;
}
