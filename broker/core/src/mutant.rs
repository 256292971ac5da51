//! Deliberate mistakes of the core, to see whether its simulator finds them. Without the feature `mutants` nothing of
//! them is compiled.
//!
//! Each variant is one mistake that somebody could make here, switched on for one thread at a time. Where it is made
//! stands in the `planted` module of the room that makes it.

mistakes::list! {
    /// a client that asks for a clean start gets its old session
    CleanStartIgnored = 1,
    /// a session that was to end with its connection goes on
    EndIgnored = 1,
    /// a session ends although its client came back in time
    ReturnIgnored = 1,
    /// what is under way is not sent again on the next connection
    NotSentAgain = 2,
    /// what is sent again is not marked so
    SentAgainAsNew = 2,
    /// a QoS 2 publish that comes again is taken for another one
    RepetitionIsNew = 2,
    /// the subscription's QoS counts, also above the message's
    HigherQos = 2,
    /// a message is forgotten at its PUBREC, and its PUBREL with it
    ReleaseForgotten = 2,
    /// a session that runs over loses messages and goes on
    LostSilently = 2,
    /// a client that says goodbye has its will published
    WillAfterGoodbye = 3,
    /// a will that was to wait is published although its client came back in time
    WillAfterReturn = 3,
    /// a will that was to wait is published at once
    WillTooSoon = 3,
    /// an empty message is retained instead of clearing its topic
    EmptyRetained = 4,
    /// what is retained is sent to new subscriptions only
    RetainedForNewOnly = 4,
    /// what a member was sent at QoS 2 goes to another one when its session ends
    SharedTwice = 5,
    /// what a member was not sent ends with its session
    SharedLost = 5,
    /// a connection that was taken over goes on in the session
    OldConnectionActs = 6,
    /// a gateway takes a zone from one that owns it since a later epoch
    EarlierOwner = 6,
    /// topic aliases of the connection before are still used
    OldAliases = 6,
    /// what is sent again does not count against the client's Receive Maximum
    WindowIgnoredAtReturn = 7,
    /// more is sent than the client's Receive Maximum
    WindowIgnored = 7,
    /// a packet id is used while it is under way
    IdReusedTooSoon = 8,
    /// a message that has expired in its queue is sent
    ExpiredSent = 9,
    /// a client is not told how much of a message's time is left
    ExpiryNotSent = 9,
    /// a report is acknowledged as soon as it has come
    AcknowledgedAtOnce = 10,
    /// what a zone's session had not acknowledged ends with it
    ReportsLost = 10,
    /// a report is acknowledged on a connection that it did not come on
    AcknowledgedElsewhere = 10,
    /// another message under the packet id of an earlier one is taken for that one
    PacketIdIsTheMessage = 10,
    /// a report that comes again while it is withheld is taken for another one
    ReportTwice = 10,
    /// a repetition of what was settled while its client was away is acknowledged unseen
    RepetitionUnseen = 10,
    /// what a zone's session had not acknowledged waits behind what is newer
    BehindTheNewer = 10,
    /// a full waiting room drops what is promised for a publish at QoS 0
    PromisedDropped = 10,
    /// publishers that found no room are not read further when there is some
    NotReadOn = 10,
    /// what a zone's session has acknowledged makes no room
    RoomKept = 10,
    /// what waited for a zone comes in the wrong order
    NewestFirst = 10,
    /// a zone that waits is announced once
    AnnouncedOnce = 10,
    /// the leader's word is on publishes that came after it was told of a zone
    WordOnTheNewer = 10,
    /// a broker that begins anew does not know that there are gateways
    GatewaysForgotten = 10,
    /// a message is delivered once for each subscription that matches
    OnceForEachSubscription = 11,
    /// what is inside the router is lost when subscriptions change
    RoutedLost = 11,
    /// a client gets its own messages although it asked not to
    OwnMessages = 11,
}
