//! Attacks on a broker that runs as a process of its own: under each its resident size stays below a bound that follows
//! from its settings, a normal client is served, and whoever loses a QoS 1 or 2 message is told.
//!
//! The process is this program, started again with `HEARTH_ATTACKED` set: see `victim.rs`.

#[path = "../broker/kit.rs"]
#[allow(dead_code, reason = "the attackers need a part of it")]
mod kit;
#[path = "../broker/running.rs"]
#[allow(dead_code, reason = "the broker that is attacked runs elsewhere")]
mod running;

mod arrivals;
mod budgets;
mod devices;
mod large;
mod logins;
mod readers;
mod sessions;
mod topics;
mod victim;
mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Attacks at a time. 3: each has a broker, and a thread for its normal clients.
const AT_A_TIME: usize = 3;

type Attack = (&'static str, fn());

fn main() -> ExitCode {
    if let Ok(how) = std::env::var(victim::VARIABLE) {
        victim::serve(&how);
        return ExitCode::SUCCESS;
    }
    allow_connections();
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(AT_A_TIME);
    let attacks = [
        arrivals::ATTACKS,
        budgets::ATTACKS,
        devices::ATTACKS,
        large::ATTACKS,
        logins::ATTACKS,
        readers::ATTACKS,
        sessions::ATTACKS,
        topics::ATTACKS,
    ];
    let trials = attacks.into_iter().flatten().map(|&(name, attack)| {
        Trial::test(name, move || {
            catch_unwind(AssertUnwindSafe(attack)).map_err(|_| Failed::from("see above"))
        })
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

/// Raises the number of open files: the attackers have their ends of all connections.
fn allow_connections() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is not allowed, the attacks tell.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
