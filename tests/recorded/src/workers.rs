//! Work on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What `work` makes of each, in their order.
pub(crate) fn each<T: Copy + Sync, R: Send>(all: &[T], work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let results = Mutex::new(all.iter().map(|_| None).collect::<Vec<_>>());
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(place) else { break };
            let result = work(*one);
            results.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().flatten().collect()
}
