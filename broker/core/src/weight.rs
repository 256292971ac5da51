//! What all messages together weigh, however many sessions have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of all messages that there are. Every message adds itself and takes itself out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scales(Arc<AtomicUsize>);

/// One message on the scales.
#[derive(Debug, Default)]
pub(crate) struct Weighed {
    scales: Scales,
    bytes: usize,
}

impl Scales {
    pub(crate) fn put(&self, bytes: usize) -> Weighed {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Weighed { scales: self.clone(), bytes }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.scales.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
