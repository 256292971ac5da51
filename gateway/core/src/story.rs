//! The words in which a gateway tells what it does for the home.

use std::time::Duration;

use wire::{Class, Kind, NodeId, State, visible};

use crate::command::Offset;
use crate::context::Context;
use crate::house::{Note, StatusRow};
use crate::want::Wants;

/// The seed's line for what goes to the database.
pub(crate) fn say_stored(ctx: &Context, row: &StatusRow, out: &mut Wants) {
    out.say(ctx, || {
        let name = ctx.house.devices().get(&row.node).map_or("?", |row| row.name.as_str());
        let kind = ctx.house.kind(row.node);
        let told = |state| value_or_text(kind, state);
        let state = row.state.as_ref().map_or("unknown".to_owned(), told);
        format!(
            "Sending to the backend : node ID is {} , Sensor/Device name is {name} , \
             current state is {state}",
            row.node
        )
    });
}

/// The registration tables of this gateway.
pub(crate) fn say_tables(ctx: &Context, out: &mut Wants) {
    out.say(ctx, || {
        let me = ctx.me();
        let devices: Vec<_> = ctx.house.devices_at(me).collect();
        let types: Vec<(&str, Class)> =
            devices.iter().map(|(_, row)| (row.name.as_str(), row.kind.class())).collect();
        let ids: Vec<(&str, NodeId)> =
            devices.iter().map(|(node, row)| (row.name.as_str(), *node)).collect();
        format!("Gateway {me} serves {} and {}", table(&types, true), table(&ids, false))
    });
}

/// What the proposer of an entry tells of it.
pub(crate) fn tell_note(note: &Note, out: &mut Wants) {
    match note {
        Note::Joined(id, again) => {
            let back = if *again { "is back" } else { "joined" };
            out.tell(format!("Gateway {id} {back}."));
        }
        Note::Died(id, devices) => {
            let devices: Vec<_> = devices.iter().map(|(d, n)| (d.as_str(), *n)).collect();
            let devices = table(&devices, false);
            out.tell(format!("Devices connected to Failed replica are {devices}"));
            out.tell(format!("GATEWAY-{id} FAILED. INITIATE FAILURE RECOVERY."));
        }
        other => {
            if let Some(text) = other.text() {
                out.tell(text.to_owned());
            }
        }
    }
}

/// That the time of day is corrected.
pub(crate) fn corrected(Offset(before): Offset, Offset(after): Offset) -> String {
    let by = Duration::from_millis(before.abs_diff(after));
    let way = if after > before { "forward" } else { "back" };
    format!("The home's time of day goes {way} by {by:?}: to the median of the voters' clocks.")
}

/// The seed told states as numbers.
pub(crate) fn value_or_text(kind: Kind, state: &State) -> String {
    kind.value(state).map_or_else(|| visible(state.as_str()).to_string(), |value| value.to_string())
}

/// A table in the seed's form: `{'doorSensor': 4, 'tempSensor': 2}`.
fn table<V: core::fmt::Display>(rows: &[(&str, V)], quoted: bool) -> String {
    let quote = if quoted { "'" } else { "" };
    let rows: Vec<String> =
        rows.iter().map(|(name, value)| format!("'{name}': {quote}{value}{quote}")).collect();
    format!("{{{}}}", rows.join(", "))
}
