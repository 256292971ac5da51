//! The broker under test: ours, in this process, or mosquitto, as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use broker::Settings;

use crate::case::Version;
use crate::client::{Client, PATIENCE};
use crate::packet::Packet;
use crate::running::{self, Running};
use crate::wire::{Connect, kind};

/// Whose broker it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hearth,
    Mosquitto,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hearth => "hearth",
            Self::Mosquitto => "mosquitto",
        }
    }
}

/// A running broker as a case sees it. Cases run at the same time on one broker, so each has topics and client ids
/// of its own.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) kind: Kind,
    pub(crate) version: Version,
    /// First level of the case's topics and beginning of its client ids.
    pub(crate) root: String,
}

impl Server {
    /// The same broker, spoken to in the given version.
    pub(crate) fn speaking(&self, version: Version) -> Self {
        Self { version, ..self.clone() }
    }

    pub(crate) fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
    }

    /// A CONNECT of a client of this case.
    pub(crate) fn connect(&self, who: &str) -> Connect {
        Connect::new(self.version, &format!("{}-{who}", self.root))
    }

    /// A client that is connected with a clean session.
    pub(crate) fn client(&self, who: &str) -> Client {
        self.open(&self.connect(who)).0
    }

    /// A client that is connected and subscribed to one filter.
    pub(crate) fn watcher(&self, who: &str, filter: &str, options: u8) -> Client {
        let mut client = self.client(who);
        client.watch(filter, options);
        client
    }

    /// Connects; the broker must accept.
    pub(crate) fn open(&self, connect: &Connect) -> (Client, Packet) {
        let mut client = Client::raw(self);
        client.send(&connect.bytes());
        let connack = client.expect(kind::CONNACK);
        assert_eq!(connack.code, 0, "accepted: {connack:?}");
        (client, connack)
    }

    /// Sends bytes as the first ones of a connection.
    pub(crate) fn say(&self, bytes: &[u8]) -> Client {
        let mut client = Client::raw(self);
        client.send(bytes);
        client
    }

    /// A broker of the same kind with other settings; it ends with the returned value.
    pub(crate) fn own(&self, ours: impl FnOnce(&mut Settings), mosquitto: &str) -> Own {
        let (addr, process) = match self.kind {
            Kind::Hearth => {
                let mut settings = running::settings();
                ours(&mut settings);
                let running = running::start_with(settings);
                (running.addr, Process::Hearth(running))
            }
            Kind::Mosquitto => {
                let process = Mosquitto::start(mosquitto).expect("mosquitto, as before");
                (process.addr, Process::Mosquitto(process))
            }
        };
        Own { server: Self { addr, ..self.clone() }, process }
    }
}

/// A broker that one case has for itself.
pub(crate) struct Own {
    pub(crate) server: Server,
    process: Process,
}

enum Process {
    Hearth(Running),
    Mosquitto(Mosquitto),
}

impl Own {
    /// Stops it in an orderly way.
    pub(crate) fn stop(self) {
        match self.process {
            Process::Hearth(mut running) => running.stop().expect("an orderly end"),
            Process::Mosquitto(process) => drop(process),
        }
    }
}

/// A mosquitto of this test program's own.
pub(crate) struct Mosquitto {
    pub(crate) addr: SocketAddr,
    /// Its port for WebSocket.
    pub(crate) web: SocketAddr,
    child: Child,
    config: PathBuf,
}

impl Mosquitto {
    /// Starts mosquitto with further lines of configuration, or says why not.
    pub(crate) fn start(more: &str) -> Result<Self, String> {
        let mut why = String::new();
        // Another program may take the free port first; then the next one does.
        for _ in 0..5 {
            match Self::try_start(more) {
                Ok(Some(running)) => return Ok(running),
                Ok(None) => why = "it does not listen".to_owned(),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(why)
    }

    fn try_start(more: &str) -> std::io::Result<Option<Self>> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
        let (addr, web) = (free()?, free()?);
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("mosquitto-{}.conf", addr.port()));
        write!(
            std::fs::File::create(&config)?,
            "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n{more}\n\
             listener {} 127.0.0.1\nprotocol websockets\n",
            addr.port(),
            web.port(),
        )?;
        let spawn = |program: &str| {
            let mut command = Command::new(program);
            command.arg("-c").arg(&config).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
        };
        // Where only root has /usr/sbin in the path.
        let child = spawn("mosquitto").or_else(|_| spawn("/usr/sbin/mosquitto"))?;
        let mut mosquitto = Self { addr, web, child, config };
        Ok(mosquitto.listens().then_some(mosquitto))
    }

    /// Waits until it says that it runs; false if it ends instead.
    fn listens(&mut self) -> bool {
        let log = self.child.stderr.take().map(BufReader::new);
        let (tell, told) = channel();
        // To the end: a log that nobody reads would stop it.
        std::thread::spawn(move || {
            for line in log.into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
                if line.ends_with(" running") {
                    _ = tell.send(());
                }
            }
        });
        told.recv_timeout(PATIENCE).is_ok()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = std::fs::remove_file(&self.config);
    }
}
