//! Answers that wait for the report that fulfils an order.

use serde_json::Value as Json;
use wire::{Answer, Clock, NodeId, OrderNumber};

use crate::reply::Reply;
use crate::want::Wants;

/// Who wants to hear of an order only when it is fulfilled.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<Waiter>);

#[derive(Debug)]
struct Waiter {
    order: OrderOf,
    reply: Reply,
    answer: Json,
}

/// An order of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderOf {
    pub(crate) node: NodeId,
    pub(crate) number: OrderNumber,
}

/// Waiters at once. One that finds no room is answered when its order is agreed, and told so.
const WAITERS: usize = 4096;

impl Waiters {
    pub(crate) fn waiting(&self) -> usize {
        self.0.len()
    }

    /// What they wait for is in a snapshot, and nobody tells it apart there.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Answers a requester who waits for the end of an order; at its end, if that is still to be told.
    pub(crate) fn wait(
        &mut self,
        open: Option<OrderOf>,
        reply: Reply,
        mut answer: Json,
        out: &mut Wants,
    ) {
        match open {
            Some(order) if self.0.len() < WAITERS => self.0.push(Waiter { order, reply, answer }),
            _ => {
                // A repeated request whose order is over: how it ended is not kept.
                answer["fulfilled"] = if open.is_some() { false.into() } else { Json::Null };
                reply.answer(Answer::ok(answer), out);
            }
        }
    }

    /// A report fulfilled an order; or a newer one replaced it, or it expired.
    pub(crate) fn over(&mut self, order: OrderOf, fulfilled: bool, clock: Clock, out: &mut Wants) {
        for Waiter { reply, mut answer, .. } in
            self.0.extract_if(.., |waiter| waiter.order == order)
        {
            answer["fulfilled"] = fulfilled.into();
            answer["clock"] = clock.0.into();
            reply.answer(Answer::ok(answer), out);
        }
    }
}
