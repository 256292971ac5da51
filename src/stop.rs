//! When a long-running command shall stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::Globals;

/// Waits for Ctrl-C or SIGTERM. A child waits for the end of its standard input instead: both
/// signals often go to a whole group of processes, and its parent knows the order in which to stop.
pub(crate) async fn requested(globals: &Globals) {
    if globals.stop_with_stdin {
        let ignored = async {
            loop {
                signalled().await;
            }
        };
        tokio::select! {
            () = ignored => {}
            () = stdin_ended() => {}
        }
    } else {
        signalled().await;
    }
}

async fn signalled() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => signals.recv().await,
            // Without a handler SIGTERM still ends the process, only less politely.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

async fn stdin_ended() {
    let (ended, end) = oneshot::channel();
    // A thread of its own: a read by the runtime would hold up its end.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
