//! Connections that break while their processes live: those of its zones, or all others.

use gateway_core::Input;
use gateway_core::event::Session;
use wire::GatewayId;

use super::broker::Life;
use super::world::{Event, MS, World};

impl World {
    /// The connections of its zones break. It opens them again, and perhaps nobody hears it by then.
    pub(crate) fn reopen(&mut self, id: GatewayId) {
        let node = &self.nodes[&id];
        if node.paused || node.cut.is_some() {
            return;
        }
        let sessions: Vec<_> = node.sessions.keys().cloned().collect();
        for session in sessions.iter().filter(|session| **session != Session::Site) {
            self.break_session(id, session);
        }
        if self.dice.chance(50) {
            let soon = self.dice.between(1, 20 * self.plan.network.delay);
            self.after(soon, Event::Mute(self.nodes[&id].life()));
        }
    }

    /// One session's connection breaks, and both sides notice.
    pub(crate) fn break_session(&mut self, id: GatewayId, session: &Session) {
        let node = self.node(id);
        let life = node.life();
        let Some((generation, _)) = node.sessions.remove(session) else { return };
        self.broker.lose_session(session, life, generation);
        self.input(life, Input::Down { session: session.clone(), generation });
    }

    /// Its own connection is dead for a while; it notices late or never.
    pub(crate) fn mute_for_a_while(&mut self, id: GatewayId) {
        // Half of the time it is the leader, which may own zones too.
        let leader = self.leader().filter(|_| self.dice.chance(50));
        self.mute_this_one(leader.map_or(id, GatewayId));
    }

    pub(crate) fn mute_this_one(&mut self, id: GatewayId) {
        if self.nodes[&id].core.is_none() || self.nodes[&id].cut.is_some() || self.calm {
            return;
        }
        self.summary.home.mutes += 1;
        self.mute(id.0);
        let life = self.nodes[&id].life();
        let (short, long) = (self.dice.tail(10_000, 500_000), self.dice.between(200, 2000) * MS);
        let length = if self.dice.chance(40) { short } else { long };
        let noticed = self.dice.tail(10_000, 2_000_000);
        if noticed < length {
            self.after(noticed, Event::NoticeMute(life));
        }
        self.after(length, Event::Unmute(life));
    }

    pub(crate) fn notice_mute(&mut self, life: Life) {
        if self.muted.contains(&life.0) {
            self.after(0, Event::Input(life, Input::Links { up: false }));
        }
    }

    pub(crate) fn unmute(&mut self, life: Life) {
        let node = &self.nodes[&life.0];
        let connected = node.cut.is_none();
        // That of an earlier life ended with it.
        if node.is(life) && self.muted.remove(&life.0) && connected {
            // A connection that lost something is not used any more.
            self.after(0, Event::Input(life, Input::Links { up: false }));
            self.soon(Event::Input(life, Input::Links { up: true }));
        }
    }

    /// Its own connection dies, that of Paxos too, and the broker says so; its zones' sessions live.
    pub(crate) fn mute(&mut self, id: u8) {
        self.muted.insert(GatewayId(id));
        let life = self.nodes[&GatewayId(id)].life();
        self.will(life);
    }
}
