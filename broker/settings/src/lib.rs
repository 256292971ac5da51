//! What the broker can be told, where others than the broker know it too: the broker and its core obey these, and the
//! settings file fills them in.

mod limits;
mod ports;

pub use limits::{LimitError, Limits};
pub use ports::{Tls, WebSocket};
