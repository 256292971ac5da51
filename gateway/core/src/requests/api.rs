//! The API of the site, answered by the leader. Leases outlive a leadership, so the leader asks a majority before it
//! answers.

use serde_json::{Value as Json, json};
use wire::{Answer, ApiVerb, GetRequest, MAKER_PROPERTY, Maker, PayloadError, Register};

use crate::context::Context;
use crate::event::{Delivery, Read};
use crate::house::{Refusal, StatusRow};
use crate::ownership::publications;
use crate::planted;
use crate::reply::{Reply, acknowledge, check_reply_to, refuse};
use crate::requests::local::read_history;
use crate::requests::overview::Overview;
use crate::requests::reads::{AT_ONCE, Asked, Reads, TOO_MANY};
use crate::requests::registrations::Registrations;
use crate::requests::voters::{Group, Voting};
use crate::want::{Question, Want, Wants};

/// What a request to the API may touch.
pub(crate) struct Api<'a> {
    pub(crate) overview: Overview<'a>,
    pub(crate) reads: &'a mut Reads,
    pub(crate) registrations: &'a mut Registrations,
    pub(crate) voting: &'a mut Voting,
}

/// Someone asks the API; `questions` is how many wait for a round.
pub(crate) fn asked(
    ctx: &Context,
    questions: usize,
    delivery: &Delivery,
    verb: ApiVerb,
    out: &mut Wants,
) {
    if questions >= AT_ONCE {
        return refuse(delivery, &asker(ctx, delivery), Refusal::Quota, TOO_MANY, out);
    }
    let ask = Want::Confirm(Question::Api(Box::new(delivery.clone()), verb));
    out.push(planted::rounds::api_without_a_round(ask));
}

/// The leader that was asked was deposed, or reaches no majority.
pub(crate) fn refuse_deposed(ctx: &Context, delivery: &Delivery, out: &mut Wants) {
    let me = ctx.me();
    let why = format!(
        "gateway {me} led the site, and does not any more or reaches no majority of the \
         gateways; ask again"
    );
    refuse(delivery, &asker(ctx, delivery), Refusal::Denied, why, out);
}

impl Api<'_> {
    /// Answers as the leader that this gateway was when it was asked: nobody else can have agreed on anything before.
    pub(crate) fn take(&mut self, delivery: &Delivery, verb: ApiVerb, out: &mut Wants) {
        let ctx = self.overview.ctx;
        let request = match GetRequest::parse(&delivery.payload) {
            Ok(request) => request,
            Err(error) => {
                return refuse(
                    delivery,
                    &Reply::to(delivery, None, None),
                    Refusal::Payload,
                    error,
                    out,
                );
            }
        };
        if let Err(why) = check_reply_to(ctx, delivery, request.reply_to.as_deref()) {
            return refuse(
                delivery,
                &Reply::to(delivery, None, request.id),
                Refusal::Denied,
                why,
                out,
            );
        }
        let reply = Reply::to(delivery, request.reply_to, request.id);
        match self.answer(verb, delivery, &reply, out) {
            Ok(()) => acknowledge(delivery, out),
            Err(error) => refuse(delivery, &reply, Refusal::Payload, error, out),
        }
    }

    fn answer(
        &mut self,
        verb: ApiVerb,
        delivery: &Delivery,
        reply: &Reply,
        out: &mut Wants,
    ) -> Result<(), PayloadError> {
        let Overview { ctx, agreement, peers, .. } = self.overview;
        let (to, payload) = (reply.clone(), delivery.payload.as_slice());
        match verb {
            ApiVerb::Register => {
                let register = Register::parse(payload)?;
                self.registrations.register(ctx, register, maker(delivery), to, out);
            }
            ApiVerb::Devices => self.reads.ask(Asked::Devices(to), out, Read::Everything),
            ApiVerb::Gateways => reply.answer(Answer::ok(self.overview.gateways()), out),
            ApiVerb::Zones => reply.answer(Answer::ok(self.overview.zones()), out),
            ApiVerb::Stats => reply.answer(Answer::ok(self.overview.site()), out),
            ApiVerb::History => read_history(ctx, self.reads, payload, Asked::History(to), out)?,
            ApiVerb::Log => read_history(ctx, self.reads, payload, Asked::Log(to), out)?,
            ApiVerb::Voters => {
                let group = Group { agreement, peers };
                self.voting.asked(ctx, group, payload, to, out)?;
            }
        }
        Ok(())
    }
}

/// The registration table came from the store.
pub(crate) fn tell_devices(ctx: &Context, asked: &Asked, rows: &[StatusRow], out: &mut Wants) {
    let devices = rows.iter().filter_map(|row| {
        let device = ctx.house.devices().get(&row.node)?;
        let zone = ctx.house.zones().get(&device.zone)?;
        let mut json = publications::state_message(ctx, row).to_json();
        json["zone"] = json!(device.zone);
        json["name"] = json!(device.name);
        json["class"] = json!(device.kind.class());
        json["owner"] = json!(zone.owner);
        Some(json)
    });
    let devices: Vec<Json> = devices.collect();
    asked.reply().answer(Answer::ok(json!({ "devices": devices })), out);
}

/// On whose account a broker of ours says that a request goes.
fn maker(delivery: &Delivery) -> Option<Maker> {
    let maker = delivery.properties.iter().find(|(name, _)| name == MAKER_PROPERTY);
    maker.and_then(|(_, text)| text.parse().ok())
}

/// Where a request is answered that is not looked at more closely.
fn asker(ctx: &Context, delivery: &Delivery) -> Reply {
    let common = GetRequest::parse(&delivery.payload).ok();
    let (to, id) = common.map_or((None, None), |common| (common.reply_to, common.id));
    let to = to.filter(|to| check_reply_to(ctx, delivery, Some(to)).is_ok());
    Reply::to(delivery, to, id)
}
