//! TLS, certificates, and how many may come.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use broker::{Access, Settings, Tls, User, Users, WebSocket, hash_password};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::kit::{Client, Running, settings, start_with};

/// A folder with an authority, a server's certificate, and clients' ones.
pub(crate) struct Papers {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Papers {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, key).unwrap();
        fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        let papers = Self { folder, authority };
        papers.issue("server", "localhost");
        papers
    }

    /// Writes `<file>.crt` and `<file>.key` for somebody.
    fn issue(&self, file: &str, name: &str) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        self.issue_as(file, &params);
    }

    fn issue_as(&self, file: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        fs::write(self.path(&format!("{file}.crt")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls {
            bind: Some("127.0.0.1:0".to_owned()),
            certificate: self.path("server.crt"),
            key: self.path("server.key"),
            client_ca: None,
            client_required: false,
        }
    }
}

pub(crate) fn port(broker: &Running, speaks: &str) -> u16 {
    broker.ports.iter().find(|(_, is)| *is == speaks).unwrap().0.port()
}

/// Whether `mosquitto_pub` could publish a retained message over TLS.
fn publishes(port: u16, ca: &Path, more: &[&str]) -> bool {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "localhost", "-p", &port.to_string(), "-q", "1", "-r", "--cafile"]);
    let done = command.arg(ca).args(["-m", "x"]).args(more).output().unwrap();
    // A refused publish of MQTT 5 is a warning, and success all the same.
    done.status.success() && done.stderr.is_empty()
}

#[test]
fn both_versions_are_spoken_over_tls_and_a_silent_handshake_stops_nobody() {
    let papers = Papers::new();
    let broker = start_with(Settings { tls: Some(papers.tls()), ..settings() });
    let (port, ca) = (port(&broker, "tls"), papers.path("ca.crt"));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
    for version in ["mqttv311", "mqttv5"] {
        assert!(publishes(port, &ca, &["-V", version, "-t", version]), "{version}");
        let mut inside = broker.v5("inside").connect();
        inside.subscribe(version, 0);
        assert_eq!(inside.got().payload, "x");
    }
    drop(silent);
    let other = Papers::new();
    assert!(!publishes(port, &other.path("ca.crt"), &["-t", "x"]), "another authority");
}

#[test]
fn silence_in_a_handshake_ends_it() {
    let papers = Papers::new();
    let mut settings = Settings {
        tls: Some(papers.tls()),
        websocket: Some(WebSocket { bind: "127.0.0.1:0".to_owned(), tls: false }),
        ..settings()
    };
    settings.limits.connect_timeout = std::time::Duration::from_millis(100);
    let broker = start_with(settings);
    for speaks in ["tls", "ws"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port(&broker, speaks))).unwrap();
        stream.write_all(b"\x16").unwrap();
        assert!(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)), "{speaks}");
    }
}

/// A broker where a certificate for `hall/lamp` is a login, and its papers.
fn with_client_certificates(required: bool) -> (Papers, Running) {
    let papers = Papers::new();
    for name in ["hall/lamp", "stranger"] {
        papers.issue(&name.replace('/', "-"), name);
    }
    let mut users = Users::default();
    users.set("hall/lamp", User { role: "device".into(), hash: None }).unwrap();
    let hash = Some(hash_password(b"secret").unwrap());
    users.set("ada", User { role: "person".into(), hash }).unwrap();
    fs::write(papers.path("users"), users.to_text()).unwrap();
    let tls =
        Tls { client_ca: Some(papers.path("ca.crt")), client_required: required, ..papers.tls() };
    let access = Access { users: Some(papers.path("users")), ..Access::default() };
    let broker = start_with(Settings { tls: Some(tls), access, durable_ack: false, ..settings() });
    (papers, broker)
}

#[test]
fn the_name_in_a_certificate_is_the_user() {
    for required in [false, true] {
        let (papers, broker) = with_client_certificates(required);
        let (port, ca) = (port(&broker, "tls"), papers.path("ca.crt"));
        let shows = |file: &str, more: &[&str]| {
            let path = |end: &str| papers.path(&format!("{file}.{end}")).display().to_string();
            let (cert, key) = (path("crt"), path("key"));
            publishes(
                port,
                &ca,
                &[&["--cert", &cert, "--key", &key, "-V", "mqttv5"], more].concat(),
            )
        };
        assert!(shows("hall-lamp", &["-t", "home/hall/lamp/report"]));
        assert!(!shows("hall-lamp", &["-t", "home/hall/door/report"]), "another's topic");
        assert!(!shows("hall-lamp", &["-t", "home/hall/lamp/report", "-u", "ada", "-P", "secret"]));
        assert!(!shows("stranger", &["-t", "home/hall/lamp/report"]), "no user");
        let with_password = ["-u", "ada", "-P", "secret", "-t", "home/hall/lamp/set"];
        assert_eq!(publishes(port, &ca, &with_password), !required);
        assert!(!publishes(port, &ca, &["-t", "home/hall/lamp/set"]), "neither");
    }
}

#[test]
fn only_the_common_name_of_a_certificate_is_a_login() {
    let (papers, broker) = with_client_certificates(false);
    let mut params = CertificateParams::new(["ada".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "of a host that is called ada");
    papers.issue_as("host", &params);
    let (port, ca) = (port(&broker, "tls"), papers.path("ca.crt"));
    let shows = |file: &str, topic: &str| {
        let path = |end: &str| papers.path(&format!("{file}.{end}")).display().to_string();
        publishes(port, &ca, &["--cert", &path("crt"), "--key", &path("key"), "-t", topic])
    };
    assert!(!shows("host", "home/hall/lamp/set"), "ada is a user, and a name of a host here");
    assert!(shows("hall-lamp", "home/hall/lamp/report"));
}

#[test]
fn a_broker_may_have_no_port_without_tls() {
    let papers = Papers::new();
    let tls = Some(papers.tls());
    let broker = start_with(Settings { bind: String::new(), tls, ..settings() });
    assert_eq!(broker.ports.iter().map(|(_, speaks)| *speaks).collect::<Vec<_>>(), ["tls"]);
    assert!(publishes(port(&broker, "tls"), &papers.path("ca.crt"), &["-t", "x"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let nowhere = broker::Broker::bind(Settings { bind: String::new(), ..settings() });
    let error = runtime.block_on(nowhere).unwrap_err().to_string();
    assert!(error.contains("no port"), "{error}");
}

#[test]
fn certificates_are_loaded_anew_and_a_broken_file_changes_nothing() {
    let papers = Papers::new();
    let broker = start_with(Settings { tls: Some(papers.tls()), ..settings() });
    let port = port(&broker, "tls");
    let next = Papers::new();
    fs::copy(next.path("server.crt"), papers.path("server.crt")).unwrap();
    let error = broker.reloader.reload().unwrap_err().to_string();
    assert!(error.contains("server.key") && error.contains("server.crt"), "{error}");
    assert!(publishes(port, &papers.path("ca.crt"), &["-t", "x"]), "still the old one");
    fs::copy(next.path("server.key"), papers.path("server.key")).unwrap();
    broker.reloader.reload().unwrap();
    assert!(publishes(port, &next.path("ca.crt"), &["-t", "x"]));
    assert!(!publishes(port, &papers.path("ca.crt"), &["-t", "x"]));
    fs::write(papers.path("server.crt"), "nonsense").unwrap();
    let error = broker.reloader.reload().unwrap_err().to_string();
    assert!(error.contains("no certificate in it"), "{error}");
}

#[test]
fn one_too_many_is_told_so() {
    let mut settings = settings();
    settings.limits.connections_per_address = 2;
    let broker = start_with(settings);
    let (first, _second) = (broker.v5("1").connect(), broker.v4("2").connect());
    assert_eq!((broker.v5("3").refused(), broker.v4("3").refused()), (0x97, 3));
    first.disconnect();
    // The place is free a moment after the connection has ended.
    while broker.v5("3").try_connect().is_none() {}
}

#[test]
fn a_subscriber_gets_much_over_tls() {
    let papers = Papers::new();
    let broker = start_with(Settings { tls: Some(papers.tls()), ..settings() });
    let port = port(&broker, "tls").to_string();
    let ca = papers.path("ca.crt").display().to_string();
    let args = [
        "-h",
        "localhost",
        "-p",
        &port,
        "--cafile",
        &ca,
        "-q",
        "1",
        "-t",
        "much",
        "-C",
        "2000",
        "-F",
        "%l",
    ];
    let sub = std::process::Command::new("mosquitto_sub")
        .args(args)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut writer: Client = broker.v5("writer").connect();
    let payload = "x".repeat(8192);
    // Retained, so that it is there whenever the subscriber is.
    writer.publish("much", &payload, 1);
    let mut sent = 0;
    let output = std::thread::spawn(move || sub.wait_with_output().unwrap());
    while !output.is_finished() {
        writer.publish_acked("much", &payload);
        sent += 1;
        assert!(sent < 200_000, "the subscriber never had enough");
    }
    let output = String::from_utf8(output.join().unwrap().stdout).unwrap();
    assert_eq!(output.lines().filter(|line| *line == "8192").count(), 2000);
}
