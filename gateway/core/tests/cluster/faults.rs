//! What goes wrong: crashes, cuts, and gateways that do not hear each other.

use gateway_core::Input;
use gateway_core::event::Session;
use wire::{GatewayId, Heartbeat, Liveness};

use crate::world::{Event, MS, World};

/// How long broker and gateway take to notice a dead connection.
const KEEPALIVE: u64 = 200 * MS;

impl World {
    pub(crate) fn start(&mut self, id: u8) {
        self.trace(|| format!("-- start {id}"));
        let now = self.now;
        let node = self.nodes.get_mut(&GatewayId(id)).expect("a gateway of this world");
        assert!(node.core.is_none(), "gateway {id} runs already");
        node.start(now);
        let life = node.life();
        self.soon(Event::Input(life, Input::Links { up: true }));
        self.input(life, Input::Tick);
    }

    /// The process dies; the broker sees its connections close and publishes its will.
    pub(crate) fn kill(&mut self, id: u8) {
        self.trace(|| format!("-- kill {id}"));
        let node = self.nodes.get_mut(&GatewayId(id)).expect("a gateway of this world");
        let life = node.life();
        node.stop();
        self.broker.lose(life);
        self.will(life);
    }

    /// Cuts a gateway off from broker and gateways; nobody notices at once.
    pub(crate) fn cut(&mut self, id: u8) {
        self.trace(|| format!("-- cut {id}"));
        let now = self.now;
        let node = self.nodes.get_mut(&GatewayId(id)).expect("a gateway of this world");
        node.cut = Some(now);
        self.at(now + KEEPALIVE, Event::Notice(GatewayId(id), now));
    }

    pub(crate) fn heal(&mut self, id: u8) {
        self.trace(|| format!("-- heal {id}"));
        let id = GatewayId(id);
        let Some(cut) = self.nodes[&id].cut else { return };
        // Connections that lost something are not used any more.
        self.notice(id, cut);
        let node = self.nodes.get_mut(&id).expect("a gateway of this world");
        node.cut = None;
        let life = node.life();
        self.soon(Event::Input(life, Input::Links { up: true }));
    }

    /// Two gateways stop hearing each other; both stay connected to the broker.
    pub(crate) fn part(&mut self, a: u8, b: u8) {
        self.trace(|| format!("-- part {a} {b}"));
        self.parted.insert((GatewayId(a.min(b)), GatewayId(a.max(b))));
    }

    /// Its own connection dies, that of Paxos too, and the broker says so; its zones' sessions live.
    pub(crate) fn mute(&mut self, id: u8) {
        self.muted.insert(GatewayId(id));
        let life = self.nodes[&GatewayId(id)].life();
        self.will(life);
    }

    /// One session's connection breaks, and both sides notice.
    pub(crate) fn break_session(&mut self, id: u8, session: &Session) {
        self.trace(|| format!("-- {id} loses {session:?}"));
        let node = self.nodes.get_mut(&GatewayId(id)).expect("a gateway of this world");
        let life = node.life();
        let Some((generation, _)) = node.sessions.remove(session) else { return };
        self.broker.lose_session(session);
        self.input(life, Input::Down { session: session.clone(), generation });
    }

    pub(crate) fn notice(&mut self, id: GatewayId, cut: u64) {
        let node = self.nodes.get_mut(&id).expect("a gateway of this world");
        if node.cut != Some(cut) {
            return;
        }
        let life = node.life();
        let sessions = core::mem::take(&mut node.sessions);
        self.broker.lose(life);
        self.will(life);
        self.input(life, Input::Links { up: false });
        for (session, (generation, _)) in sessions {
            self.input(life, Input::Down { session, generation });
        }
    }

    fn will(&mut self, (id, incarnation): (GatewayId, u64)) {
        let will = Heartbeat::bare(Liveness::Dead, id, incarnation);
        self.broadcast(Some(id), || Input::Heartbeat(will));
    }
}
