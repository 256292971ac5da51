//! Which login is verified next. A verification takes tens of milliseconds and 19 MiB, so few run at a time.
//!
//! Networks have their turns, and the newest login of a network goes first: who has waited long has given up, or comes
//! again. A network whose last password was wrong waits behind those of which nothing bad is known, so a flood of
//! guesses from many networks delays a login from another one by a verification or two.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::admission::Network;

/// Logins of one network that wait. 512: a fleet behind one router, which comes back when the broker starts again.
const OF_NETWORK: usize = 512;
/// Logins that wait altogether. 1,024: as many as are verified in half a minute.
const WAITING: usize = 1024;
/// Networks that are remembered while nobody waits there. 4,096: a hundred bytes each.
const REMEMBERED: usize = 4096;

/// One login's number, for as long as the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(u64);

/// All logins that wait; `T` is what a login is told by.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// The oldest first.
    waiting: BTreeMap<Network, BTreeMap<Number, T>>,
    count: usize,
    /// Verifications at a time, and under way.
    most: usize,
    busy: usize,
    known: BTreeMap<Network, Known>,
    last: u64,
}

/// What is remembered of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    /// The last password from there was wrong.
    failing: bool,
    /// When it had its last turn, in turns.
    turn: u64,
}

impl<T> Queue<T> {
    /// A queue for so many verifications at a time.
    pub(super) fn new(most: usize) -> Self {
        let (waiting, known) = (BTreeMap::new(), BTreeMap::new());
        Self { waiting, count: 0, most, busy: 0, known, last: 0 }
    }

    /// Adds a login; another one may fall out.
    pub(super) fn join(&mut self, network: Network, login: T) -> (Number, Option<T>) {
        let of_network = self.waiting.get(&network).map_or(0, BTreeMap::len);
        let fallen = match (of_network >= OF_NETWORK, self.count >= WAITING) {
            (true, _) => self.take_oldest(network),
            (_, true) => self.longest().and_then(|network| self.take_oldest(network)),
            _ => None,
        };
        self.last += 1;
        let number = Number(self.last);
        self.waiting.entry(network).or_default().insert(number, login);
        self.count += 1;
        (number, fallen)
    }

    /// A login is not wanted any more.
    pub(super) fn leave(&mut self, network: Network, number: Number) {
        let taken = self.waiting.get_mut(&network).and_then(|logins| logins.remove(&number));
        self.taken(network, taken.is_some());
    }

    /// Whose turn it is, if one more may be verified now. Call [`Queue::done`] after it.
    pub(super) fn next(&mut self) -> Option<(Network, T)> {
        if self.busy >= self.most {
            return None;
        }
        let network =
            *self.waiting.iter().min_by_key(|(network, logins)| self.rank(network, logins))?.0;
        let login = self.waiting.get_mut(&network).and_then(|logins| logins.pop_last());
        self.taken(network, login.is_some());
        let (_, login) = login?;
        self.last += 1;
        self.known.entry(network).or_default().turn = self.last;
        self.busy += 1;
        Some((network, login))
    }

    /// A verification is over; none is one that was given up.
    pub(super) fn done(&mut self, network: Network, right: Option<bool>) {
        self.busy -= 1;
        if let Some(right) = right {
            self.known.entry(network).or_default().failing = !right;
        }
        if self.known.len() > REMEMBERED
            && let Some((&oldest, _)) = self.known.iter().min_by_key(|(_, known)| known.turn)
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether nobody waits and nothing is verified.
    pub(super) fn is_idle(&self) -> bool {
        self.count == 0 && self.busy == 0
    }

    /// Smaller is sooner.
    fn rank(&self, network: &Network, logins: &BTreeMap<Number, T>) -> impl Ord + use<T> {
        let known = self.known.get(network).copied().unwrap_or_default();
        (known, Reverse(logins.last_key_value().map(|(number, _)| *number)))
    }

    /// The network of which most wait.
    fn longest(&self) -> Option<Network> {
        let failing = |network| self.known.get(network).is_some_and(|known| known.failing);
        let longest = self.waiting.iter().max_by_key(|(network, of)| (of.len(), failing(network)));
        longest.map(|(network, _)| *network)
    }

    fn take_oldest(&mut self, network: Network) -> Option<T> {
        let taken = self.waiting.get_mut(&network).and_then(|logins| logins.pop_first());
        self.taken(network, taken.is_some());
        taken.map(|(_, login)| login)
    }

    fn taken(&mut self, network: Network, one: bool) {
        self.count -= usize::from(one);
        if self.waiting.get(&network).is_some_and(BTreeMap::is_empty) {
            self.waiting.remove(&network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn network(number: u32) -> Network {
        IpAddr::from(Ipv4Addr::from_bits(number)).into()
    }

    fn next(queue: &mut Queue<&'static str>) -> Option<&'static str> {
        let (network, login) = queue.next()?;
        queue.done(network, None);
        Some(login)
    }

    #[test]
    fn networks_have_their_turns_and_the_newest_login_goes_first() {
        let mut queue = Queue::new(1);
        for (of, login) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (2, "b2")] {
            assert_eq!(queue.join(network(of), login).1, None);
        }
        let order: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
        assert_eq!(order, ["b2", "a3", "b1", "a2", "a1"]);
        assert!(queue.is_idle());
    }

    #[test]
    fn no_more_are_verified_at_a_time_than_may_be() {
        let mut queue = Queue::new(2);
        for of in 1..=3 {
            queue.join(network(of), of);
        }
        let (first, second) = (queue.next().unwrap(), queue.next().unwrap());
        assert_eq!(queue.next(), None);
        queue.done(first.0, Some(true));
        assert!(queue.next().is_some());
        queue.done(second.0, Some(true));
        assert!(!queue.is_idle(), "one is under way");
    }

    #[test]
    fn a_flood_of_wrong_passwords_waits_behind_whoever_is_new() {
        let mut queue = Queue::new(1);
        for round in 0..2 {
            for of in 0..700 {
                queue.join(network(of), "guess");
            }
            if round == 1 {
                queue.join(network(9_999), "fresh");
                assert_eq!(queue.next(), Some((network(9_999), "fresh")));
                queue.done(network(9_999), Some(true));
            }
            while let Some((network, _)) = queue.next() {
                queue.done(network, Some(false));
            }
        }
        // One right password, and a network is as good as new.
        queue.join(network(1), "guess");
        queue.join(network(2), "right");
        queue.done_for_test(network(2), true);
        assert_eq!(queue.next().map(|(_, login)| login), Some("right"));
    }

    #[test]
    fn a_full_queue_drops_the_oldest_of_the_longest_line() {
        let mut queue = Queue::new(1);
        let (first, _) = queue.join(network(1), 0);
        for number in 1..OF_NETWORK {
            assert_eq!(queue.join(network(1), number).1, None);
        }
        assert_eq!(queue.join(network(1), OF_NETWORK).1, Some(0));
        queue.leave(network(1), first);
        for number in OF_NETWORK..WAITING {
            assert_eq!(queue.join(network(2 + number as u32), number).1, None);
        }
        assert_eq!(queue.join(network(7), 7).1, Some(1));
        assert_eq!(queue.count, WAITING);
    }

    #[test]
    fn only_so_many_networks_are_remembered() {
        let mut queue = Queue::new(1);
        for of in 0..5_000 {
            queue.join(network(of), of);
            queue.next();
            queue.done(network(of), Some(false));
        }
        assert_eq!(queue.known.len(), REMEMBERED);
        assert!(!queue.known.contains_key(&network(0)));
    }

    impl<T> Queue<T> {
        fn done_for_test(&mut self, network: Network, right: bool) {
            self.busy += 1;
            self.done(network, Some(right));
        }
    }
}
