//! A thread for handshakes. A flood of them takes that thread's share of a core, and nothing of those who serve.

use std::fmt;
use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub(super) struct Porch {
    handle: Handle,
    /// Dropped with the porch, which ends the thread.
    _open: oneshot::Sender<()>,
}

impl fmt::Debug for Porch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Porch").finish_non_exhaustive()
    }
}

impl Porch {
    pub(super) fn open() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (open, closed) = oneshot::channel::<()>();
        std::thread::Builder::new().name("handshakes".to_owned()).spawn(move || {
            // An error means that the porch was dropped, which is all that is waited for.
            let _ = runtime.block_on(closed);
        })?;
        Ok(Self { handle, _open: open })
    }

    /// Works on something there, until it is done or the caller is dropped; none if the work panicked.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let mut working = JoinSet::new();
        working.spawn_on(work, &self.handle);
        working.join_next().await?.ok()
    }
}
