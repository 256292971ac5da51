//! When a long-running command shall stop.

use std::io::{IsTerminal, stdin};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::Globals;

/// Waits for Ctrl-C or SIGTERM. A child waits for the end of its standard input instead: both
/// signals often go to a whole group of processes, and its parent knows the order in which to stop.
///
/// From this call on SIGHUP ends the process only if its terminal is gone. A broker reads its files anew at that
/// signal, and whoever sends it to every process called hearth means the broker.
pub(crate) fn requested(globals: &Globals) -> impl Future<Output = ()> + use<> {
    let hangups = Hangups::heard();
    let with_stdin = globals.stop_with_stdin;
    async move {
        tokio::select! {
            () = asked(with_stdin) => {}
            () = hangups.of_terminal() => {}
        }
    }
}

/// SIGHUP, which would otherwise end the process.
struct Hangups {
    signals: Option<Signal>,
    /// Whether the process was started from a terminal.
    terminal: bool,
}

impl Hangups {
    fn heard() -> Self {
        Self { signals: signal(SignalKind::hangup()).ok(), terminal: stdin().is_terminal() }
    }

    /// Waits until the terminal is gone.
    async fn of_terminal(self) {
        let Some(mut signals) = self.signals else { return std::future::pending().await };
        while signals.recv().await.is_some() {
            if self.terminal && !stdin().is_terminal() {
                return;
            }
        }
    }
}

/// The same without a word about SIGHUP.
pub(crate) async fn asked(with_stdin: bool) {
    if with_stdin {
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
        let _ = std::io::copy(&mut stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
