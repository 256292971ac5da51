//! What this node's own clients are subscribed to, and SUBACKs that wait until it holds on every living node.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::planted;
use crate::id::{NodeId, Nodes, Token};
use crate::wire::Wanted;

/// Filters of our own clients, and who waits.
///
/// A client is not read further while its SUBSCRIBE waits, so no more wait than there are connections.
#[derive(Debug, Default)]
pub(crate) struct Subscribing {
    own: BTreeMap<Box<str>, Own>,
    requests: BTreeMap<u64, Request>,
    last: u64,
}

#[derive(Debug, Default)]
struct Own {
    /// Subscriptions with this filter.
    count: usize,
    /// Those of them that are kept sessions', at QoS 1 or 2.
    kept: usize,
    /// The last request that told of it.
    request: u64,
}

/// Told to peers, and not answered by all of them.
#[derive(Debug)]
struct Request {
    waiting: Nodes,
    tokens: BTreeSet<Token>,
    /// Requests of others that a token of this one waits for too.
    since: crate::moment::Moment,
}

/// What a SUBSCRIBE leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It holds everywhere already.
    Done,
    /// The answer is told later; this is to be sent first, if anything.
    Waits(Option<(u64, Vec<Wanted>)>),
}

impl Subscribing {
    /// A client subscribes; `waits` are the peers that must know.
    pub(crate) fn subscribe(
        &mut self,
        now: crate::moment::Moment,
        token: Token,
        wanted: &[Wanted],
        living: Nodes,
    ) -> Asked {
        let number = self.last + 1;
        let mut news = Vec::new();
        let mut open = BTreeSet::new();
        for Wanted { path, kept } in wanted {
            let own = self.own.entry(path.clone()).or_default();
            let new = own.count == 0 || (*kept && own.kept == 0);
            own.count += 1;
            own.kept += usize::from(*kept);
            if new {
                own.request = number;
                news.push(Wanted { path: path.clone(), kept: own.kept > 0 });
            } else {
                open.insert(own.request);
            }
        }
        for request in open {
            if let Some(request) = self.requests.get_mut(&request) {
                request.tokens.insert(token);
            }
        }
        let waiting = if news.is_empty() { Nodes::NONE } else { living };
        if !waiting.is_empty() {
            self.last = number;
            let tokens = BTreeSet::from([token]);
            self.requests.insert(number, Request { waiting, tokens, since: now });
        }
        let send = (!waiting.is_empty()).then_some((number, news));
        if planted::holds_everywhere(!self.waits(token)) { Asked::Done } else { Asked::Waits(send) }
    }

    fn waits(&self, token: Token) -> bool {
        self.requests.values().any(|request| request.tokens.contains(&token))
    }

    /// A client has a subscription less; whether peers are to be told.
    pub(crate) fn unsubscribe(&mut self, path: &str, kept: bool) -> bool {
        let Some(own) = self.own.get_mut(path) else { return false };
        own.count = own.count.saturating_sub(1);
        own.kept = own.kept.saturating_sub(usize::from(kept));
        let over = own.count == 0;
        if over {
            self.own.remove(path);
        }
        over
    }

    /// All that our clients want.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Wanted> {
        let all = self.own.iter();
        all.map(|(path, own)| Wanted { path: path.clone(), kept: own.kept > 0 }).collect()
    }

    /// A peer has answered a request; whose SUBSCRIBE holds now.
    pub(crate) fn answered(&mut self, node: NodeId, request: u64) -> Vec<Token> {
        if let Some(request) = self.requests.get_mut(&request) {
            request.waiting.remove(node);
        }
        self.settled()
    }

    /// A peer is not living any more, and learns of everything when it comes back; whose SUBSCRIBE holds now.
    pub(crate) fn lost(&mut self, node: NodeId) -> Vec<Token> {
        for request in self.requests.values_mut() {
            request.waiting.remove(node);
        }
        self.settled()
    }

    fn settled(&mut self) -> Vec<Token> {
        let done: Vec<BTreeSet<Token>> = self
            .requests
            .extract_if(.., |_, request| request.waiting.is_empty())
            .map(|(_, request)| request.tokens)
            .collect();
        let tokens: BTreeSet<Token> = done.into_iter().flatten().collect();
        tokens.into_iter().filter(|token| !self.waits(*token)).collect()
    }

    /// Since when a peer owes an answer.
    #[must_use]
    pub(crate) fn waits_since(&self, node: NodeId) -> Option<crate::moment::Moment> {
        let owed = self.requests.values().filter(|request| request.waiting.contains(node));
        owed.map(|request| request.since).min()
    }
}
