//! Reports on their way: one at a time, in order, again and again until each is answered.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use wire::RequestId;

use super::Asker;

/// Reports that may wait; 64 is a minute of a busy sensor. When there are more, the oldest that
/// has not been sent goes: newer readings matter more.
const MOST: usize = 64;

/// A report without an answer is sent again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// After this many attempts on one connection …
const IMPATIENT: u32 = 10;

/// … it is sent again only this often: a broker of ours holds every copy until a majority of
/// gateways is back, and delivers it then by itself.
const PATIENT: Duration = Duration::from_secs(10);

/// A report that has not been answered.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its id and Correlation Data.
    pub(super) id: String,
    /// The report.
    pub(super) payload: Bytes,
    /// Who else waits for the answer.
    pub(super) asker: Option<Asker>,
    /// The user's action behind it.
    pub(super) action: Option<RequestId>,
}

/// The queue; its first entry is the one in flight.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Entry>,
    connected: bool,
    attempts: u32,
    /// When the first entry is sent again; none while nothing can be sent.
    due: Option<Duration>,
}

impl Outbox {
    /// Appends a report; gives back what had to make room.
    pub(super) fn push(&mut self, now: Duration, entry: Entry) -> Option<Entry> {
        self.queue.push_back(entry);
        if self.queue.len() == 1 {
            self.restart(now);
        }
        // The first one may already be agreed, with the answer on its way.
        if self.queue.len() > MOST { self.queue.remove(1) } else { None }
    }

    pub(super) fn connected(&mut self, now: Duration, connected: bool) {
        self.connected = connected;
        self.restart(now);
    }

    /// The report with this id is answered; it leaves the queue if it is the one in flight.
    pub(super) fn answered(&mut self, now: Duration, id: &[u8]) -> Option<Entry> {
        let entry = self.queue.pop_front_if(|first| first.id.as_bytes() == id)?;
        self.restart(now);
        Some(entry)
    }

    /// What to send now, if anything.
    pub(super) fn send(&mut self, now: Duration) -> Option<&Entry> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.attempts += 1;
        self.due = Some(now + if self.attempts < IMPATIENT { AGAIN } else { PATIENT });
        self.queue.front()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.due
    }

    /// The waiting report of the user's action, whose asker may have changed.
    pub(super) fn of_action(&mut self, action: &RequestId) -> Option<&mut Entry> {
        self.queue.iter_mut().find(|entry| entry.action.as_ref() == Some(action))
    }

    fn restart(&mut self, now: Duration) {
        self.attempts = 0;
        self.due = (self.connected && !self.queue.is_empty()).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn entry(id: usize) -> Entry {
        Entry { id: id.to_string(), payload: Bytes::new(), asker: None, action: None }
    }

    fn sent(outbox: &mut Outbox, now: Duration) -> Option<String> {
        outbox.send(now).map(|entry| entry.id.clone())
    }

    #[test]
    fn one_report_is_in_flight_and_the_next_follows_its_answer() {
        let mut outbox = Outbox::default();
        outbox.push(START, entry(1));
        outbox.push(START, entry(2));
        assert_eq!(sent(&mut outbox, START), None, "not connected");
        outbox.connected(START, true);
        assert_eq!(sent(&mut outbox, START).as_deref(), Some("1"));
        assert_eq!(sent(&mut outbox, START), None, "in flight");
        assert!(outbox.answered(START, b"2").is_none(), "not in flight");
        assert!(outbox.answered(START, b"1").is_some());
        assert_eq!(sent(&mut outbox, START).as_deref(), Some("2"));
        assert!(outbox.answered(START, b"2").is_some());
        assert_eq!(outbox.deadline(), None);
    }

    #[test]
    fn a_report_is_sent_again_until_it_is_answered() {
        let mut outbox = Outbox::default();
        outbox.connected(START, true);
        outbox.push(START, entry(1));
        let mut now = START;
        for _ in 0..20 {
            now = now.max(outbox.deadline().expect("something is due"));
            assert_eq!(sent(&mut outbox, now).as_deref(), Some("1"));
        }
        assert_eq!(now, AGAIN * (IMPATIENT - 1) + PATIENT * (20 - IMPATIENT));
    }

    #[test]
    fn a_new_connection_sends_at_once_and_a_lost_one_not_at_all() {
        let mut outbox = Outbox::default();
        outbox.connected(START, true);
        outbox.push(START, entry(1));
        assert!(outbox.send(START).is_some());
        outbox.connected(START, false);
        assert_eq!(sent(&mut outbox, PATIENT), None);
        outbox.connected(PATIENT, true);
        assert_eq!(sent(&mut outbox, PATIENT).as_deref(), Some("1"));
    }

    #[test]
    fn a_full_queue_keeps_the_one_in_flight_and_the_newest() {
        let mut outbox = Outbox::default();
        outbox.connected(START, true);
        let dropped: Vec<_> = (0..MOST + 2).filter_map(|n| outbox.push(START, entry(n))).collect();
        let dropped: Vec<_> = dropped.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(dropped, ["1", "2"]);
        assert_eq!(sent(&mut outbox, START).as_deref(), Some("0"));
    }
}
