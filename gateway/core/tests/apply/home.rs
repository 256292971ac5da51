//! A house with someone who writes the log for it.

use gateway_core::command::{Agreed, Entry, Op, Origin, Said};
use gateway_core::house::{House, Moved, Note, Outcome, Verdict};
use gateway_core::id::Incarnation;
use wire::{
    Clock, Device, Epoch, GatewayId, Kind, NodeId, OrderNumber, RequestId, Stamp, State,
    UnixMillis, Zone,
};

/// The seed's devices, in the order in which they register.
pub(crate) const SEED: [(&str, Kind); 5] = [
    ("livingroom/tempSensor", Kind::Temperature),
    ("kitchen/smartOutlet", Kind::Outlet),
    ("hallway/doorSensor", Kind::Door),
    ("bedroom/smartBulb", Kind::Bulb),
    ("landing/motionSensor", Kind::Motion),
];

/// Gateways that serve have a cache.
pub(crate) struct Home {
    pub(crate) house: House,
    pub(crate) now: u64,
    publishes: u64,
}

impl Home {
    /// Gateways 1 to `serving` have joined.
    pub(crate) fn with(serving: u8) -> Self {
        let mut home = Self { house: House::new(), now: 1000, publishes: 0 };
        for id in 1..=serving {
            home.join(id, 1);
        }
        home
    }

    /// The seed's home: two serving gateways, and its five devices with node ids 2 to 6.
    pub(crate) fn seed() -> Self {
        let mut home = Self::with(2);
        for (place, kind) in SEED {
            home.register(place, kind);
        }
        home
    }

    pub(crate) fn apply(&mut self, op: Op) -> Outcome {
        let by = match &op {
            Op::Report { zone, .. } | Op::Set { zone, .. } => {
                self.house.zones().get(zone).map_or(GatewayId(1), |row| row.owner)
            }
            _ => GatewayId(1),
        };
        self.house.apply(&Entry { time: UnixMillis(self.now), clock: Clock(0), by, op })
    }

    pub(crate) fn settings(&mut self, threshold: u32, door_closes_after: Option<u64>) {
        self.apply(Op::Settings(Agreed { threshold, door_closes_after }));
    }

    pub(crate) fn join(&mut self, id: u8, incarnation: u64) -> Outcome {
        self.apply(Op::Join {
            gateway: GatewayId(id),
            incarnation: Incarnation(incarnation),
            serves: true,
            caches: true,
        })
    }

    pub(crate) fn standby(&mut self, id: u8) -> Outcome {
        let (gateway, incarnation) = (GatewayId(id), Incarnation(1));
        self.apply(Op::Join { gateway, incarnation, serves: false, caches: false })
    }

    pub(crate) fn dead(&mut self, id: u8, incarnation: u64) -> Outcome {
        self.apply(Op::Dead { gateway: GatewayId(id), incarnation: Incarnation(incarnation) })
    }

    pub(crate) fn place(&mut self, name: &str) -> Outcome {
        self.apply(Op::Place { zone: zone(name) })
    }

    pub(crate) fn register(&mut self, place: &str, kind: Kind) -> Outcome {
        let (zone, device) = split(place);
        self.apply(Op::Register { zone, device, kind, tag: 0 })
    }

    /// The owner's next report, with a stamp of its own.
    pub(crate) fn report(&mut self, place: &str, said: Said) -> Outcome {
        let origin = self.origin(place);
        self.report_from(place, said, origin)
    }

    pub(crate) fn report_from(&mut self, place: &str, report: Said, origin: Origin) -> Outcome {
        let (zone, device) = split(place);
        self.apply(Op::Report { zone, device, report, origin })
    }

    /// The owner's next order, with a stamp of its own.
    pub(crate) fn set(&mut self, place: &str, state: State, expires: Option<u64>) -> Outcome {
        let origin = self.origin(place);
        self.set_from(place, state, expires, origin)
    }

    pub(crate) fn set_from(
        &mut self,
        place: &str,
        state: State,
        expires: Option<u64>,
        origin: Origin,
    ) -> Outcome {
        let (zone, device) = split(place);
        self.apply(Op::Set { zone, device, state, expires, origin })
    }

    /// Fires every timer that is due `later` milliseconds from now.
    pub(crate) fn wait(&mut self, later: u64) -> Vec<Outcome> {
        self.now += later;
        let due = self.house.timers().iter().filter(|(_, timer)| timer.due.0 <= self.now);
        let due: Vec<_> = due.map(|(name, timer)| (*name, timer.generation)).collect();
        let fire = |(timer, generation)| self.apply(Op::Fire { timer, generation });
        due.into_iter().map(fire).collect()
    }

    /// What the current owner's next proposal for a new publish carries.
    pub(crate) fn origin(&mut self, place: &str) -> Origin {
        self.publishes += 1;
        let stamp = Stamp { broker: 1, incarnation: 1, counter: self.publishes };
        let row = self.house.zones().get(&split(place).0);
        let (epoch, number) = row.map_or((Epoch(0), 1), |row| (row.epoch, row.next));
        Origin { epoch, number, id: None, stamp: Some(stamp) }
    }

    pub(crate) fn owner(&self, name: &str) -> u8 {
        self.house.zones()[&zone(name)].owner.0
    }

    pub(crate) fn epoch(&self, name: &str) -> u64 {
        self.house.zones()[&zone(name)].epoch.0
    }

    pub(crate) fn node(&self, place: &str) -> Option<u32> {
        let (zone, device) = split(place);
        self.house.node(&zone, &device).map(|node| node.0)
    }

    /// Number and state of the open order.
    pub(crate) fn open(&self, place: &str) -> Option<(u64, State)> {
        let order = self.house.orders().get(&NodeId(self.node(place)?))?;
        Some((order.number.0, order.state.clone()))
    }

    /// Names of the devices that a gateway serves, in order of registration.
    pub(crate) fn devices_at(&self, id: u8) -> Vec<&str> {
        self.house.devices_at(GatewayId(id)).map(|(_, row)| row.name.as_str()).collect()
    }
}

pub(crate) fn zone(name: &str) -> Zone {
    Zone::new(name).expect("a test's zone is a name")
}

pub(crate) fn split(place: &str) -> (Zone, Device) {
    let (of, device) = place.split_once('/').expect("a place is zone/device");
    (zone(of), Device::new(device).expect("a test's device is a name"))
}

pub(crate) fn said(state: State) -> Said {
    Said { state, presence: None, kind: None, order: None, retained: false }
}

pub(crate) fn on() -> Said {
    said(spoken("1"))
}

pub(crate) fn off() -> Said {
    said(spoken("0"))
}

/// The report that fulfils an order by its number.
pub(crate) fn obeyed(state: State, order: u64) -> Said {
    Said { order: Some(OrderNumber(order)), ..said(state) }
}

pub(crate) fn id(text: &str) -> Option<RequestId> {
    RequestId::new(text).ok()
}

/// The numbers of the changes that an entry made.
pub(crate) fn seqs(outcome: &Outcome) -> Vec<u64> {
    outcome.written.iter().map(|written| written.seq.0).collect()
}

pub(crate) fn words(outcome: &Outcome) -> Vec<&'static str> {
    outcome.notes.iter().filter_map(Note::text).collect()
}

/// Zone, old owner and new owner of every move.
pub(crate) fn moves(outcome: &Outcome) -> Vec<(&str, Option<u8>, u8)> {
    let of = |moved: &'_ Moved| (moved.from.map(|from| from.0), moved.to.0);
    outcome.moved.iter().map(|moved| (moved.zone.as_str(), of(moved).0, of(moved).1)).collect()
}

pub(crate) fn done(node: u32, seq: u64, order: Option<u64>, again: bool) -> Verdict {
    let (node, seq) = (NodeId(node), wire::Seq(seq));
    Verdict::Done { node, seq, order: order.map(OrderNumber), again }
}

pub(crate) fn spoken(text: &str) -> State {
    State::new(text).expect("a short text")
}
