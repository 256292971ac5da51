//! Connections that do nothing: how fast they come, and what one costs.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::candidate::{processor_time, resident};
use super::session::Session;
use crate::failure::{Failure, Outcome};

/// Connections whose CONNACK is outstanding at a time. 64: below every broker's backlog.
const TOGETHER: usize = 64;
/// File descriptors that a process needs beside its connections.
const SPARE: u64 = 64;
/// Time for a broker to let go of what it needed only for the moment.
const SETTLE: Duration = Duration::from_millis(500);

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    /// Connections a second, from TCP connect to CONNACK.
    pub(super) rate: f64,
    /// Processor time of the broker per connection.
    pub(super) cost: Duration,
    /// KiB of resident memory per connection with one subscription.
    pub(super) memory: f64,
}

/// Different wildcard filters. 1,000: each is shared by a few, as in a home.
const WILDCARDS: usize = 1000;

/// Opens `count` connections with one subscription each: to a topic of its own, or to a wildcard filter that it
/// shares with a few.
pub(super) fn measure(broker: SocketAddr, pid: u32, count: usize, wildcard: bool) -> Outcome<Idle> {
    thread::sleep(SETTLE);
    let before = resident(pid)?;
    let (began, work_before) = (Instant::now(), processor_time(pid)?);
    let mut sessions: Vec<Session> = Vec::with_capacity(count);
    while sessions.len() < count {
        let from = sessions.len();
        let to = count.min(from + TOGETHER);
        for me in from..to {
            sessions.push(Session::begin(broker, &format!("bench-idle-{me}"), None)?);
        }
        for session in &mut sessions[from..] {
            session.accepted()?;
        }
    }
    let (took, work) = (began.elapsed(), processor_time(pid)? - work_before);
    for (me, session) in sessions.iter_mut().enumerate() {
        let filter = match wildcard {
            true => format!("bench/idle/{}/+", me % WILDCARDS),
            false => format!("bench/idle/{me}"),
        };
        session.subscribe(&filter, 0)?;
    }
    thread::sleep(SETTLE);
    let memory = (resident(pid)? - before) / count as f64;
    let cost = work.div_f64(count as f64);
    Ok(Idle { rate: count as f64 / took.as_secs_f64(), cost, memory })
}

/// Raises the number of open files, for this process and the brokers it starts.
pub(super) fn allow(connections: usize) -> Outcome {
    let needed = connections as u64 + SPARE;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        let text = format!(
            "{connections} connections need {needed} open files, and the hard limit is {}: raise it \
             (ulimit -Hn) or ask for fewer (--connections)",
            limit.maximum.unwrap_or_default()
        );
        return Err(Failure::usage(text));
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}
