//! Verifies passwords, a few at a time, in memory that is used again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::password::{self, Blocks};
use super::queue::{Number, Queue};
use crate::admission::Network;

/// What verifies the passwords of one broker.
#[derive(Debug)]
pub(super) struct Verifier {
    shared: Arc<Mutex<State>>,
    /// How long a login may wait for its turn.
    patience: Duration,
}

#[derive(Debug)]
struct State {
    queue: Queue<oneshot::Sender<Turn>>,
    /// What the verifications before left: as many as there were at a time, and none while nobody logs in.
    memory: Vec<Blocks>,
}

/// A login whose turn it is. When it is dropped, the next one has its turn.
#[derive(Debug)]
struct Turn {
    shared: Arc<Mutex<State>>,
    network: Network,
    right: Option<bool>,
}

/// A login that waits, or that nobody waits for any more when this is dropped.
struct Place<'v> {
    shared: &'v Mutex<State>,
    network: Network,
    number: Number,
}

impl Verifier {
    pub(super) fn new(patience: Duration) -> Self {
        // Half of the cores verify passwords; the others serve those who are inside.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let queue = Queue::new((cores / 2).max(1));
        Self { shared: Arc::new(Mutex::new(State { queue, memory: Vec::new() })), patience }
    }

    /// Whether this password has this hash, when it is its turn; none if that does not come.
    pub(super) async fn verify(
        &self,
        network: Network,
        password: Vec<u8>,
        hash: Option<Box<str>>,
    ) -> Option<bool> {
        let (tell, told) = oneshot::channel();
        let (number, fallen) = lock(&self.shared).queue.join(network, tell);
        drop(fallen);
        let _place = Place { shared: &self.shared, network, number };
        give_turns(&self.shared);
        let turn = timeout(self.patience, told).await.ok()?.ok()?;
        let verified = tokio::task::spawn_blocking(move || turn.verify(&password, hash.as_deref()));
        verified.await.ok()
    }
}

impl Turn {
    fn verify(mut self, password: &[u8], hash: Option<&str>) -> bool {
        let mut memory = lock(&self.shared).memory.pop().unwrap_or_default();
        let right = password::verify(password, hash, &mut memory);
        lock(&self.shared).memory.push(memory);
        self.right = Some(right);
        right
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.queue.done(self.network, self.right);
        if state.queue.is_idle() {
            state.memory.clear();
        }
        drop(state);
        give_turns(&self.shared);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(self.shared).queue.leave(self.network, self.number);
    }
}

/// Tells all whose turn it is.
fn give_turns(shared: &Arc<Mutex<State>>) {
    loop {
        let Some((network, tell)) = lock(shared).queue.next() else { return };
        let turn = Turn { shared: shared.clone(), network, right: None };
        // Who is gone gives the turn back, which gives it to the next.
        drop(tell.send(turn));
    }
}

fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Network {
        std::net::IpAddr::from([10, 0, 0, last]).into()
    }

    #[tokio::test]
    async fn memory_is_there_only_while_somebody_logs_in() {
        let verifier = Arc::new(Verifier::new(Duration::from_secs(60)));
        let hash: Box<str> = password::hash_password(b"right").unwrap().into();
        let mut logins = tokio::task::JoinSet::new();
        for number in 0..6 {
            let (verifier, hash) = (verifier.clone(), Some(hash.clone()));
            let password = if number % 2 == 0 { b"right".to_vec() } else { b"wrong".to_vec() };
            logins.spawn(async move {
                (number, verifier.verify(network(number), password, hash).await)
            });
        }
        let mut verified = logins.join_all().await;
        verified.sort_unstable();
        assert_eq!(verified, [0, 1, 2, 3, 4, 5].map(|number| (number, Some(number % 2 == 0))));
        let state = lock(&verifier.shared);
        assert!(state.queue.is_idle() && state.memory.is_empty());
    }

    #[tokio::test]
    async fn whoever_gives_up_gives_its_turn_to_the_next() {
        let verifier = Verifier::new(Duration::ZERO);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut busy = Vec::new();
        for number in 0..(cores / 2).max(1) {
            let mut state = lock(&verifier.shared);
            state.queue.join(network(number as u8), oneshot::channel().0);
            busy.extend(state.queue.next());
        }
        assert_eq!(verifier.verify(network(200), b"x".to_vec(), None).await, None, "no patience");
        // One whose client is gone, behind all those.
        lock(&verifier.shared).queue.join(network(201), oneshot::channel().0);
        for (network, _) in busy {
            lock(&verifier.shared).queue.done(network, None);
        }
        give_turns(&verifier.shared);
        assert!(lock(&verifier.shared).queue.is_idle());
    }
}
