//! Where a gateway's words go: line by line to standard output as a story, or into the log. What others wrote in them
//! cannot act on a terminal; whoever formats the log sees to that there.

use std::io::Write;

use wire::{GatewayId, visible};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Voice {
    Story,
    Log(GatewayId),
}

impl Voice {
    pub(crate) fn say(self, words: &str) {
        match self {
            Self::Story => {
                // Nobody listens any more: the gateway's work is not to be heard but to go on.
                let _ = writeln!(std::io::stdout().lock(), "{}", visible(words));
            }
            Self::Log(id) => tracing::info!(gateway = id.0, "{words}"),
        }
    }
}
