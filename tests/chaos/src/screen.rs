//! The live line: what is broken now, and how far the clients are.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::{Instant, interval};

use crate::faults::Faults;
use crate::people::World;

/// Shows the line until it is dropped: at one place of a terminal, else now and then.
pub async fn show(world: &World, faults: &Faults, end: Instant) {
    let terminal = std::io::stderr().is_terminal();
    let mut tick = interval(Duration::from_millis(if terminal { 250 } else { 10_000 }));
    loop {
        tick.tick().await;
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        let (acknowledged, said) = world.ledger.counts();
        let silence = world.ledger.silence();
        let silence = silence.map_or(String::new(), |(length, place)| {
            format!("; {place} silent for {:.1} s", length.as_secs_f64())
        });
        let broken = faults.board.now().join(", ");
        let broken = if broken.is_empty() { "all is whole".to_owned() } else { broken };
        let line =
            format!("{left} s left; {acknowledged} of {said} acknowledged{silence}; {broken}");
        let mut out = std::io::stderr().lock();
        // Nothing depends on whether the line can be seen.
        let _ = match terminal {
            true => write!(out, "\r\x1b[K{line}"),
            false => writeln!(out, "{line}"),
        };
        let _ = out.flush();
    }
}
