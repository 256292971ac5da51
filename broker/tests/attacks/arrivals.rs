//! Those who come and do not become clients: silent, slow, or too many.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::Attack;
use crate::kit::Client;
use crate::victim::{KIB, MIB, Victim};
use crate::witness::Witness;

pub(crate) const ATTACKS: &[Attack] = &[
    ("silent_and_slow_connects", silent_and_slow_connects),
    ("tls_handshakes_that_stall", tls_handshakes_that_stall),
    ("a_flood_of_connections_from_one_address", a_flood_of_connections_from_one_address),
];

/// What a connection may cost, see `Limits::connections`.
const CONNECTION: usize = 20 * KIB;

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

/// Waits until the broker has closed a connection; false if that does not come.
fn was_given_up(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn tls_handshakes_that_stall() {
    let papers = papers();
    let folder = papers.path().display();
    let victim = Victim::start(&format!("connect_seconds=8 tls={folder}"));
    let tls = victim.tls.unwrap();
    let witness = Witness::of(&victim);
    // A record of 512 bytes begins, which would be a ClientHello.
    let start = [b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03".as_slice(), &[7; 100]].concat();
    let mut stalled: Vec<_> = (0..1_200).map(|_| TcpStream::connect(tls).unwrap()).collect();
    for stream in &mut stalled {
        stream.write_all(&start).unwrap();
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
    victim.stays_below("TLS handshakes that stall", 1_200 * CONNECTION);
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let other = SocketAddr::from(([127, 0, 0, 2], 0));
    let mut flood: Vec<Client> = (0..2_200)
        .map(|number| {
            let stream = runtime.block_on(async {
                let socket = tokio::net::TcpSocket::new_v4().unwrap();
                socket.bind(other).unwrap();
                socket.connect(victim.addr).await.unwrap().into_std().unwrap()
            });
            stream.set_nonblocking(false).unwrap();
            let mut client = Client::on(stream, true);
            client.send(&victim.v5(&format!("flood-{number}")).packet());
            client
        })
        .collect();
    witness.is_served();
    for client in &mut flood[..2_000] {
        assert_eq!(client.expect(0x20)[1], 0);
    }
    for client in &mut flood[2_000..] {
        // Who is told is told why; beyond some dozens at a time nobody is.
        if let Some((_, body)) = client.try_packet() {
            assert_eq!(body[1], 0x97, "Quota exceeded");
        }
    }
    victim.v5("another address").connect().ping();
    witness.was_served();
    victim.stays_below("a flood of connections", 2_000 * CONNECTION + MIB);
}
