//! The lanes whose faults heal by themselves.

use hearth_random::Random;
use std::time::Duration;

use tokio::time::Instant;

use super::{Faults, pass};
use crate::board::Kind;
use crate::home::{GATEWAYS, STREETS};
use crate::people::{People, ZONES};
use crate::proxy::Direction;

/// Seconds by which a clock may be wrong: from what a lease lasts to a day.
const WRONG: [i64; 8] = [-86_400, -3_600, -67, -2, 2, 67, 3_600, 86_400];

impl Faults {
    pub(super) async fn process(&self, kind: Kind, dice: &mut Random) {
        let (home, id) = (&self.world.home, dice.pick(&GATEWAYS));
        let _alone = self.processes[usize::from(id) - 1].lock().await;
        let time = dice.spread(50, 3_000);
        match kind {
            Kind::Stop => {
                let _broken = self.board.broken(kind, &format!("gateway {id}"));
                home.pause(id);
                pass(time).await;
                home.resume(id);
            }
            Kind::WrongClock => {
                let seconds = dice.pick(&WRONG);
                let Some(faketime) = &self.faketime else { return };
                let _broken = self.board.broken(kind, &format!("gateway {id} by {seconds} s"));
                home.kill_gateway(id);
                home.start_gateway(id, Some(&faketime.wrong_by(seconds)));
                pass(time + 1_000).await;
                home.stop_gateway(id).await;
                home.start_gateway(id, None);
            }
            _ => {
                let _broken = self.board.broken(kind, &format!("gateway {id}"));
                match kind {
                    Kind::Kill => home.kill_gateway(id),
                    _ => home.stop_gateway(id).await,
                }
                pass(time).await;
                home.start_gateway(id, None);
            }
        }
    }

    pub(super) async fn network(&self, kind: Kind, dice: &mut Random) {
        let home = &self.world.home;
        let number = dice.below(GATEWAYS.len() + STREETS);
        let (network, name) = match GATEWAYS.get(number) {
            Some(id) => (home.network(*id), format!("gateway {id}")),
            None => {
                let street = number - GATEWAYS.len();
                (home.street(street), format!("street {}", street + 1))
            }
        };
        let _broken = self.board.broken(kind, &name);
        match kind {
            Kind::Mute => network.cut(Direction::ToBroker),
            Kind::Deaf => network.cut(Direction::FromBroker),
            Kind::Refuse => network.refuse(),
            _ => {
                network.cut(Direction::ToBroker);
                network.cut(Direction::FromBroker);
            }
        }
        pass(dice.spread(50, 3_000)).await;
        network.heal();
    }

    pub(super) async fn broker(&self, kind: Kind, dice: &mut Random) {
        let home = &self.world.home;
        let _broken = self.board.broken(kind, &"");
        match kind {
            Kind::BrokerKill => home.kill_broker(),
            _ => home.stop_broker().await,
        }
        pass(dice.spread(10, 800)).await;
        home.start_broker();
    }

    pub(super) async fn flood(&self, dice: &mut Random) {
        let zone = dice.below(ZONES.len());
        let _broken = self.board.broken(Kind::Flood, &ZONES[zone]);
        let time = Duration::from_millis(dice.spread(500, 6_000));
        self.flood.strike(&self.world, zone, Instant::now() + time).await;
    }

    pub(super) async fn client(&self, people: &People, dice: &mut Random) {
        let number = dice.below(people.restarts.len());
        let _broken = self.board.broken(Kind::ClientRestart, &number);
        people.restarts[number].notify_one();
    }
}
