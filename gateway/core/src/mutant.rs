//! Deliberate mistakes, to see whether tests find them. Without the feature `mutants` nothing of them is compiled.
//!
//! They are made as those of `paxos` are: each variant is one mistake that somebody could make here, switched on for
//! one thread at a time; `mutant!(Name)` is true while its mistake is on, and the constant `false` in a normal build.

/// Whether this mistake is to be made.
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutant::is_active($crate::mutant::Mutant::$name)
    };
}

#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

pub(crate) use mutant;

#[cfg(feature = "mutants")]
pub(crate) use list::own_clock;
#[cfg(feature = "mutants")]
pub use list::{Mutant, is_active, set_active};

#[cfg(feature = "mutants")]
mod list {
    use core::cell::Cell;

    pub use every::{Mutant, is_active};

    mod every {
        mistakes::list! {
            /// a lease runs from the moment at which it is granted
            LeaseFromTheGrant = 11,
            /// a lease is granted without a round
            LeaseWithoutARound = 10,
            /// a lease lasts longer than the leader waits
            LeaseOutlivesTheWait = 11,
            /// a zone moves from a dead gateway before its lease is over
            LeaseNotWaitedFor = 11,
            /// a zone goes home before its owner's lease is over
            WayHomeNotWaitedFor = 11,
            /// a new leader does not wait for the leases of the one before
            OldGrantsForgotten = 11,
            /// whoever loses its vote loses its zones before its lease is over
            RemovalNotWaitedFor = 11,
            /// a move is applied in another leadership than the one that waited for it
            OldMoveApplied = 11,
            /// a leader grants leases before the log tells that it leads
            GrantedBeforeLeading = 11,
            /// the API is answered without a round
            ApiWithoutARound = 10,
            /// an owner answers queries without a lease
            AnsweredWithoutALease = 10,
            /// an owner answers before the leader has said "still yours"
            AnsweredUnconfirmed = 10,
            /// an owner answers until a move that it has applied is in its tables
            AnsweredAfterTheMove = 10,
            /// a lease is taken by an owner that has not applied the move before it
            LeaseBeforeTheMove = 10,
            /// a lease that was granted to an earlier life is taken
            GrantToAnotherLife = 11,
            /// an owner that lost a session opens it again without asking
            OpenedUnasked = 21,
            /// an owner is told that it still is one without a round
            EpochWithoutARound = 21,
            /// any answer to any question counts as "still yours"
            OldAnswerCounts = 21,
            /// a gateway opens zones before it has joined in this life
            OpenedBeforeJoined = 21,
            /// a life that ended takes the place of the one after it
            OutlivedJoins = 21,
            /// a zone's session is opened before its query session
            ZoneBeforeQuery = 21,
            /// apply takes a past epoch
            OldEpochApplied = 21,
            /// apply takes any number
            AnyNumberApplied = 21,
            /// a new life of an owner keeps the epoch of the one before
            EpochKept = 21,
            /// numbers are used again after a snapshot
            NumbersReused = 13,
            /// what was refused is not proposed again
            GapLeftOpen = 19,
            /// the client's name of a request is not looked at
            IdIgnored = 8,
            /// the broker's stamp is not looked at
            StampIgnored = 8,
            /// what was seen is forgotten after four requests
            SeenForgotten = 8,
            /// an id is forgotten after a twentieth of a second
            IdsForgotten = 8,
            /// what was seen is not taken over from a snapshot
            SeenNotInSnapshot = 9,
            /// epochs and numbers are not taken over from a snapshot
            EpochsNotInSnapshot = 13,
            /// a delivery is acknowledged before it is agreed
            AcknowledgedBeforeAgreed = 1,
            /// a delivery is acknowledged before it is in the tables
            AcknowledgedBeforeWritten = 1,
            /// the cache has what is not in the tables
            CachedBeforeWritten = 1,
            /// a state is published before it is in the tables
            PublishedBeforeWritten = 1,
            /// an owner begins before all that was agreed before its epoch is in its tables
            BegunBeforeWritten = 10,
            /// a cache keeps what another owner changed since
            CacheKept = 10,
            /// a request that is refused gets no answer
            RefusedInSilence = 22,
            /// a request that is refused is acknowledged as if it were taken
            RefusedAsSuccess = 22,
            /// anybody makes as many zones as he likes
            ZonesNotCounted = 22,
            /// an order to a zone that is only moving is refused
            KnownZoneRefused = 22,
            /// silence counts while one's own links are down
            SilenceWhileDeaf = 23,
            /// a heartbeat that the broker kept is taken for life
            KeptBeatIsLife = 23,
            /// a gateway is declared dead as soon as it is suspected
            NotProbed = 23,
            /// a gateway that is dead in the log does not join again
            NotJoinedAgain = 23,
            /// a timer fires as often as somebody proposes it
            FiredTwice = 20,
            /// apply looks at a clock of its own
            ApplyReadsAClock = 20,
            /// the site is raised to a version that not every voter has announced
            RaisedUnannounced = 24,
            /// the site is raised to a version that other voters announced
            RaisedForOtherVoters = 24,
            /// open orders are not sent again to the devices of a zone that moved
            OrdersNotSentAgain = 19,
            /// the states of a zone that moved are not published again
            StatesNotPublishedAgain = 19,
            /// an entry carries its proposer's wall clock
            StampedByTheWall = 25,
            /// timers run by the time of day
            TimersByTimeOfDay = 25,
            /// the time of day follows the clock that is most ahead
            AnyClockIsTheMedian = 25,
            /// one voter's clock is enough to date a gap and to set the time of day
            OneClockIsEnough = 25,
            /// an order with an end is kept although nobody knows how long all were off
            UndatedOrderKept = 25,
            /// a time in which all were off is not counted
            GapNotCounted = 25,
            /// a new leader counts on from what the log tells
            CountBegunAnew = 25,
            /// a gateway joins before it knows the elapsed time
            JoinedUndated = 25,
            /// an order is sent to a device after its end
            LateOrderSent = 25,
            /// a gateway takes part before it has proven that its file is not an older one
            VotesUnproven = 26,
            /// what was said of a lost file is taken for the one that replaced it
            AnswerToAnotherFile = 26,
        }
    }

    thread_local! {
        static CLOCK: Cell<u64> = const { Cell::new(0) };
    }

    /// What a replica would find if it looked at a clock while it applies.
    pub(crate) fn own_clock() -> u64 {
        CLOCK.set(CLOCK.get() + 1);
        CLOCK.get() % 64 / 63
    }

    /// Switches one mistake on in this thread, and all others off.
    pub fn set_active(mutant: Option<Mutant>) {
        every::set_active(mutant);
        CLOCK.set(0);
    }
}
