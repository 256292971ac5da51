//! Who may come by WebSocket, and WebSocket over TLS. What is said there is tested by the conformance cases.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use broker::{Settings, WebSocket};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring,
};

use crate::kit::{PATIENCE, Running, packet, settings, start_with, text};
use crate::transport::{Papers, port};
use crate::web::{BINARY, CLOSE, Web};

fn with_websocket() -> Running {
    let websocket = Some(WebSocket { bind: "127.0.0.1:0".to_owned(), tls: false });
    start_with(Settings { websocket, ..settings() })
}

fn stream(broker: &Running, speaks: &str) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port(broker, speaks))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_strange_page_is_refused() {
    let broker = with_websocket();
    for (origin, status) in [
        ("http://evil.example", "403"),
        ("http://localhost.evil.example", "403"),
        ("null", "403"),
        ("http://localhost:8080", "101"),
        ("http://127.0.0.1", "101"),
    ] {
        let headers = format!("Sec-WebSocket-Protocol: mqtt\r\nOrigin: {origin}\r\n");
        let (_, answer) = Web::ask(stream(&broker, "ws"), &headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{origin}: {answer}");
    }
}

/// A broker for `wss://`, and its papers.
fn with_both(more: impl FnOnce(&mut Settings)) -> (Papers, Running) {
    let papers = Papers::new();
    let websocket = Some(WebSocket { bind: "127.0.0.1:0".to_owned(), tls: true });
    let mut settings = Settings { websocket, tls: Some(papers.tls()), ..settings() };
    more(&mut settings);
    let broker = start_with(settings);
    (papers, broker)
}

/// The client's side of TLS on the port for `wss://`.
fn secured(broker: &Running, papers: &Papers) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(papers.path("ca.crt")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(tls, stream(broker, "wss"))
}

#[test]
fn both_versions_are_spoken_by_websocket_over_tls() {
    let (papers, broker) = with_both(|_| {});
    // More than a record of TLS and more than a frame hold.
    let large = "x".repeat(200_000);
    for connect in [broker.v4("web"), broker.v5("web")] {
        let mut web = Web::open(secured(&broker, &papers));
        web.send(BINARY, &connect.packet());
        assert_eq!(web.next().unwrap().1[0], 0x20, "CONNACK");
        let properties: &[u8] = if connect.v5 { &[0] } else { &[] };
        let mut filter = [&[0, 1], properties].concat();
        text(&mut filter, "to/web");
        web.send(BINARY, &packet(0x82, &[&filter[..], &[0]].concat()));
        assert_eq!(web.next().unwrap().1[0], 0x90, "SUBACK");

        let mut plain = broker.v5("plain").connect();
        plain.subscribe("from/web", 0);
        plain.publish("to/web", &large, 0);
        let mut came = Vec::new();
        while came.len() < large.len() {
            came.extend(web.next().expect("all of it").1);
        }
        assert!(came.ends_with(large.as_bytes()), "{} bytes", came.len());

        let mut publish = Vec::new();
        text(&mut publish, "from/web");
        let publish = [&publish[..], properties, large.as_bytes()].concat();
        web.send(BINARY, &packet(0x30, &publish));
        assert_eq!(plain.got().payload, large);
        web.send(BINARY, &[0xE0, 0]);
        assert!(web.next().is_none_or(|(first, _)| first == CLOSE));
    }
}

#[test]
fn a_port_for_wss_takes_nothing_less() {
    let (papers, broker) = with_both(|_| {});
    let (_, answer) = Web::ask(stream(&broker, "wss"), "Sec-WebSocket-Protocol: mqtt\r\n");
    assert!(!answer.starts_with("HTTP"), "an upgrade without TLS: {answer}");
    let mut mqtt = secured(&broker, &papers);
    mqtt.write_all(&broker.v5("plain").packet()).unwrap();
    let mut answer = Vec::new();
    _ = mqtt.read_to_end(&mut answer);
    assert_ne!(answer.first(), Some(&0x20), "CONNACK without WebSocket");
}

#[test]
fn silence_behind_the_handshake_of_tls_ends_it_too() {
    let limit = |settings: &mut Settings| {
        settings.limits.connect_timeout = Duration::from_millis(500);
    };
    let (papers, broker) = with_both(limit);
    let mut tls = secured(&broker, &papers);
    tls.write_all(b"GET /mqtt HTTP/1.1\r\n").unwrap();
    assert!(matches!(tls.read(&mut [0; 64]), Ok(0) | Err(_)));
}

#[test]
fn a_packet_that_is_too_large_is_refused_with_its_reason() {
    let broker = with_websocket();
    let largest = settings().limits.packet_bytes as usize;
    // In one frame, which is read no further than the packet's length; and in many.
    for frame in [2 * largest, 30_000] {
        let mut web = Web::open(stream(&broker, "ws"));
        web.send(BINARY, &broker.v5("large").packet());
        assert_eq!(web.next().unwrap().1[0], 0x20, "CONNACK");
        let publish = packet(0x30, &vec![0; largest + 1]);
        for part in publish.chunks(frame) {
            web.send(BINARY, part);
        }
        assert_eq!(web.next().unwrap().1, [0xE0, 2, 0x95, 0], "DISCONNECT, Packet too large");
        assert!(web.next().is_none_or(|(first, _)| first == CLOSE));
    }
}
