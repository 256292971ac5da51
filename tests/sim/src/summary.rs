//! What really happened in the runs: a simulator whose faults do not occur proves nothing.

use std::fmt;

use crate::{Class, Classes};

/// Bounds that only some classes of trouble reach.
const FLIGHTS: &str = "flights of a zone";
const STAMPS: &str = "remembered stamps";
const LINK: &str = "queue of a link";
const IDS: &str = "remembered ids";

macro_rules! counters {
    ($(#[doc = $of:literal])+ $type:ident { $($(#[doc = $doc:literal])+ $name:ident: $words:expr,)+ }
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
    /// What happened in whole systems besides.
    system: System,
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

counters! {
    /// What only a whole system has, added up over seeds.
    System {
    /// Runs of whole systems that ended well.
    seeds: "systems",
    /// Publishes that were acknowledged to a device or a person.
    acknowledged: "acknowledged publishes",
    /// Orders that were answered.
    sets: "answered orders",
    /// Queries that an owner answered.
    gets: "answered queries",
    /// Orders that were repeated under their id.
    retries: "repeated orders",
    /// Reports at QoS 0 of a noisy sensor.
    noise: "reports at QoS 0",
    /// Publishes that were sent again on another connection.
    resent: "publishes sent again",
    /// Connections that broke.
    breaks: "broken connections",
    /// Programs of devices and people that began anew.
    device_restarts: "clients begun anew",
    /// Sessions that were given up because their link was full.
    in_line: "publishes that waited in line",
    /// Times in which no gateway counted, at the end of which wall clocks told how long they were; or could not.
    gaps: "times nobody counted",
    /// Those that had no date.
    undated: "of them without a date",
    /// Times of day that were corrected.
    corrections: "corrected times of day",
    /// Files of gateways that were put back by a copy.
    copies: "files put back by copy",
    /// Gateways that learnt that their file was put back.
    renounced: "gateways that learnt of it",
    /// Files of brokers that were lost or put back.
    broker_files: "files of brokers lost or put back",
    }
    /// How many runs reached each bound.
    reached: Reached,
}

counters! {
    /// Runs of whole systems that reached a bound.
    Reached {
    /// Proposals of a zone that are not applied yet.
    flights: FLIGHTS,
    /// Stamps that a zone remembers.
    stamps: STAMPS,
    /// Ids that a zone remembers.
    ids: IDS,
    /// Deliveries of a zone that its owner has not acknowledged.
    deliveries: "deliveries of a zone",
    /// What waits for a link of a gateway.
    link_queue: LINK,
    /// Publishes that a broker has taken in for a zone, when the publisher can be told.
    refused: "zone of a broker, refused",
    /// The same when the publisher has to wait.
    waited: "zone of a broker, waited",
    }
}

impl Summary {
    /// Adds what another run counted.
    pub fn add(&mut self, other: &Self) {
        self.count(other);
        self.home.count(&other.home);
        self.system.count(&other.system);
        self.system.reached.count(&other.system.reached);
        self.longest_commit = self.longest_commit.max(other.longest_commit);
        self.longest_recovery = self.longest_recovery.max(other.longest_recovery);
    }

    /// What of a hundred whole systems reached each bound.
    pub fn reached(&self) -> Vec<(&'static str, u64)> {
        let share = |count: u64| count * 100 / self.system.seeds.max(1);
        let rows = self.system.reached.counted().into_iter();
        rows.map(|(words, count)| (words, share(count))).collect()
    }

    /// The bounds that fewer than every fifth of the systems with these classes of trouble have reached.
    pub fn unreached(&self, classes: Classes) -> Vec<(&'static str, u64)> {
        let below = |(words, share): &(&str, u64)| {
            let class = match *words {
                FLIGHTS | STAMPS | LINK => Some(Class::Flood),
                IDS => Some(Class::Ids),
                _ => None,
            };
            *share < 20 && class.is_none_or(|class| classes.has(class))
        };
        let reached = if self.system.seeds > 0 { self.reached() } else { Vec::new() };
        reached.into_iter().filter(below).collect()
    }

    /// The counters with their names in words.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let mut rows = self.counted();
        if self.home.seeds > 0 {
            rows.extend(self.home.counted());
        }
        if self.system.seeds > 0 {
            rows.extend(self.system.counted());
        }
        rows
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (words, count) in self.rows() {
            write!(f, "{count} {words}, ")?;
        }
        if self.system.seeds > 0 {
            let reached = self.reached().into_iter();
            let reached: Vec<_> =
                reached.map(|(words, share)| format!("{words} {share} %")).collect();
            write!(f, "bounds reached: {}; ", reached.join(", "))?;
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
