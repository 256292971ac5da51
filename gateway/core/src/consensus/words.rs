//! What happens in the agreement, told to the operator. Nothing is decided here.

use paxos::Event;

use crate::context::Context;
use crate::id::gateway;
use crate::want::Wants;

/// Tells of an event that an operator must know.
pub(crate) fn tell(ctx: &Context, event: &Event, out: &mut Wants) {
    let me = ctx.me();
    out.tell(match event {
        Event::Leading { .. } => format!("Gateway {me} leads."),
        Event::Following { leader, .. } => format!("Gateway {me} follows gateway {leader}."),
        Event::CatchingUp { from, to } => {
            let (from, to) = (from.0, to.0);
            format!("Gateway {me} is catching up: slots {from} to {to}.")
        }
        Event::CaughtUp => format!("Gateway {me} has caught up."),
        Event::Founded(founders) => format!("Gateways {founders} found the site."),
        Event::Awaiting(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
            let numbers = numbers.join(", ");
            format!(
                "Gateway {me} waits for gateways {numbers}: a new site begins when all of its gateways are there."
            )
        }
        Event::Voting { voters, .. } => format!("Gateways {voters} vote now."),
        Event::Contradicted { by, .. } => {
            let by = gateway(*by);
            format!(
                "Gateway {me} does not believe gateway {by}: {event}. Somebody else sends in its name, or one of \
                 the two files is damaged: compare them with `hearth dump history`."
            )
        }
        _ => return,
    });
}
