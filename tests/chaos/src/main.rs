//! Chaos with real processes: `cargo run --release -p hearth-chaos -- --help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever started it")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use hearth_chaos::run::{Order, run};

const ABOUT: &str = "\
Starts a home of real processes, lets devices report and people order, and breaks things meanwhile: kill -9, SIGSTOP,
cuts (also one way), floods at QoS 0, restarts, wiped and put-back files, broker deaths, wrong clocks. In the end it
reads the gateways' files and says whether what the clients were told is true. The exit status is 0 only if it is.

Build the program first (cargo build --release). Wrong clocks need a program that is not static, and the Debian
package faketime.";

/// Chaos with real processes, and a judge
#[derive(Debug, Parser)]
#[command(name = "hearth-chaos", after_help = ABOUT)]
struct Args {
    /// How long the faults go on: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = time)]
    time: Duration,
    /// Draws the faults; a new one unless it is given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Messages a second of each client
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Reports a second of a loud device
    #[arg(long, value_name = "N", default_value_t = 15_000)]
    flood: u64,
    /// The program under test; else the one beside this one
    #[arg(long, value_name = "FILE", env = "HEARTH_BINARY")]
    hearth: Option<PathBuf>,
    /// An older program, which everything runs at first; SIGTERM upgrades a process
    #[arg(long, value_name = "FILE")]
    upgrade_from: Option<PathBuf>,
    /// Where the home's files go; they stay if something is wrong
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// One line of JSON instead of words
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let args = Args::parse();
    let fresh =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    let seed = args.seed.unwrap_or_else(fresh);
    let Some(program) = args.hearth.or_else(beside).filter(|program| program.exists()) else {
        eprintln!(
            "there is no program to test; build it with cargo build --release, or name it with --hearth"
        );
        return ExitCode::from(2);
    };
    let folder =
        args.folder.unwrap_or_else(|| std::env::temp_dir().join(format!("hearth-chaos-{seed}")));
    let (time, rate, flood, older) = (args.time, args.rate, args.flood, args.upgrade_from);
    eprintln!("seed {seed}, {} s, {} in {}", time.as_secs(), program.display(), folder.display());
    let report =
        run(&Order { program, older, folder: folder.clone(), seed, time, rate, flood }).await;
    eprintln!();
    if args.json {
        println!("{}", report.json())
    } else {
        print!("{}", report.words())
    }
    if report.is_good() {
        // Nobody needs a good home's files.
        let _ = std::fs::remove_dir_all(folder);
        return ExitCode::SUCCESS;
    }
    eprintln!("its files and logs stay in {}", folder.display());
    ExitCode::FAILURE
}

/// The program that was built with this one.
fn beside() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.with_file_name("hearth"))
}

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    let number: u64 =
        number.parse().map_err(|_| format!("{text} is not a time such as 90s, 10m or 2h"))?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("{unit} is no unit of time: s, m or h")),
    };
    Ok(Duration::from_secs(number * seconds))
}
