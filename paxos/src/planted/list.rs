//! Every mistake, in words, with the number of the known way to get Paxos wrong that it belongs to.

mistakes::list! {
    /// a promise leaves before it is written
    PromiseBeforeSync = 1,
    /// an acceptance is reported before it is written
    AcceptedBeforeSync = 1,
    /// a promise is never written
    PromiseNotWritten = 1,
    /// an acceptance is never written
    AcceptanceNotWritten = 1,
    /// what was promised is not read after a restart
    PromiseForgotten = 3,
    /// a candidate asks before its own ballot is written
    PrepareBeforeSync = 3,
    /// a candidate does not promise its own ballot
    OwnBallotNotPromised = 3,
    /// what is learnt from a peer is not promised
    LearntNotPromised = 7,
    /// a new leader proposes a no-op where a value was reported
    OwnValueWins = 4,
    /// of several reported values the one of the lowest ballot wins
    LowestBallotWins = 4,
    /// of several reported values the last one wins
    LastReportWins = 4,
    /// half of an even group counts as a majority
    HalfIsEnough = 15,
    /// one acceptance less than a majority is enough
    OneTooFew = 5,
    /// acceptances of other ballots count
    AnyBallotIsCounted = 5,
    /// promises for other ballots count
    AnyPromiseIsCounted = 5,
    /// a report of which only a part has come counts as complete
    PartOfAReportIsEnough = 7,
    /// a new leader does not fill gaps
    GapsNotFilled = 6,
    /// a promise does not report what the voter knows to be chosen
    ChosenNotReported = 7,
    /// a promise for slots that are no longer in memory reports only the others
    ForgottenNotRefused = 7,
    /// a promised acceptor accepts lower ballots
    LowerBallotAccepted = 1,
    /// a promised acceptor promises lower ballots
    LowerBallotPromised = 1,
    /// a commit mark counts for values of any ballot
    MarkForAnyBallot = 5,
    /// a peer's entry is learnt although it is not known to be chosen
    UnchosenLearnt = 4,
    /// a leader confirms without having heard from anyone
    ConfirmedAlone = 10,
    /// a leader confirms by a heartbeat that began before the question
    ConfirmedByAnOldBeat = 10,
    /// a leader confirms before the barrier is chosen
    ConfirmedBeforeTheBarrier = 12,
    /// a leader keeps more in flight than the window
    WindowIgnored = 15,
    /// the log in memory is never cut
    MemoryNotBounded = 14,
    /// a leader that is refused goes on
    RefusalIgnored = 18,
    /// a snapshot's voters are not taken over
    SnapshotVotersIgnored = 13,
    /// a snapshot is not recorded
    SnapshotNotWritten = 13,
    /// nobody is told that a snapshot is needed
    SnapshotNotAskedFor = 14,
    /// slots are proposed behind a change of voters that is not chosen yet
    ProposedBehindAChange = 15,
    /// a candidate does not ask the voters of a change that it is told of
    ReportedGroupNotAsked = 15,
    /// whoever accepted counts, with a vote or without
    AnybodyVotes = 15,
    /// a replica without a vote starts elections
    ObserverCampaigns = 16,
    /// a vote belongs to a number, whatever disk has it
    AnyDiskVotes = 16,
    /// a founder does not wait for the others' word
    FoundedAlone = 16,
    /// a lost disk's replica never gets its vote back
    NotReadmitted = 16,
    /// an answer to an old heartbeat tells that a disk may get the vote
    AnyAnswerIsRecent = 16,
    /// voters grant pre-votes although they hear a leader
    LeaderNotDefended = 18,
    /// a leader that hears no majority goes on
    LostQuorumIgnored = 18,
    /// a candidate that finds no majority goes on
    CandidateNeverGivesUp = 18,
    /// an unanswered round is not sent again
    RoundSentOnce = 19,
    /// a forwarded request is not sent again
    RequestSentOnce = 19,
    /// a late replica asks once
    CatchUpAskedOnce = 19,
    /// a heartbeat does not tell how far everything is chosen
    HeartbeatWithoutMark = 19,
}
