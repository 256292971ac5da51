//! Answers that wait: for the report that fulfils an order, or for a registration.

use serde_json::Value as Json;
use wire::{Answer, NodeId, OrderNumber};

use crate::gateway::Gateway;
use crate::house::Verdict;
use crate::ownership::zones::Flight;
use crate::requests::reply::Reply;
use crate::step::Step;

/// Someone who wants to hear of an order only when it is fulfilled.
#[derive(Debug)]
pub(crate) struct Waiter {
    node: NodeId,
    order: OrderNumber,
    reply: Reply,
    answer: Json,
}

/// Waiters at once. One that finds no room is answered when its order is agreed, and told so.
const WAITERS: usize = 4096;

impl Gateway {
    pub(crate) fn answer_order(
        &mut self,
        flight: Flight,
        node: NodeId,
        order: Option<OrderNumber>,
        mut answer: Json,
        out: &mut Step,
    ) {
        let open = order.filter(|order| self.is_open(node, *order));
        match open {
            Some(order) if flight.wait_for_state && self.waiters.len() < WAITERS => {
                self.waiters.push(Waiter { node, order, reply: flight.reply, answer });
            }
            _ => {
                if flight.wait_for_state {
                    // A repeated request whose order is over: how it ended is not kept.
                    answer["fulfilled"] = if open.is_some() { false.into() } else { Json::Null };
                }
                self.answer(&flight.reply, Answer::ok(answer), out);
            }
        }
    }

    /// Whether the end of an order is still to be told; the house may be ahead of the tables.
    fn is_open(&self, node: NodeId, order: OrderNumber) -> bool {
        self.house.orders().get(&node).is_some_and(|open| open.number == order)
            || self.unsettled.iter().any(|next| {
                let over = next.outcome.closed.iter().chain(&next.outcome.dropped);
                over.into_iter().any(|end| *end == (node, order))
            })
    }

    /// A report fulfilled an order; or a newer one replaced it, or it expired.
    pub(crate) fn order_over(
        &mut self,
        node: NodeId,
        order: OrderNumber,
        fulfilled: bool,
        out: &mut Step,
    ) {
        let over = |waiter: &mut Waiter| waiter.node == node && waiter.order == order;
        let waiters: Vec<Waiter> = self.waiters.extract_if(.., over).collect();
        for Waiter { reply, mut answer, .. } in waiters {
            answer["fulfilled"] = fulfilled.into();
            answer["clock"] = self.clock.0.into();
            self.answer(&reply, Answer::ok(answer), out);
        }
    }

    pub(crate) fn answer_registration(&mut self, tag: u64, verdict: &Verdict, out: &mut Step) {
        let Some((register, reply)) = self.duties.registrations.remove(&tag) else { return };
        let owner = self.house.zones().get(&register.zone).map(|row| row.owner);
        let answer = match verdict {
            Verdict::Done { node, again, .. } => Answer::ok(serde_json::json!({
                "node": node, "zone": register.zone, "name": register.device,
                "owner": owner, "known": again,
            })),
            Verdict::Refused(why) => Answer::error(why),
            Verdict::Nothing | Verdict::Fenced => Answer::error("the registration was not agreed"),
        };
        self.answer(&reply, answer, out);
    }
}
