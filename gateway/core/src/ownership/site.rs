//! The session for the API. The leader, and nobody else, holds it.

use paxos::Moment;

use wire::Epoch;

use crate::context::Context;
use crate::event::{Effect, Session};
use crate::id::Generation;
use crate::want::{Question, Want, Wants};

/// The site session of this gateway.
#[derive(Debug, Default)]
pub(crate) struct Site {
    stage: Stage,
    /// Of the last opening.
    generation: Generation,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Closed,
    /// Since this moment Paxos is asked whether this gateway leads still.
    Confirming(Moment),
    Opening,
    Open,
}

impl Site {
    pub(crate) fn is_current(&self, generation: Generation) -> bool {
        self.stage == Stage::Open && self.generation == generation
    }

    /// Opens the session of a leader and closes that of another gateway.
    pub(crate) fn chores(&mut self, ctx: &Context, out: &mut Wants) {
        let (leads, now) = (ctx.leads, ctx.now.moment);
        let again = ctx.settings.timing.resend;
        match self.stage {
            Stage::Closed if leads => self.ask(now, out),
            Stage::Confirming(asked) if leads && now >= asked + again => self.ask(now, out),
            Stage::Confirming(_) if !leads => self.stage = Stage::Closed,
            Stage::Opening | Stage::Open if !leads => {
                self.stage = Stage::Closed;
                out.effect(Effect::Close { session: Session::Site });
            }
            _ => {}
        }
    }

    /// Paxos says whether this gateway led when it was asked.
    pub(crate) fn confirmed(&mut self, leads: bool, out: &mut Wants) {
        if leads && matches!(self.stage, Stage::Confirming(_)) {
            self.generation = self.generation.next();
            self.stage = Stage::Opening;
            let generation = self.generation;
            out.effect(Effect::Open { session: Session::Site, generation, epoch: Epoch(0) });
        }
    }

    pub(crate) fn up(&mut self, generation: Generation) {
        if self.stage == Stage::Opening && self.generation == generation {
            self.stage = Stage::Open;
        }
    }

    pub(crate) fn down(&mut self, generation: Generation) {
        let opened = matches!(self.stage, Stage::Opening | Stage::Open);
        if opened && self.generation == generation {
            self.stage = Stage::Closed;
        }
    }

    fn ask(&mut self, now: Moment, out: &mut Wants) {
        self.stage = Stage::Confirming(now);
        out.push(Want::Confirm(Question::Site));
    }
}
