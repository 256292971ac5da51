//! Orders for zones that there are not. Only a report or a registration makes a zone, so a broker of ours holds an
//! order for a zone without a session and asks the leader about it.
//!
//! A zone that is only on its way to another owner is left alone: what is held for it is delivered there.

use paxos::Moment;
use wire::{
    Answer, Device, GetRequest, Knock, REPORT, Report, SET, SetRequest, Stamp, Turned, Zone,
};

use crate::context::Context;
use crate::event::{Delivery, Effect, Session};
use crate::house::Refusal;
use crate::planted;
use crate::reply::{Reply, acknowledge, check_reply_to, finish};
use crate::want::{Knocks, Question, Refused, Want, Wants};

/// Zones that are asked about at once. 1,024: as many as a broker of ours holds something for by default. Whatever
/// finds no room is announced again.
const ZONES: usize = 1024;

/// What the leader was asked about and has not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Door {
    knocks: Knocks,
    /// Up to where a broker holds reports for zones that there are not, of those who would make them.
    reports: Knocks,
    /// When Paxos was asked last whether this gateway leads.
    asked: Option<Moment>,
}

impl Door {
    pub(crate) fn waiting(&self) -> usize {
        self.knocks.len() + self.reports.len()
    }

    /// A broker holds orders for a zone that has no session, and no report.
    pub(crate) fn knock(&mut self, ctx: &Context, zone: Zone, up_to: Stamp) {
        if ctx.leads && is_refused(ctx, &zone) && self.knocks.len() < ZONES {
            self.knocks.insert(zone, up_to);
        }
    }

    /// A broker holds a report for a zone that has no session.
    pub(crate) fn note_report(&mut self, ctx: &Context, zone: &Zone, up_to: Option<Stamp>) {
        let room = self.reports.len() < ZONES || self.reports.contains_key(zone);
        if let Some(up_to) = up_to.filter(|_| ctx.leads && is_unknown(ctx, zone) && room) {
            self.reports.insert(zone.clone(), up_to);
        }
    }

    /// It is agreed that there is a zone, or that its maker may make no more.
    pub(crate) fn made(&mut self, ctx: &Context, zone: &Zone, refused: bool, out: &mut Wants) {
        if let Some(up_to) = self.reports.remove(zone).filter(|_| refused) {
            let knock = Knock { up_to, zone: zone.as_str().to_owned() };
            tell(ctx, &Turned { verb: REPORT.to_owned(), knock }, out);
        }
    }

    /// Asks Paxos whether this gateway leads still: another one may know the zones. One question is about all of them.
    pub(crate) fn chores(&mut self, ctx: &Context, out: &mut Wants) {
        let (now, again) = (ctx.now.moment, ctx.settings.timing.resend);
        if !ctx.leads {
            *self = Self::default();
        } else if !self.knocks.is_empty() && self.asked.is_none_or(|at| now >= at + again) {
            self.asked = Some(now);
            out.push(Want::Confirm(Question::Knocks(core::mem::take(&mut self.knocks))));
        }
    }

    /// Paxos says whether this gateway led when it asked. What it does not know then, nobody does.
    pub(crate) fn confirmed(
        &mut self,
        ctx: &Context,
        knocks: Knocks,
        leads: bool,
        out: &mut Wants,
    ) {
        self.asked = None;
        for (zone, up_to) in knocks {
            if leads && is_refused(ctx, &zone) {
                let knock = Knock { up_to, zone: zone.as_str().to_owned() };
                tell(ctx, &Turned { verb: SET.to_owned(), knock }, out);
            }
        }
    }
}

fn is_refused(ctx: &Context, zone: &Zone) -> bool {
    planted::knocks::known_zone_refused(is_unknown(ctx, zone))
}

fn is_unknown(ctx: &Context, zone: &Zone) -> bool {
    !ctx.house.zones().contains_key(zone)
}

/// Tells the broker what is refused. Nothing waits for that to arrive: the broker asks again.
fn tell(ctx: &Context, turned: &Turned, out: &mut Wants) {
    out.effect(Effect::Publish {
        session: Session::Site,
        topic: ctx.topics.refuse(),
        payload: turned.to_string().into_bytes(),
        at_least_once: false,
        retain: false,
        correlation: None,
        expires: None,
    });
}

/// An order that the broker has refused on the leader's word: who gave it is told.
pub(crate) fn turned_away(
    ctx: &Context,
    delivery: &Delivery,
    zone: &Zone,
    device: &Device,
    out: &mut Wants,
) {
    let (named, id) = SetRequest::parse(&delivery.payload)
        .map_or((None, None), |request| (request.reply_to, request.id));
    let named = named.filter(|topic| check_reply_to(ctx, delivery, Some(topic)).is_ok());
    let why = nowhere(zone, device);
    Reply::to(delivery, named, id).answer(Answer::error(&why), out);
    // All such topics share a line of the log: whoever makes names up writes one a minute.
    out.push(Want::Refused(Refused { topic: "orders to unknown zones".to_owned(), why }));
    finish(delivery, Some(Refusal::Unknown), out);
}

/// A report that the broker has refused on the leader's word: its sender may make no zone more.
pub(crate) fn no_room(delivery: &Delivery, zone: &Zone, out: &mut Wants) {
    let id = Report::parse(&delivery.payload).ok().and_then(|report| report.id);
    let why =
        format!("zone {zone} is not made: its maker has as many as broker.limits.zones allows");
    Reply::to(delivery, None, id).answer(Answer::error(&why), out);
    out.push(Want::Refused(Refused { topic: "reports that would make a zone".to_owned(), why }));
    finish(delivery, Some(Refusal::Quota), out);
}

/// A query of a zone that nobody owns reaches the leader alone; one that is owned is its owner's business.
pub(crate) fn query_nowhere(
    ctx: &Context,
    delivery: &Delivery,
    zone: &Zone,
    device: &Device,
    out: &mut Wants,
) {
    if is_unknown(ctx, zone) {
        let (named, id) = GetRequest::parse(&delivery.payload)
            .map_or((None, None), |request| (request.reply_to, request.id));
        let named = named.filter(|topic| check_reply_to(ctx, delivery, Some(topic)).is_ok());
        Reply::to(delivery, named, id).answer(Answer::error(nowhere(zone, device)), out);
    }
    acknowledge(delivery, out);
}

fn nowhere(zone: &Zone, device: &Device) -> String {
    format!(
        "no device {zone}/{device} is registered, and there is no zone {zone}: the first report of a device, or \
         api/register, makes one"
    )
}
