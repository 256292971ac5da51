//! What was published and what arrived where: the judge of a throughput run, and its brake.

/// One run's books. Publishers number their messages from 0.
#[derive(Debug)]
pub(super) struct Ledger {
    /// By publisher: messages sent.
    sent: Vec<u64>,
    /// By subscriber and publisher: the number that comes next.
    next: Vec<Vec<u64>>,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
}

impl Ledger {
    pub(super) fn new(publishers: usize, subscribers: usize) -> Self {
        Self {
            sent: vec![0; publishers],
            next: vec![vec![0; publishers]; subscribers],
            delivered: 0,
            lost: 0,
            doubled: 0,
        }
    }

    /// The next message's number.
    pub(super) fn send(&mut self, publisher: usize) -> u64 {
        let number = self.sent[publisher];
        self.sent[publisher] += 1;
        number
    }

    /// A message has arrived; every broker here keeps a publisher's messages in order.
    pub(super) fn arrived(&mut self, subscriber: usize, publisher: usize, number: u64) {
        let next = &mut self.next[subscriber][publisher];
        if number < *next {
            self.doubled += 1;
            return;
        }
        self.lost += number - *next;
        *next = number + 1;
        self.delivered += 1;
    }

    /// Messages of a publisher that some subscriber has not got yet.
    pub(super) fn under_way(&self, publisher: usize) -> u64 {
        let slowest = self.next.iter().map(|next| next[publisher]).min();
        self.sent[publisher] - slowest.unwrap_or(self.sent[publisher])
    }

    pub(super) fn all_arrived(&self) -> bool {
        (0..self.sent.len()).all(|publisher| self.under_way(publisher) == 0)
    }

    /// Nothing more will come.
    pub(super) fn close(&mut self) {
        for next in &self.next {
            let missing = self.sent.iter().zip(next).map(|(sent, next)| sent - next);
            self.lost += missing.sum::<u64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_repetitions_are_counted() {
        let mut ledger = Ledger::new(1, 2);
        let numbers: Vec<u64> = (0..4).map(|_| ledger.send(0)).collect();
        for &number in &numbers {
            ledger.arrived(0, 0, number);
        }
        assert_eq!(ledger.under_way(0), 4, "the second subscriber has nothing");
        for number in [0, 2, 2] {
            ledger.arrived(1, 0, number);
        }
        assert_eq!((ledger.delivered, ledger.lost, ledger.doubled), (6, 1, 1));
        assert!(!ledger.all_arrived());
        ledger.close();
        assert_eq!(ledger.lost, 2, "number 1 was skipped and number 3 never came");
    }
}
