//! Open files: every connection is one, and a process that has none left serves nobody new.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use broker_core::Limits;

/// Open files beside the connections: ports, the broker's file, the runtime's own. 64.
const BESIDE: usize = 64;

/// Raises the process's limit of open files as far as is needed and allowed, and lowers the limits of connections to
/// what it is then.
pub(crate) fn fit(limits: &mut Limits) {
    let wanted = limits.connections + limits.pending_connections + BESIDE;
    let allowed = raise(wanted as u64);
    if allowed >= wanted {
        return;
    }
    lower(limits, allowed);
    tracing::warn!(
        open_files = allowed,
        connections = limits.connections,
        "the system allows fewer open files than there may be connections; raise the limit (ulimit -Hn, LimitNOFILE=)"
    );
}

/// How many files may be open, after the limit was raised to so many, or as far as may be.
fn raise(wanted: u64) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.current.is_none_or(|current| current >= wanted);
    let most = limit.maximum.unwrap_or(wanted).min(wanted);
    let raised = Rlimit { current: Some(most), ..limit };
    let allowed = if enough || setrlimit(Resource::Nofile, raised).is_err() {
        limit.current.unwrap_or(wanted)
    } else {
        most
    };
    usize::try_from(allowed).unwrap_or(usize::MAX)
}

/// A quarter of the files is for connections that have not said who they are, if so many are wanted.
fn lower(limits: &mut Limits, allowed: usize) {
    let places = allowed.saturating_sub(BESIDE).max(8);
    limits.pending_connections = limits.pending_connections.min(places / 4);
    let connections = limits.connections.min(places - limits.pending_connections);
    // The reserve shrinks with the rest.
    limits.gateway_connections = limits.gateway_connections * connections / limits.connections;
    limits.connections = connections;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_the_files_that_may_be_open() {
        let mut limits = Limits::default();
        lower(&mut limits, 1024);
        let Limits { connections, pending_connections, gateway_connections, .. } = limits;
        assert_eq!((connections, pending_connections, gateway_connections), (720, 240, 72));
        lower(&mut limits, 10);
        assert!(limits.connections > 0 && limits.pending_connections > 0);
    }
}
