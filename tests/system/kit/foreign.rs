//! Debian's mosquitto as the broker of a home.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Process;

/// A mosquitto that listens, and its port.
pub(super) fn mosquitto(folder: &Path) -> (Process, u16) {
    // Somebody may take the port before mosquitto does.
    (0..9).find_map(|_| try_mosquitto(folder)).expect("mosquitto, from the package of that name")
}

fn try_mosquitto(folder: &Path) -> Option<(Process, u16)> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let config = folder.join("mosquitto.conf");
    let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n");
    std::fs::write(&config, text).unwrap();
    let spawn = |program: &str| {
        let mut command = Command::new(program);
        command.arg("-c").arg(&config).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    };
    // Where only root has /usr/sbin in the path.
    let child = spawn("mosquitto").or_else(|_| spawn("/usr/sbin/mosquitto"));
    let mut process = Process(child.expect("mosquitto, from the package of that name"));
    let mut words = BufReader::new(process.stderr()).lines().map_while(Result::ok);
    let runs = words.any(|line| line.ends_with("running"));
    // It would stop if nobody read what it says.
    std::thread::spawn(move || words.for_each(drop));
    runs.then_some((process, port))
}
