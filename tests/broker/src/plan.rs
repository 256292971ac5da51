//! What a seed draws: who there is, how they behave, and which faults there are.

use crate::dice::Dice;
use broker_core::protocol::{Qos, Version};
use broker_core::{Incarnation, Settings};

pub(crate) const TOPICS: [&str; 6] =
    ["a", "a/b", "home/c/c", "home/b/c", "home/hall/d/state", "$own/x"];
pub(crate) const WILL_TOPIC: &str = "will/x";
const FILTERS: [&str; 16] = [
    "a",
    "a/b",
    "home/c/c",
    "home/b/c",
    "will/x",
    "a/+",
    "a/#",
    "#",
    "+/b",
    "home/+/c",
    "home/b/#",
    "will/+",
    "$own/#",
    "home/#",
    "home/+/d/state",
    "home/hall/+/report",
];
const SHARED: [&str; 6] = [
    "$share/g/a/b",
    "$share/g/a/+",
    "$share/h/a/b",
    "$share/h/#",
    "$share/g/will/x",
    "$share/h/home/#",
];
/// Payloads of this size reach no client that takes only [`SMALL_PACKETS`].
pub(crate) const LARGE: usize = 600;
const SMALL_PACKETS: u32 = 300;

pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) people: Vec<Persona>,
    /// What people do, altogether, before the faults end.
    pub(crate) acts: u64,
    /// Percent of what people do that is a cut of a connection.
    pub(crate) cuts: u64,
    /// Percent that is a long time in which nothing happens.
    pub(crate) gaps: u64,
    /// Percent of deliveries that are late by up to a second.
    pub(crate) lag: u64,
    pub(crate) restarts: bool,
    /// Publishes that expire, in percent.
    pub(crate) expiring: u64,
    pub(crate) large: u64,
    /// Filters and topics that the router may have.
    pub(crate) in_router: (usize, usize),
    /// Queues are so small that sessions run over.
    pub(crate) tight: bool,
}

/// One client.
#[derive(Clone)]
pub(crate) struct Persona {
    pub(crate) name: String,
    pub(crate) version: Version,
    /// Seconds; 0 for clean sessions.
    pub(crate) expiry: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet: u32,
    pub(crate) alias_maximum: u16,
    pub(crate) filters: Vec<&'static str>,
    pub(crate) zone: Option<&'static str>,
    pub(crate) reports: bool,
    /// Percent of times at which it reads what it could read.
    pub(crate) eager: u64,
    pub(crate) wills: u64,
}

impl Plan {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut settings = Settings { incarnation: Incarnation(1), ..Settings::default() };
        let tight = dice.percent(25);
        let limits = &mut settings.limits;
        limits.inflight = dice.pick(&[1, 2, 5, 1000]);
        limits.receive_maximum = dice.pick(&[1, 3, 10]);
        if tight {
            limits.queue_messages = dice.pick(&[2, 4, 10]);
        }
        if dice.percent(20) {
            limits.zone_messages = dice.pick(&[2, 5]);
        }
        limits.zone_qos0 = dice.pick(&[1, 64]);
        settings.durable_ack = dice.percent(80);
        let zones: &[&str] = if dice.percent(60) { &["hall", "den"] } else { &[] };
        let mut people = Vec::new();
        // Most who share are in one group, for nothing is shared with oneself.
        let group = dice.pick(&SHARED);
        for number in 0..dice.between(2, 6) {
            people.push(Persona::new(dice, number, group));
        }
        people.extend(zones.iter().map(|zone| Persona::gateway(dice, zone)));
        Self {
            settings,
            people,
            acts: dice.between(30, 200),
            cuts: dice.pick(&[0, 3, 10, 25]),
            gaps: dice.pick(&[0, 1, 5]),
            lag: dice.pick(&[0, 5, 30]),
            restarts: dice.percent(15),
            expiring: dice.pick(&[0, 0, 10]),
            large: dice.pick(&[0, 0, 5]),
            in_router: dice.pick(&[(0, 0), (1, 1), (2, 2), (9, 9), (9, 9)]),
            tight,
        }
    }
}

impl Persona {
    fn new(dice: &mut Dice, number: u64, group: &'static str) -> Self {
        let version = dice.pick(&[Version::V311, Version::V5]);
        let old = version == Version::V311;
        let shared = dice.percent(30);
        let filters = if shared {
            vec![if dice.percent(60) { group } else { dice.pick(&SHARED) }]
        } else {
            (0..dice.between(0, 5)).map(|_| dice.pick(&FILTERS)).collect()
        };
        Self {
            name: format!("c{number}"),
            version,
            expiry: if old { dice.pick(&[0, u32::MAX]) } else { dice.pick(&[0, 3, 60, u32::MAX]) },
            receive_maximum: if old { u16::MAX } else { dice.pick(&[1, 2, 10, u16::MAX]) },
            maximum_packet: if old || dice.percent(80) { u32::MAX } else { SMALL_PACKETS },
            alias_maximum: if old { 0 } else { dice.pick(&[0, 1, 2, 40]) },
            filters,
            zone: None,
            reports: dice.percent(50),
            eager: dice.pick(&[20, 80, 100]),
            wills: dice.pick(&[0, 50]),
        }
    }

    fn gateway(dice: &mut Dice, zone: &'static str) -> Self {
        let filters = if zone == "hall" {
            vec!["home/hall/+/report", "home/hall/+/set"]
        } else {
            vec!["home/den/+/report", "home/den/+/set"]
        };
        Self {
            name: format!("hearth-home-zone-{zone}"),
            version: Version::V5,
            expiry: dice.pick(&[2, 604_800]),
            receive_maximum: dice.pick(&[2, 64]),
            maximum_packet: dice.pick(&[SMALL_PACKETS, u32::MAX]),
            alias_maximum: dice.pick(&[0, 4]),
            filters,
            zone: Some(zone),
            reports: false,
            eager: 100,
            wills: 0,
        }
    }

    pub(crate) fn shares(&self) -> bool {
        self.filters.iter().any(|filter| filter.starts_with("$share/"))
    }

    pub(crate) fn qos(&self, dice: &mut Dice) -> Qos {
        match self.zone {
            Some(_) => Qos::AtLeastOnce,
            None => {
                dice.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::ExactlyOnce])
            }
        }
    }
}
