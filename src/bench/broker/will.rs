//! How soon others learn of a client's death: a process with a will is killed, and a subscriber waits.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::packets::{self, PUBACK, Packet};
use super::session::Session;
use crate::failure::{Failure, Outcome};
use crate::output::out;

/// How often in one run.
const TRIALS: usize = 30;
const TOPIC: &str = "bench/will";

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Will {
    pub(super) min: Duration,
    pub(super) median: Duration,
    pub(super) max: Duration,
}

/// From just before the kill until a QoS 1 subscriber has read the will.
pub(super) fn measure(broker: SocketAddr) -> Outcome<Will> {
    let mut subscriber = Session::open(broker, "bench-will-sub")?;
    subscriber.subscribe(TOPIC, 1)?;
    let mut times = Vec::new();
    for _ in 0..TRIALS {
        let mut victim = Command::new(std::env::current_exe()?)
            .args(["bench", "broker", "--victim", &broker.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        if let Some(stdout) = victim.stdout.take() {
            BufReader::new(stdout).read_line(&mut ready)?;
        }
        let killed = Instant::now();
        victim.kill()?;
        let pid = subscriber.receive(|packet| match packet {
            Packet::Publish { pid, .. } => Ok(pid),
            other => Err(Failure::failed(format!("instead of a will came {other:?}"))),
        })??;
        times.push(killed.elapsed());
        victim.wait()?;
        let mut answer = Vec::new();
        packets::step(&mut answer, PUBACK, pid);
        subscriber.send(&answer)?;
    }
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    Ok(Will { min: at(0), median: at(TRIALS / 2), max: at(TRIALS - 1) })
}

/// The life of a victim: it connects, says so, and waits for its end.
pub(super) fn be_victim(broker: SocketAddr) -> Outcome {
    let _session = Session::open_with(broker, "bench-will-victim", Some(TOPIC))?;
    out!("connected");
    // If whoever started it dies first, its standard input ends.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
