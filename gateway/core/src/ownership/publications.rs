//! What an owner publishes on its zones' sessions.

use wire::{Device, NodeId, StateMessage, Zone, ZoneVerb};

use crate::command::TimerName;
use crate::context::Context;
use crate::event::{Effect, Session};
use crate::house::StatusRow;
use crate::ownership::zones::Zones;
use crate::planted;
use crate::want::Wants;

/// Publishes the state of a device, as it is in the tables.
pub(crate) fn state(ctx: &Context, zone: &Zone, device: &Device, row: &StatusRow, out: &mut Wants) {
    out.effect(Effect::Publish {
        session: Session::Zone(zone.clone()),
        topic: ctx.topics.device(zone, device, ZoneVerb::State),
        payload: state_message(ctx, row).to_json().to_string().into_bytes(),
        at_least_once: true,
        retain: true,
        correlation: None,
        expires: None,
    });
}

/// What a gateway tells of a row of its tables.
pub(crate) fn state_message(ctx: &Context, row: &StatusRow) -> StateMessage {
    StateMessage {
        kind: ctx.house.kind(row.node),
        state: row.state.clone(),
        desired: row.desired.clone(),
        seq: row.seq,
        time: row.time,
        node: row.node,
        clock: row.clock,
        owner: ctx.me(),
    }
}

/// Sends a device its open order, unless the order's time is over, or the device is known to be away: then it
/// waits. What a broker keeps for a device that has gone without a word does not outlive the order's time.
pub(crate) fn command(ctx: &Context, zones: &Zones, zone: &Zone, node: NodeId, out: &mut Wants) {
    let Some(order) = ctx.house.orders().get(&node) else { return };
    let Some(device) = ctx.house.devices().get(&node) else { return };
    let left = left_of(ctx, node);
    let over = planted::timekeeping::late_order_sent(left == Some(0));
    if !zones.owns(zone) || zones.is_away(zone, &device.name) || over {
        return;
    }
    let (state, clock) = (order.state.clone(), order.clock);
    let command = wire::Command { order: order.number, state, clock };
    let payload = command.to_json(device.kind).to_string().into_bytes();
    // Whole seconds are all that a broker knows.
    let expires = left.map(|left| u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX));
    out.effect(to_device(ctx, zone, &device.name, payload, expires));
}

/// Milliseconds that are left of the time of a device's order, if it has an end. At 0 the leader is about to say so.
fn left_of(ctx: &Context, node: NodeId) -> Option<u64> {
    let timer = ctx.house.timers().get(&TimerName::DropOrder(node))?;
    Some(timer.due.0.saturating_sub(ctx.elapsed.time.0))
}

/// A zone's session is up: everyone is told its states anew, and its devices their orders.
pub(crate) fn everything(
    ctx: &Context,
    zones: &Zones,
    zone: &Zone,
    rows: &[StatusRow],
    out: &mut Wants,
) {
    if !zones.owns(zone) {
        return;
    }
    for row in rows {
        let Some(device) = ctx.house.devices().get(&row.node) else { continue };
        let name = &device.name;
        out.say(ctx, || format!("Reconfiguring the Device {name}."));
        if planted::publications::states_not_published_again(true) {
            state(ctx, zone, name, row, out);
        }
        if planted::publications::orders_not_sent_again(true) {
            command(ctx, zones, zone, row.node, out);
        }
    }
}

/// Asks a device to report.
pub(crate) fn ask_for_report(ctx: &Context, zone: &Zone, device: &Device, out: &mut Wants) {
    out.effect(to_device(ctx, zone, device, wire::Command::REPORT.to_vec(), None));
}

fn to_device(
    ctx: &Context,
    zone: &Zone,
    device: &Device,
    payload: Vec<u8>,
    expires: Option<u32>,
) -> Effect {
    Effect::Publish {
        session: Session::Zone(zone.clone()),
        topic: ctx.topics.device(zone, device, ZoneVerb::Command),
        payload,
        at_least_once: true,
        retain: false,
        correlation: None,
        expires,
    }
}
