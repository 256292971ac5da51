//! When a long-running command shall stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::Globals;

/// Waits for Ctrl-C, SIGTERM or, for a child, the end of its standard input.
pub(crate) async fn requested(globals: &Globals) {
    let stdin_ended = async {
        match globals.stop_with_stdin {
            true => stdin_ended().await,
            false => std::future::pending().await,
        }
    };
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
        () = stdin_ended => {}
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
