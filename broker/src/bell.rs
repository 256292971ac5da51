//! How the hub wakes a connection's task: once, however often it has reason to before the task comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// One connection's bell.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: AtomicBool,
    waker: AtomicWaker,
}

impl Bell {
    /// There is something for the connection.
    pub(crate) fn ring(&self) {
        // Whoever rang first has woken the task, and it has not come yet.
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Who is to be woken. Before [`Bell::answered`], so that no ring falls between.
    pub(crate) fn wakes(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Whether it was rung since the last call.
    pub(crate) fn answered(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }
}
