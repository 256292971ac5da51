//! How a gateway begins.

use paxos::Moment;
use wire::Topics;

use super::Gateway;
use crate::after_commit::unsettled::Unsettled;
use crate::consensus::agreement::Agreement;
use crate::consensus::damage::Damage;
use crate::consensus::digests::Digests;
use crate::consensus::generations::Generations;
use crate::consensus::lone::Lone;
use crate::consensus::rounds::Rounds;
use crate::consensus::standing::Standing;
use crate::context::Context;
use crate::event::Now;
use crate::house::House;
use crate::ownership::cache::Cache;
use crate::ownership::duties::Duties;
use crate::ownership::grants::Grants;
use crate::ownership::heartbeat::Beats;
use crate::ownership::lease::Lease;
use crate::ownership::peers::Peers;
use crate::ownership::site::Site;
use crate::ownership::zones::Zones;
use crate::requests::handler::RequestHandler;
use crate::requests::knocks::Door;
use crate::requests::refusals::Refusals;
use crate::settings::Settings;
use crate::snapshots::fetching::Fetching;
use crate::snapshots::giving::Giving;
use crate::timekeeping::timekeeper::Timekeeper;

impl Gateway {
    /// A gateway that starts from what its disk holds.
    ///
    /// # Errors
    /// When the settings cannot make a Paxos group; the text says why.
    pub fn new(
        settings: Settings,
        mut house: House,
        recovered: paxos::Recovered,
        now: Now,
    ) -> Result<Self, paxos::ConfigError> {
        let applied = recovered.applied;
        house.remember_within(settings.memory);
        let agreement = Agreement::new(&settings, recovered, now.moment)?;
        let mut peers = Peers::new(&settings, now.moment);
        let standing = Standing::new(&settings);
        let timekeeper = Timekeeper::new(&house, now);
        if !agreement.is_blank() {
            peers.regroup(agreement.voters(), now.moment);
        }
        Ok(Self {
            clock: house.counters().clock,
            started: now.moment,
            chores: Moment::default(),
            damage: Damage::default(),
            lone: Lone::default(),
            standing,
            generations: Generations::default(),
            rounds: Rounds::default(),
            digests: Digests::new(settings.id),
            caught_up: true,
            peers,
            beats: Beats::default(),
            lease: Lease::default(),
            grants: Grants::new(agreement.session()),
            duties: Duties::default(),
            zones: Zones::default(),
            site: Site::default(),
            door: Door::default(),
            cache: Cache::new(settings.cache),
            requests: RequestHandler::default(),
            refusals: Refusals::default(),
            unsettled: Unsettled::default(),
            fetching: Fetching::default(),
            giving: Giving::default(),
            ctx: Context {
                topics: Topics::new(settings.site.clone()),
                now,
                elapsed: timekeeper.elapsed(&house, now.moment),
                house,
                applied,
                leader: agreement.leader(),
                leads: agreement.leads(),
                settings,
            },
            agreement,
            timekeeper,
        })
    }
}
