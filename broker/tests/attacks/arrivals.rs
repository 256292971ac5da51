//! Those who come and do not become clients: silent, slow, or too many.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::Attack;
use crate::kit::Client;
use crate::victim::{KIB, MIB, Victim};
use crate::witness::Witness;

pub(crate) const ATTACKS: &[Attack] = &[
    ("ten_thousand_silent_sockets", ten_thousand_silent_sockets),
    ("silent_and_slow_connects", silent_and_slow_connects),
    ("handshakes_that_stall", handshakes_that_stall),
    ("a_flood_of_connections_from_one_address", a_flood_of_connections_from_one_address),
    ("a_full_house_has_places_for_gateways", a_full_house_has_places_for_gateways),
    ("whoever_speaks_something_else", whoever_speaks_something_else),
];

/// What a connection may cost, see `Limits::connections`.
const CONNECTION: usize = 20 * KIB;

/// A connection that comes from an address of this machine.
pub(crate) fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
}

/// The address that attacks.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn ten_thousand_silent_sockets() {
    // None of them is given up because its time is over.
    let victim = Victim::start("connect_seconds=3600");
    let witness = Witness::of(&victim);
    let mut silent = Vec::new();
    for thousand in 0..10 {
        silent.extend((0..1_000).map(|_| connect_from(ATTACKER, victim.addr)));
        victim.v5(&format!("fresh-{thousand}")).connect().ping();
        let mut neighbour = Client::on(connect_from(ATTACKER, victim.addr), true);
        neighbour.send(&victim.v5("neighbour").packet());
        assert_eq!(neighbour.expect(0x20)[1], 0, "from the same address");
    }
    assert!(silent[..8_000].iter_mut().all(was_given_up), "the oldest gave their places up");
    witness.was_served();
    victim.has_logged_once("127.0.0.2: was silent while too many others came");
    victim.stays_below("silent sockets", 1_000 * CONNECTION);
}

fn silent_and_slow_connects() {
    let victim = Victim::start("connect_seconds=8");
    let witness = Witness::of(&victim);
    let mut half = victim.v5("half").packet();
    half.truncate(half.len() / 2);
    // It promises 1 MiB, and brings 64 KiB of it.
    let mut large = b"\x10\x80\x80\x40\0\x04MQTT\x05\x02\0\0\0\xFF\xFF".to_vec();
    large.resize(64 * KIB, b'x');
    let starts: [&[u8]; 3] = [b"", &half, &large];
    let mut slow: Vec<_> = (0..1_200).map(|_| TcpStream::connect(victim.addr).unwrap()).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        stream.write_all(starts[number % 3]).unwrap();
    }
    witness.is_served();
    for stream in &mut slow {
        assert!(was_given_up(stream));
    }
    witness.was_served();
    // A buffer grows by doubling.
    victim.stays_below("silent and slow CONNECTs", 1_200 * CONNECTION + 400 * 2 * 64 * KIB);
}

/// Waits until the broker has closed a connection, with a reason or without; false if that does not come.
fn was_given_up(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn handshakes_that_stall() {
    let papers = papers();
    let folder = papers.path().display();
    let victim = Victim::start(&format!("connect_seconds=8 tls={folder} websocket=1"));
    let tls = victim.tls.unwrap();
    let witness = Witness::of(&victim);
    // A record of 512 bytes begins, which would be a ClientHello.
    let start = [b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03".as_slice(), &[7; 100]].concat();
    let mut stalled: Vec<_> = (0..600).map(|_| TcpStream::connect(tls).unwrap()).collect();
    for stream in &mut stalled {
        stream.write_all(&start).unwrap();
    }
    // A request of HTTP whose head does not end.
    let ask = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 20 * KIB]].concat();
    let web = victim.websocket.unwrap();
    for _ in 0..600 {
        let mut stream = TcpStream::connect(web).unwrap();
        stream.write_all(&ask).unwrap();
        stalled.push(stream);
    }
    let certificate = papers.path().join("server.crt");
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "localhost", "-p", &tls.port().to_string(), "-q", "1", "-t", "t"]);
    command.args(["-m", "through", "--cafile"]).arg(certificate);
    assert!(command.status().unwrap().success(), "others come in over TLS");
    witness.is_served();
    for stream in &mut stalled {
        assert!(was_given_up(stream));
    }
    witness.was_served();
    victim.has_logged_once("127.0.0.1: its handshake of TLS or WebSocket failed");
    victim.stays_below("handshakes that stall", 1_000 * CONNECTION + 600 * 2 * 20 * KIB);
}

/// A folder with a certificate that is its own authority.
fn papers() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("server.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("server.key"), made.signing_key.serialize_pem()).unwrap();
    folder
}

fn a_flood_of_connections_from_one_address() {
    let victim = Victim::start("");
    let witness = Witness::of(&victim);
    let mut flood: Vec<Client> = (0..2_200)
        .map(|number| {
            let mut client = Client::on(connect_from(ATTACKER, victim.addr), true);
            client.send(&victim.v5(&format!("flood-{number}")).packet());
            assert_eq!(client.expect(0x20)[1], if number < 2_000 { 0 } else { QUOTA });
            client
        })
        .collect();
    witness.is_served();
    victim.v5("another address").connect().ping();
    flood.pop();
    witness.was_served();
    victim.has_logged_once("127.0.0.2: has as many connections as one address may have");
    victim.stays_below("a flood of connections", 2_000 * CONNECTION + MIB);
}

/// Reason codes.
const BUSY: u8 = 0x89;
const QUOTA: u8 = 0x97;

fn a_full_house_has_places_for_gateways() {
    // Two are the witness's.
    let victim = Victim::start("connections=100 gateway_connections=20");
    let witness = Witness::of(&victim);
    let come = |name: &str| {
        let mut client = Client::on(connect_from(ATTACKER, victim.addr), true);
        client.send(&victim.v5(name).packet());
        let code = client.expect(0x20)[1];
        (client, code)
    };
    let crowd: Vec<_> = (0..78).map(|number| come(&format!("crowd-{number}"))).collect();
    assert!(crowd.iter().all(|(_, code)| *code == 0));
    assert_eq!(come("one-too-many").1, BUSY);
    let gateways: Vec<_> = (0..20).map(|number| come(&format!("hearth-home-{number}"))).collect();
    assert!(gateways.iter().all(|(_, code)| *code == 0));
    assert_eq!(come("hearth-home-20").1, BUSY);
    witness.was_served();
    victim.has_logged_once("127.0.0.2: came while all places for connections were taken");
}

/// No attack, but the commonest refusal of all: the log says what to do.
fn whoever_speaks_something_else() {
    let papers = papers();
    let victim = Victim::start(&format!("tls={} websocket=1", papers.path().display()));
    let (plain, tls, web) = (victim.addr, victim.tls.unwrap(), victim.websocket.unwrap());
    let connect = victim.v4("plain").packet();
    let (hello, get) = (b"\x16\x03\x01\x02\0", b"GET / HTTP/1.1\r\n");
    for (port, said, hint) in [
        (tls, &connect[..], "speaks MQTT without TLS"),
        (plain, hello, "speaks TLS, and this port does not"),
        (plain, get, "speaks HTTP, and this port does not"),
        (web, &connect, "speaks MQTT without WebSocket"),
    ] {
        let mut stream = TcpStream::connect(port).unwrap();
        stream.write_all(said).unwrap();
        assert!(was_given_up(&mut stream));
        victim.has_logged(hint);
    }
}
