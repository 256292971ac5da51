//! What Paxos tells of: what changes here with it, and its words.

use paxos::Event;

use crate::consensus::agreement::Agreement;
use crate::consensus::rounds::Rounds;
use crate::consensus::words;
use crate::context::Context;
use crate::id::gateway;
use crate::ownership::duties::Duties;
use crate::ownership::grants::Grants;
use crate::ownership::lease::Lease;
use crate::ownership::peers::Peers;
use crate::ownership::zones::Zones;
use crate::requests::handler::RequestHandler;
use crate::snapshots::fetching::Fetching;
use crate::timekeeping::timekeeper::Timekeeper;
use crate::want::{Question, Want, Wants};

/// What an event of Paxos may touch.
pub(super) struct Happening<'a> {
    pub(super) ctx: &'a Context,
    pub(super) agreement: &'a Agreement,
    pub(super) rounds: &'a mut Rounds,
    pub(super) caught_up: &'a mut bool,
    pub(super) peers: &'a mut Peers,
    pub(super) lease: &'a mut Lease,
    pub(super) grants: &'a mut Grants,
    pub(super) duties: &'a mut Duties,
    pub(super) zones: &'a mut Zones,
    pub(super) requests: &'a mut RequestHandler,
    pub(super) fetching: &'a mut Fetching,
    pub(super) timekeeper: &'a mut Timekeeper,
}

impl Happening<'_> {
    pub(super) fn take(self, event: &Event, out: &mut Wants) {
        let (ctx, now) = (self.ctx, self.ctx.now.moment);
        self.rounds.happened(event, out);
        match event {
            Event::Leading { .. } => {
                self.grants.began_to_lead(now, self.agreement.last_number());
                self.requests.leadership_changed(out);
                self.duties.lead(ctx, out);
                self.timekeeper.began_to_lead(ctx);
                out.push(Want::Confirm(Question::Past));
                // Phase 1 told it what it had missed; a leader has nobody to catch up with, and is
                // not told when it has.
                *self.caught_up = true;
                self.lease.hurry();
            }
            Event::Following { .. } => {
                self.lease.hurry();
                self.requests.leadership_changed(out);
            }
            Event::CatchingUp { .. } => *self.caught_up = false,
            Event::CaughtUp => *self.caught_up = true,
            Event::SnapshotNeeded { from, missing } => {
                self.fetching.needed(ctx, self.peers, gateway(*from), *missing, out);
            }
            Event::Founded(founders) => self.peers.regroup(founders, now),
            Event::Voting { voters, .. } => {
                self.peers.regroup(voters, now);
                self.timekeeper.regroup(voters);
                self.requests.voters_changed(self.agreement, voters, out);
            }
            Event::VotersRefused { voters, why } => self.requests.voters_refused(voters, *why, out),
            Event::Refused(requests) => {
                self.grants.forget_moves(requests.iter().map(|id| (id.session, id.number)));
                self.zones.refused(requests.iter().map(|id| id.session));
            }
            _ => {}
        }
        words::tell(ctx, event, out);
    }
}
