//! What can go wrong with a broker as a whole; everything smaller ends one connection and is logged.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::access::AccessError;
use crate::store::StoreError;

/// Why a broker could not start.
#[derive(Debug)]
pub enum BindError {
    /// The address does not parse or resolve.
    Address {
        /// The address as given.
        bind: String,
        /// What the system said.
        cause: io::Error,
    },
    /// There is no port at all.
    Nowhere,
    /// Another process listens there.
    Taken {
        /// The address as given.
        bind: String,
    },
    /// The system refused for another reason.
    Listen {
        /// The address as given.
        bind: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Without users nobody outside of this machine may come in.
    Unguarded {
        /// The address as given.
        bind: String,
        /// Where the users would be.
        users: Option<PathBuf>,
    },
    /// The users or the roles cannot be read.
    Access(AccessError),
    /// The port for metrics cannot be opened.
    Metrics {
        /// The address as given.
        bind: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The router thread did not start.
    Router(String),
    /// The file of what outlives the broker cannot be used.
    Store(StoreError),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { bind, cause } => write!(
                f,
                "the broker cannot use the address `{bind}`: {cause}; give host:port, for example 0.0.0.0:1883"
            ),
            Self::Nowhere => f.write_str(
                "the broker has no port: give broker.bind, broker.tls.bind or broker.websocket.bind an address",
            ),
            Self::Taken { bind } => write!(
                f,
                "the broker cannot listen on {bind}: another program has this port (often mosquitto); \
                 stop that program or choose another port"
            ),
            Self::Listen { bind, cause } => {
                write!(
                    f,
                    "the broker cannot listen on {bind}: {cause}; choose another address or port"
                )
            }
            Self::Metrics { bind, cause } => write!(
                f,
                "the broker cannot tell its metrics on {bind}: {cause}; choose another host:port for broker.metrics, or leave it empty"
            ),
            Self::Store(error) => error.fmt(f),
            Self::Unguarded { bind, users } => {
                let place = match users {
                    Some(path) => format!(" in {}", path.display()),
                    None => String::new(),
                };
                write!(
                    f,
                    "the broker does not listen on {bind}, because there are no users{place} and everyone \
                     who reaches it could do everything; add one with `hearth broker user add NAME --role admin`, or \
                     listen on 127.0.0.1"
                )
            }
            Self::Access(cause) => write!(f, "{cause}"),
            Self::Router(cause) => write!(f, "the broker's router did not start: {cause}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Address { cause, .. }
            | Self::Listen { cause, .. }
            | Self::Metrics { cause, .. } => Some(cause),
            Self::Access(cause) => Some(cause),
            Self::Nowhere
            | Self::Taken { .. }
            | Self::Unguarded { .. }
            | Self::Router(_)
            | Self::Store(_) => None,
        }
    }
}

/// Why a running broker stopped by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerError {
    /// The router thread is gone; wildcard subscriptions can no longer be served.
    RouterDied,
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RouterDied => f.write_str(
                "the broker's router thread ended, so wildcard subscriptions are no longer served; start the broker again",
            ),
        }
    }
}

impl std::error::Error for BrokerError {}
