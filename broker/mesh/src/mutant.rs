//! Deliberate mistakes of the mesh, to see whether its simulator finds them. Without the feature `mutants` nothing of
//! them is compiled.
//!
//! Each variant is one mistake that somebody could make here, switched on for one thread at a time. Where it is made
//! stands in the `planted` module of the room that makes it.

mistakes::list! {
    /// a new link makes a node forget how far it got
    ForgetsHowFar = 1,
    /// a message is let go once it is sent
    LetGoWhenSent = 1,
    /// a new link begins with the newest message
    ResumedAtTheEnd = 1,
    /// a peer is not told what it missed
    GapUntold = 1,
    /// the record that comes last wins
    LastComerWins = 2,
    /// a tombstone is forgotten before every member has it
    TombstoneForgotten = 2,
    /// a node's own records are taken from others though it is there
    AnybodySpeaksForANode = 2,
    /// a node lets clients in before it has the map
    ReadyAtOnce = 2,
    /// a SUBACK does not wait for the peers
    SubackTooEarly = 3,
    /// a sleeping member of a shared subscription is chosen before one that is awake
    SleepersFirst = 3,
    /// a publisher waits for a second node for ever
    NeverGivesUp = 3,
    /// a publisher does not wait for a second node
    AcknowledgedAlone = 3,
    /// a message that came from a peer is sent on
    ForwardedTwice = 3,
    /// a state or command of a former owner is delivered
    FormerOwnerHeard = 4,
    /// a new claim does not get what was under way to the one before
    ClaimGetsOnlyTheRest = 4,
    /// a report does not name the one before it
    PredecessorNotNamed = 4,
    /// a report is taken by a session of any epoch
    AnyEpochIsOpen = 4,
    /// a repeated report is taken again
    MarkIgnored = 4,
    /// a report is taken though the one before it was not
    PredecessorIgnored = 4,
    /// an old report overwrites a newer one
    OldReportApplied = 4,
}
