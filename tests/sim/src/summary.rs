//! What really happened in the runs: a simulator whose faults do not occur proves nothing.

use std::fmt;

macro_rules! counters {
    ($(#[doc = $of:literal])+ $type:ident { $($(#[doc = $doc:literal])+ $name:ident: $words:literal,)+ }
     $($(#[doc = $more_doc:literal])+ $more:ident: $more_type:ty,)*) => {
        $(#[doc = $of])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $type {
            $($(#[doc = $doc])+ pub $name: u64,)+
            $($(#[doc = $more_doc])+ pub $more: $more_type,)*
        }

        impl $type {
            fn count(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            fn counted(&self) -> Vec<(&'static str, u64)> {
                vec![$(($words, self.$name),)+]
            }
        }
    };
}

counters! {
    /// Counters, added up over seeds.
    Summary {
    /// Runs that ended well.
    seeds: "seeds",
    /// Inputs that replicas took.
    inputs: "inputs",
    /// Slots that were decided.
    decided: "decided slots",
    /// Leaderships that began.
    leader_changes: "leader changes",
    /// Slots that changed the voters.
    membership_changes: "membership changes",
    /// Disks that were lost with all they held.
    lost_disks: "lost disks",
    /// Processes that died.
    crashes: "crashes",
    /// Times when all died at once.
    power_cuts: "power cuts",
    /// Processes that came back.
    restarts: "restarts",
    /// Writes of which a crash left nothing or a part.
    lost_writes: "lost writes",
    /// Writes whose last record was there in part.
    torn_writes: "torn writes",
    /// Writes and syncs that failed.
    failed_writes: "failed writes",
    /// Writes that took a second or more.
    slow_writes: "slow writes",
    /// Processes that stood still.
    pauses: "pauses",
    /// Clocks that leapt forward.
    leaps: "clock leaps",
    /// Networks cut in whatever way.
    partitions: "partitions",
    /// Brokers that died with all they carried.
    broker_restarts: "broker restarts",
    /// Messages lost at random or by a cut.
    drops: "lost messages",
    /// Messages delivered twice.
    duplicates: "repeated messages",
    /// Messages delivered long after they were sent.
    stale: "stale messages",
    /// States copied from another replica.
    snapshots: "snapshots",
    }
    /// The longest time from the end of all faults until something new was agreed, in virtual microseconds.
    longest_commit: u64,
    /// The longest time from the end of all faults until all replicas were equal, in virtual microseconds.
    longest_recovery: u64,
    /// What happened in whole homes besides.
    home: Home,
}

counters! {
    /// What only a whole home has, added up over seeds.
    Home {
    /// Runs of whole homes that ended well.
    seeds: "homes",
    /// Publishes that were acknowledged.
    acknowledged: "acknowledged publishes",
    /// Orders that were answered.
    sets: "answered orders",
    /// Queries that an owner answered.
    gets: "answered queries",
    /// Publishes that were repeated.
    retries: "repeated publishes",
    /// Homes whose broker is not Hearth's own.
    foreign: "homes with a foreign broker",
    /// Gateways that nobody heard while the sessions of their zones lived.
    mutes: "mute gateways",
    /// Lists of devices that the leader gave.
    lists: "answered lists",
    /// Homes in which some gateways began with an older program.
    upgrades: "homes with older programs",
    /// Disks that came back as they had been.
    old_disks: "disks put back",
    }
}

impl Summary {
    /// Adds what another run counted.
    pub fn add(&mut self, other: &Self) {
        self.count(other);
        self.home.count(&other.home);
        self.longest_commit = self.longest_commit.max(other.longest_commit);
        self.longest_recovery = self.longest_recovery.max(other.longest_recovery);
    }

    /// The counters with their names in words.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let mut rows = self.counted();
        if self.home.seeds > 0 {
            rows.extend(self.home.counted());
        }
        rows
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (words, count) in self.rows() {
            write!(f, "{count} {words}, ")?;
        }
        let ms = |micros: u64| micros / 1000;
        write!(
            f,
            "at most {} ms to the first new entry and {} ms to equal replicas after the faults",
            ms(self.longest_commit),
            ms(self.longest_recovery)
        )
    }
}
