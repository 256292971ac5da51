//! The broker against both standards, statement by statement, on the wire; the same against mosquitto, so that a
//! wrong expectation of ours shows.
//!
//! `statements/*.txt` lists all normative statements of MQTT 3.1.1 and 5.0. A case proves some of them; it runs for
//! every version it names, against our broker in this process and against a mosquitto of its own. What mosquitto
//! is known to do otherwise stands in `deviations.rs`.
//!
//! `cargo test -p broker --test conformance will` runs what has "will" in its name;
//! `cargo test -p broker --test conformance -- --list` lists all; `CONFORMANCE_TABLE=1` in front prints the
//! statements with their tests.

#[path = "../broker/running.rs"]
mod running;
#[path = "../broker/web.rs"]
mod web;

mod case;
mod client;
mod deviations;
mod packet;
mod server;
mod statements;
mod wire;

mod alias;
mod connect;
mod flow;
mod keepalive;
mod packets;
mod properties;
mod publish;
mod qos;
mod reason_codes;
mod request_response;
mod retain;
mod rights;
mod session;
mod shared;
mod strings;
mod subscribe;
mod topics;
mod websocket;
mod will;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use broker::{Settings, WebSocket};
use libtest_mimic::{Arguments, Failed, Trial};

use case::{Case, Version};
use server::{Kind, Mosquitto, Server};

/// Cases at a time. 32: nearly all of them wait nearly all of the time, some for seconds.
const AT_A_TIME: usize = 32;

/// What is spoken on the plain port.
const CHAPTERS: &[&[Case]] = &[
    alias::CASES,
    connect::CASES,
    flow::CASES,
    keepalive::CASES,
    packets::CASES,
    properties::CASES,
    publish::CASES,
    qos::CASES,
    reason_codes::CASES,
    request_response::CASES,
    retain::CASES,
    rights::CASES,
    session::CASES,
    shared::CASES,
    strings::CASES,
    subscribe::CASES,
    topics::CASES,
    will::CASES,
];

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(AT_A_TIME);
    let (plain, websocket) = (CHAPTERS.concat(), websocket::CASES);
    let cases = [&plain, websocket].concat();
    if std::env::var_os("CONFORMANCE_TABLE").is_some() {
        statements::print(Version::V311, &cases);
        statements::print(Version::V5, &cases);
        return ExitCode::SUCCESS;
    }
    let mut trials = tables(&cases);
    let ours = ours();
    for (addr, speaks) in &ours.ports {
        let cases = if *speaks == "ws" { websocket } else { &plain };
        trials.extend(trials_against(Kind::Hearth, *addr, cases));
    }
    let mosquitto = mosquitto();
    if let Some(mosquitto) = &mosquitto {
        trials.extend(trials_against(Kind::Mosquitto, mosquitto.addr, &plain));
        trials.extend(trials_against(Kind::Mosquitto, mosquitto.web, websocket));
    }
    // A case that mosquitto fails as expected should not be seen panicking.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
        let said = info.payload_as_str().unwrap_or("a panic");
        LAST_WORDS
            .with_borrow_mut(|words| *words = format!("{}: {said}", place.unwrap_or_default()));
    }));
    libtest_mimic::run(&args, trials).exit_code()
}

fn ours() -> running::Running {
    let websocket = Some(WebSocket { bind: "127.0.0.1:0".to_owned(), tls: false });
    running::start_with(Settings { websocket, ..running::settings() })
}

/// mosquitto, which only a machine that is not in charge of a release may lack.
fn mosquitto() -> Option<Mosquitto> {
    match Mosquitto::start("") {
        Ok(mosquitto) => Some(mosquitto),
        Err(why) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("CI skips nothing, but mosquitto does not start: {why}")
        }
        Err(why) => {
            println!("skipped: the same cases against mosquitto, which does not start: {why}");
            None
        }
    }
}

fn tables(cases: &[Case]) -> Vec<Trial> {
    let complete = [Version::V311, Version::V5].map(|version| {
        let faults = statements::faults(version, cases);
        Trial::test(format!("every_statement_of_{}_has_its_test", version.name()), move || {
            if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
        })
    });
    let faults = deviations::faults(cases);
    let known = Trial::test("deviations_name_cases_and_their_statements", move || {
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
    });
    complete.into_iter().chain([known]).collect()
}

fn trials_against(kind: Kind, addr: std::net::SocketAddr, cases: &[Case]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for &case in cases {
        for &(version, _) in case.proves {
            let root = format!("{}-{}", case.name, version.name().replace('.', ""));
            let server = Server { addr, kind, version, root };
            let name = format!("{}, {}, {}", case.path(), version.name(), kind.name());
            let deviation =
                (kind == Kind::Mosquitto).then(|| deviations::find(&case, version)).flatten();
            trials.push(Trial::test(name, move || match (run(case, &server), deviation) {
                (Ok(()), Some(deviation)) => {
                    Err(format!("no longer deviates, but is said to: {}", deviation.does).into())
                }
                (Err(_), Some(_)) => Ok(()),
                (result, None) => result,
            }));
        }
    }
    trials
}

thread_local! {
    static LAST_WORDS: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

fn run(case: Case, server: &Server) -> Result<(), Failed> {
    let ran = catch_unwind(AssertUnwindSafe(|| (case.run)(server)));
    ran.map_err(|_| LAST_WORDS.take().into())
}
