//! What is to happen when: the heart of virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events in the order of their times; those of one time in the order in which they were added.
pub(crate) struct Queue<T> {
    /// Time, running number, and where the event lies.
    order: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<T>>,
    free: Vec<usize>,
    count: u64,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { order: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), count: 0 }
    }

    pub(crate) fn add(&mut self, at: u64, event: T) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        self.count += 1;
        self.order.push(Reverse((at, self.count, place)));
    }

    /// The next event, if it is due by `until`.
    pub(crate) fn next(&mut self, until: u64) -> Option<(u64, T)> {
        let Reverse((at, _, place)) = *self.order.peek()?;
        if at > until {
            return None;
        }
        self.order.pop();
        self.free.push(place);
        self.events[place].take().map(|event| (at, event))
    }

    /// Takes out all events that meet the condition, which is given their times too, in their order.
    pub(crate) fn take(&mut self, which: impl Fn(u64, &T) -> bool) -> Vec<T> {
        let Self { order, events, free, .. } = self;
        let mut taken = Vec::new();
        for Reverse((due, number, place)) in std::mem::take(order).into_sorted_vec() {
            let event = &mut events[place];
            if event.as_ref().is_some_and(|event| which(due, event)) {
                free.push(place);
                taken.extend(event.take());
            } else {
                order.push(Reverse((due, number, place)));
            }
        }
        taken.reverse();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_their_times_and_can_be_taken_out() {
        let mut queue = Queue::new();
        for (at, event) in [(5, 'e'), (1, 'a'), (1, 'b'), (9, 'x'), (8, 'y')] {
            queue.add(at, event);
        }
        assert_eq!(queue.take(|at, event| at > 5 && *event != 'a'), ['y', 'x']);
        let rest: Vec<_> = std::iter::from_fn(|| queue.next(5)).collect();
        assert_eq!(rest, [(1, 'a'), (1, 'b'), (5, 'e')]);
    }
}
