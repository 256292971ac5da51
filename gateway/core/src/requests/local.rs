//! What any gateway answers for itself, from its own copy, leader or not.

use serde_json::{Value as Json, json};
use wire::{Answer, GatewayVerb, LocalGet, NodeId, PayloadError, Seq};

use crate::context::Context;
use crate::event::{Delivery, HistoryRow, Read};
use crate::house::{Refusal, StatusRow};
use crate::ownership::publications;
use crate::reply::{Reply, refuse};
use crate::requests::overview::Overview;
use crate::requests::reads::{Asked, Reads};
use crate::survey::Survey;
use crate::want::Wants;

/// Most rows that one answer carries: about 200 bytes each, so far below a packet's 1 MiB.
const ROWS: u64 = 1000;

/// What a local request may touch.
pub(crate) struct Local<'a> {
    pub(crate) overview: Overview<'a>,
    pub(crate) reads: &'a mut Reads,
}

impl Local<'_> {
    pub(crate) fn take(&mut self, delivery: &Delivery, verb: GatewayVerb, out: &mut Wants) {
        let ctx = self.overview.ctx;
        let reply = Reply::to(delivery, None, None);
        let done = match verb {
            GatewayVerb::Get => self.get(&delivery.payload, reply.clone(), out),
            GatewayVerb::Stats => {
                reply.answer(Answer::ok(self.overview.own()), out);
                Ok(())
            }
            GatewayVerb::Log => {
                read_history(ctx, self.reads, &delivery.payload, Asked::Log(reply.clone()), out)
            }
            GatewayVerb::Lead => {
                reply.answer(Answer::ok(json!({})), out);
                out.agree(paxos::Input::Campaign);
                Ok(())
            }
            GatewayVerb::Verify => Survey::parse(&delivery.payload)
                .map(|survey| self.reads.survey(reply.clone(), survey, out)),
            GatewayVerb::Status => Ok(()),
        };
        if let Err(error) = done {
            refuse(delivery, &reply, Refusal::Payload, error, out);
        }
    }

    fn get(&mut self, payload: &[u8], reply: Reply, out: &mut Wants) -> Result<(), PayloadError> {
        let LocalGet { zone, device } = LocalGet::parse(payload)?;
        match self.overview.ctx.house.node(&zone, &device) {
            Some(node) => {
                self.reads.ask(Asked::Local(reply), out, |ticket| Read::Status(node, ticket));
            }
            None => {
                let why = format!("no device {zone}/{device} is registered here");
                reply.answer(Answer::error(why), out);
            }
        }
        Ok(())
    }
}

/// One device's row came from the table.
pub(crate) fn tell_row(ctx: &Context, reply: &Reply, row: &StatusRow, out: &mut Wants) {
    let mut json = publications::state_message(ctx, row).to_json();
    json["local"] = true.into();
    json["gateway"] = ctx.me().0.into();
    let device = ctx.house.devices().get(&row.node);
    let zone = device.and_then(|device| ctx.house.zones().get(&device.zone));
    json["owner"] = json!(zone.map(|zone| zone.owner));
    reply.answer(Answer::ok(json), out);
}

/// Reads agreed changes for someone.
pub(crate) fn read_history(
    ctx: &Context,
    reads: &mut Reads,
    payload: &[u8],
    asked: Asked,
    out: &mut Wants,
) -> Result<(), PayloadError> {
    let one_device = !member(payload, "device").is_null();
    let device = one_device.then(|| LocalGet::parse(payload)).transpose()?;
    // A number that no device has: an unknown device has no history.
    let number = |of: LocalGet| ctx.house.node(&of.zone, &of.device).unwrap_or(NodeId(0));
    let node = device.map(number);
    let from = member(payload, "from").as_u64().map(Seq);
    let limit = member(payload, "limit").as_u64().unwrap_or(100).min(ROWS) as u32;
    reads.ask(asked, out, |ticket| Read::History { node, from, limit, ticket });
    Ok(())
}

/// The agreed changes came from the table.
pub(crate) fn tell_history(ctx: &Context, asked: &Asked, rows: &[HistoryRow], out: &mut Wants) {
    let json = match asked {
        Asked::Log(_) => {
            json!({"log": rows.iter().map(|row| line(ctx, row)).collect::<Vec<_>>()})
        }
        _ => json!({"history": rows.iter().map(|row| change(ctx, row)).collect::<Vec<_>>()}),
    };
    asked.reply().answer(Answer::ok(json), out);
}

/// A line of the numbered event log.
fn line(ctx: &Context, row: &HistoryRow) -> Json {
    let name = ctx.house.devices().get(&row.node).map(|device| &device.name);
    let kind = ctx.house.kind(row.node);
    let mut json = json!({
        "seq": row.seq, "node": row.node, "name": name, "kind": kind.name(),
        "register": row.register, "state": row.state.to_json(),
    });
    kind.add_value(&row.state, &mut json);
    json
}

/// Everything that history keeps of a change.
fn change(ctx: &Context, row: &HistoryRow) -> Json {
    let mut json = line(ctx, row);
    json["zone"] = json!(ctx.house.devices().get(&row.node).map(|device| &device.zone));
    json["time"] = json!(row.time);
    json["order"] = json!(row.ordered);
    json["clock"] = json!(row.clock);
    json["owner"] = json!(row.owner);
    json["note"] = json!(row.note);
    json
}

/// A member of a payload that may be no JSON at all.
fn member(payload: &[u8], name: &str) -> Json {
    serde_json::from_slice::<Json>(payload).map_or(Json::Null, |mut json| json[name].take())
}
