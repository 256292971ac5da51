//! Connections that have not sent a CONNECT yet.
//!
//! Nobody knows who they are, so they are few, and the newest always finds a place: the network with the most of them
//! gives up its oldest. A client that speaks at once needs its place for milliseconds, so even a flood of silent
//! connections would have to fill all places within those to shut it out.

use std::collections::BTreeMap;

use super::Network;

/// A connection's number, for as long as the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(u64);

/// All of them, the oldest of each network first; `T` is what tells one that it is given up.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    of: BTreeMap<Network, BTreeMap<Number, T>>,
    all: usize,
    last: u64,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { of: BTreeMap::new(), all: 0, last: 0 }
    }
}

impl<T> Waiting<T> {
    /// Adds one. If there are `most` already, another one is given up for it, perhaps of the same network.
    pub(super) fn add(&mut self, network: Network, tell: T, most: usize) -> (Number, Option<T>) {
        let given_up = if self.all >= most { self.give_up() } else { None };
        self.last += 1;
        let number = Number(self.last);
        self.of.entry(network).or_default().insert(number, tell);
        self.all += 1;
        (number, given_up)
    }

    /// One is gone, or has said who it is.
    pub(super) fn remove(&mut self, network: Network, number: Number) {
        let Some(of_network) = self.of.get_mut(&network) else { return };
        self.all -= usize::from(of_network.remove(&number).is_some());
        if of_network.is_empty() {
            self.of.remove(&network);
        }
    }

    /// The oldest of the network that has most; of several such networks, the one whose oldest is older.
    fn give_up(&mut self) -> Option<T> {
        let oldest = |of: &BTreeMap<Number, T>| of.first_key_value().map(|(number, _)| *number);
        let most = self.of.iter().max_by_key(|(_, of)| (of.len(), std::cmp::Reverse(oldest(of))));
        let network = *most?.0;
        let of_network = self.of.get_mut(&network)?;
        let (_, tell) = of_network.pop_first()?;
        self.all -= 1;
        if of_network.is_empty() {
            self.of.remove(&network);
        }
        Some(tell)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn network(last: u8) -> Network {
        IpAddr::from(Ipv4Addr::new(10, 0, 0, last)).into()
    }

    #[test]
    fn the_greediest_network_gives_up_its_oldest() {
        let mut waiting = Waiting::default();
        let add = |waiting: &mut Waiting<_>, of, tell| waiting.add(network(of), tell, 4).1;
        for (of, tell) in [(1, "quiet"), (2, "flood 1"), (2, "flood 2"), (2, "flood 3")] {
            assert_eq!(add(&mut waiting, of, tell), None, "{tell}");
        }
        assert_eq!(add(&mut waiting, 3, "new"), Some("flood 1"));
        assert_eq!(add(&mut waiting, 2, "flood 4"), Some("flood 2"), "also for one of its own");
        assert_eq!(waiting.all, 4);
    }

    #[test]
    fn among_many_networks_with_one_each_the_oldest_goes() {
        let mut waiting = Waiting::default();
        for of in 1..=4 {
            assert_eq!(waiting.add(network(of), of, 4).1, None);
        }
        assert_eq!(waiting.add(network(9), 9, 4).1, Some(1));
        assert_eq!(waiting.add(network(1), 1, 4).1, Some(2));
    }

    #[test]
    fn a_place_is_free_again_and_its_network_forgotten() {
        let mut waiting = Waiting::default();
        let (first, _) = waiting.add(network(1), (), 1);
        waiting.remove(network(1), first);
        assert_eq!(waiting.add(network(2), (), 1).1, None);
        // It was given up before it went by itself.
        let (second, given_up) = waiting.add(network(3), (), 1);
        assert_eq!(given_up, Some(()));
        waiting.remove(network(2), Number(second.0 - 1));
        waiting.remove(network(3), second);
        assert_eq!((waiting.all, waiting.of.len()), (0, 0));
    }
}
