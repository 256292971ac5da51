//! Which program a gateway runs: in some homes a few begin with an older one, and get the present one when they are
//! started again.

use gateway_core::version::{NEWEST, OURS};
use wire::{GatewayId, Version, Versions};

use super::broker::Life;
use super::world::{Event, World};
use crate::dice::Dice;
use crate::verdict::broken;

/// A program that announces nothing.
const OLDEST: Versions = Versions { oldest: Version::FIRST, newest: Version::FIRST };

impl World {
    /// Draws who runs an older program, and for how many lives.
    pub(crate) fn draw_programs(&mut self, seed: u64) {
        // Dice of its own, so that what else a seed draws does not depend on this.
        let mut dice = Dice::new(!seed);
        if !dice.chance(30) {
            return;
        }
        self.summary.home.upgrades += 1;
        for node in self.nodes.values_mut() {
            node.older_lives = if dice.chance(50) { dice.between(1, 3) } else { 0 };
        }
    }

    /// A gateway whose program is too old for the site stops, and its operator gives it another program. That never
    /// happens to one that votes.
    pub(crate) fn stops(&mut self, life: Life, why: String) {
        let node = self.node(life.0);
        let votes = node.core.as_ref().is_some_and(gateway_core::Gateway::votes);
        if votes || node.settings.versions == OURS {
            broken("no gateway stops by itself", why);
        }
        node.older_lives = 0;
        self.after(0, Event::Die(life));
    }

    /// One that follows without a vote may only say so, again and again.
    pub(crate) fn reads_what_it_says(&mut self, life: Life, words: String) {
        if words.contains("use the program that the other gateways run") {
            self.stops(life, words);
        }
    }

    /// A gateway of an older program gets no vote in a site that has been raised, and its operator is told to give it
    /// the present program.
    pub(crate) fn upgrade(&mut self, id: GatewayId) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.settings.versions != OURS)
        else {
            return;
        };
        node.older_lives = 0;
        if node.core.is_some() {
            let life = node.life();
            self.after(0, Event::Die(life));
        }
    }

    /// What everybody understands is used.
    pub(crate) fn is_raised(&self) -> bool {
        let newest = self.nodes.values().map(|node| node.settings.versions.newest).min();
        let cores = self.nodes.values().filter_map(|node| node.core.as_ref());
        let everybody_votes = cores.clone().all(gateway_core::Gateway::votes);
        !everybody_votes
            || cores.into_iter().all(|core| {
                Some(core.house().counters().version) == newest.map(|newest| newest.min(NEWEST))
            })
    }
}

/// The program of a life.
pub(super) fn versions(older_lives: &mut u64) -> Versions {
    let older = *older_lives > 0;
    *older_lives = older_lives.saturating_sub(1);
    if older { OLDEST } else { OURS }
}
