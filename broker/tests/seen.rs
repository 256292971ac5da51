//! What can be seen of a broker: `$SYS` topics, metrics, and a line in the log for every end of a connection.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use broker::{Broker, Limits, Settings};
use tokio::sync::oneshot;

/// How long anything may take before a test gives up on it; never a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker in this process; dropping it stops it.
struct Running {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    _stop: oneshot::Sender<()>,
}

async fn broker(change: impl FnOnce(&mut Settings)) -> Running {
    let mut settings = Settings {
        bind: "127.0.0.1:0".to_owned(),
        sys_interval: Duration::from_millis(20),
        ..Settings::default()
    };
    change(&mut settings);
    let broker = Broker::bind(settings).await.unwrap();
    let (address, metrics) = (broker.local_addr(), broker.metrics_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(broker.run(async { drop(stopped.await) }));
    Running { address, metrics, _stop: stop }
}

/// A client that speaks bytes.
struct Client(TcpStream);

impl Client {
    fn raw(broker: &Running) -> Self {
        let stream = TcpStream::connect(broker.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn v311(broker: &Running, id: &str, keep_alive: u8) -> Self {
        let mut client = Self::raw(broker);
        client.send(0x10, &[b"\0\x04MQTT\x04\x02\0", &[keep_alive][..], &text(id)].concat());
        assert_eq!(client.packet(), (0x20, vec![0, 0]));
        client
    }

    fn v5(broker: &Running, id: &str) -> Self {
        let mut client = Self::raw(broker);
        client.send(0x10, &[b"\0\x04MQTT\x05\x02\0\0\0", &text(id)[..]].concat());
        assert_eq!(client.packet().1[..2], [0, 0]);
        client
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let mut length = body.len();
        let mut packet = vec![kind];
        loop {
            let more = length > 127;
            packet.push((length % 128) as u8 | (u8::from(more) << 7));
            length /= 128;
            if !more {
                break;
            }
        }
        packet.extend(body);
        self.0.write_all(&packet).unwrap();
    }

    fn packet(&mut self) -> (u8, Vec<u8>) {
        self.try_packet().unwrap()
    }

    fn try_packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        let kind = byte[0];
        let (mut length, mut shift) = (0, 0);
        loop {
            self.0.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 127) << shift;
            shift += 7;
            if byte[0] < 128 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((kind, body))
    }

    /// Reads until the broker ends the connection.
    fn until_closed(&mut self) {
        while self.try_packet().is_ok() {}
    }

    fn subscribe(&mut self, filter: &str) {
        self.send(0x82, &[&[0, 1][..], &text(filter), &[0]].concat());
    }

    /// Publishes of MQTT 3.1.1 at QoS 0 go into `seen`, until that is so.
    fn watch(
        &mut self,
        seen: &mut BTreeMap<String, String>,
        until: impl Fn(&BTreeMap<String, String>) -> bool,
    ) {
        let began = Instant::now();
        while !until(seen) {
            assert!(began.elapsed() < PATIENCE, "{seen:#?}");
            let (kind, body) = self.packet();
            if kind >> 4 == 3 {
                let (topic, payload) = body[2..].split_at(usize::from(body[1]));
                let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                seen.insert(words(topic), words(payload));
            }
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sys_topics_tell_what_happens_and_stay_for_who_comes_later() {
    let broker = broker(|_| {}).await;
    let mut watcher = Client::v311(&broker, "watcher", 0);
    watcher.subscribe("$SYS/#");
    let mut other = Client::v311(&broker, "other", 0);
    other.subscribe("a/+");
    for payload in [&b"one"[..], b"", b"three"] {
        other.send(0x31, &[&text("a/b")[..], payload].concat());
    }
    let is = |seen: &BTreeMap<String, String>, topic: &str, value: &str| {
        seen.get(&format!("$SYS/broker/{topic}")).is_some_and(|found| found == value)
    };
    let mut seen = BTreeMap::new();
    watcher.watch(&mut seen, |seen| {
        is(seen, "clients/connected", "2")
            && is(seen, "clients/maximum", "2")
            && is(seen, "subscriptions/count", "2")
            && is(seen, "publish/messages/received", "3")
            && is(seen, "publish/bytes/received", "8")
            && is(seen, "retained messages/count", "1")
            && is(seen, "store/messages/bytes", "8")
    });
    drop(other);
    watcher.watch(&mut seen, |seen| is(seen, "clients/connected", "1"));
    let mut later = Client::v311(&broker, "later", 0);
    later.subscribe("$SYS/broker/#");
    let mut seen = BTreeMap::new();
    let known = [
        "uptime",
        "clients/disconnected",
        "clients/total",
        "clients/expired",
        "messages/received",
        "messages/sent",
        "messages/stored",
        "publish/messages/sent",
        "publish/messages/dropped",
        "publish/bytes/sent",
        "bytes/received",
        "bytes/sent",
        "shared_subscriptions/count",
        "store/messages/count",
        "load/messages/received/1min",
        "load/bytes/sent/15min",
        "load/connections/5min",
        "load/sockets/1min",
        "load/publish/dropped/1min",
        "version",
        "hearth/acknowledgements/withheld",
        "hearth/zones/waiting",
        "hearth/router/window",
    ];
    later.watch(&mut seen, |seen| {
        known.iter().all(|topic| seen.contains_key(&format!("$SYS/broker/{topic}")))
    });
    assert!(is(&seen, "hearth/store", "ok"));
    assert!(is(&seen, "version", concat!("hearth version ", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_waits_is_seen() {
    let broker = broker(|settings| settings.limits.gateway_grace = PATIENCE).await;
    let mut device = Client::v311(&broker, "device", 0);
    device.send(0x32, &[&text("home/kitchen/lamp/report")[..], &[0, 7], b"ON"].concat());
    let mut watcher = Client::v311(&broker, "watcher", 0);
    watcher.subscribe("$SYS/broker/hearth/#");
    let mut seen = BTreeMap::new();
    watcher.watch(&mut seen, |seen| {
        let is = |topic: &str| {
            seen.get(&format!("$SYS/broker/hearth/{topic}")).is_some_and(|value| value == "1")
        };
        is("zones/kitchen/held") && is("zones/waiting") && is("acknowledgements/withheld")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_broker_publishes_below_sys() {
    let broker = broker(|settings| settings.sys_interval = Duration::ZERO).await;
    let mut watcher = Client::v311(&broker, "watcher", 0);
    watcher.subscribe("$SYS/#");
    watcher.subscribe("end");
    let topic = text("$SYS/broker/version");
    let mut modern = Client::v5(&broker, "modern");
    modern.send(0x33, &[&topic[..], &[0, 7, 0], b"mine"].concat());
    assert_eq!(modern.packet(), (0x40, vec![0, 7, 0x87]), "PUBACK: not authorized");
    modern.send(0x35, &[&topic[..], &[0, 8, 0], b"mine"].concat());
    assert_eq!(modern.packet(), (0x50, vec![0, 8, 0x87]), "PUBREC: not authorized");
    // MQTT 3.1.1 has no way to say no.
    let mut old = Client::v311(&broker, "old", 0);
    old.send(0x31, &[&topic[..], b"mine"].concat());
    old.send(0x33, &[&topic[..], &[0, 7], b"mine"].concat());
    assert_eq!(old.packet(), (0x40, vec![0, 7]));
    old.send(0x35, &[&topic[..], &[0, 8], b"mine"].concat());
    assert_eq!(old.packet(), (0x50, vec![0, 8]));
    old.send(0x62, &[0, 8]);
    assert_eq!(old.packet(), (0x70, vec![0, 8]));
    old.send(0x30, &[&text("end")[..], b"end"].concat());
    let mut seen = BTreeMap::new();
    watcher.watch(&mut seen, |seen| seen.contains_key("end"));
    assert_eq!(seen.len(), 1, "{seen:?}");
    let mut later = Client::v311(&broker, "later", 0);
    later.subscribe("$SYS/#");
    later.send(0xc0, &[]);
    assert_eq!((later.packet().0, later.packet().0), (0x90, 0xd0), "nothing was retained");
}

fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // An answer that is cut short fails the test by what is missing in it.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_gets_every_number_with_its_kind() {
    let broker = broker(|settings| {
        settings.metrics = Some("127.0.0.1:0".to_owned());
        settings.limits.gateway_grace = PATIENCE;
    })
    .await;
    let metrics = broker.metrics.unwrap();
    let mut client = Client::v311(&broker, "client", 0);
    let waits = |zone: &str| text(&format!("home/{zone}/lamp/report"));
    client.send(0x32, &[&waits("the \"den\"")[..], &[0, 1], b"ON"].concat());
    client.send(0xc0, &[]);
    client.packet();
    // Silent and endless requests keep nobody from being answered.
    let silent = TcpStream::connect(metrics).unwrap();
    let answer = http(metrics, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    for line in [
        "# TYPE hearth_broker_clients_connected gauge",
        "hearth_broker_clients_connected 1",
        "# TYPE hearth_broker_publishes_received_total counter",
        "hearth_broker_publishes_received_total 1",
        "hearth_broker_acknowledgements_withheld 1",
        "hearth_broker_zone_held{zone=\"the \\\"den\\\"\"} 1",
        "hearth_broker_store_failing 0",
    ] {
        assert!(body.lines().any(|found| found == line), "{line} is missing in\n{body}");
    }
    let values = body.lines().filter(|line| !line.starts_with('#'));
    for (helped, line) in values.map(|line| (line.split(['{', ' ']).next().unwrap(), line)) {
        assert!(body.contains(&format!("# HELP {helped} ")), "{line}");
        assert!(line.rsplit(' ').next().unwrap().parse::<u64>().is_ok(), "{line}");
    }
    assert!(http(metrics, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(http(metrics, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert_eq!(http(metrics, &"x".repeat(20_000)), "");
    drop(silent);
}

/// What was written to the log of this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines_with(&self, words: &str) -> Vec<String> {
        let all = String::from_utf8_lossy(&self.lock()).into_owned();
        all.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_has_one_line_at_its_end_with_client_address_and_reason() {
    let log = Log::default();
    let writer = log.clone();
    let filter = tracing_subscriber::EnvFilter::new("info,rumqttd=off");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).init();
    let limits = Limits {
        connect_timeout: Duration::from_millis(300),
        queue_messages: 5,
        sessions: 3,
        ..Limits::default()
    };
    let broker = broker(|settings| settings.limits = limits).await;
    let address = |client: &Client| client.0.local_addr().unwrap().to_string();
    // Client id, address, reason.
    let mut ends: Vec<(&str, String, &str)> = Vec::new();

    let mut polite = Client::v311(&broker, "polite", 0);
    ends.push(("polite", address(&polite), "said goodbye"));
    polite.send(0xe0, &[]);
    polite.until_closed();

    let rude = Client::v311(&broker, "rude", 0);
    ends.push(("rude", address(&rude), "went away without a word"));
    drop(rude);

    let mut broken = Client::v311(&broker, "broken", 0);
    ends.push(("broken", address(&broken), "broke the protocol"));
    broken.send(0x00, &[]);
    broken.until_closed();

    let mut silent = Client::v311(&broker, "silent", 1);
    ends.push(("silent", address(&silent), "was silent for too long"));
    silent.until_closed();

    let mut first = Client::v311(&broker, "twin", 0);
    ends.push(("twin", address(&first), "was replaced by a newer connection"));
    let second = Client::v311(&broker, "twin", 0);
    first.until_closed();

    let mut slow = Client::v311(&broker, "slow", 0);
    ends.push(("slow", address(&slow), "fell too far behind"));
    slow.send(0x82, &[&[0, 1][..], &text("flood"), &[1]].concat());
    slow.packet();
    let mut flood = Client::v311(&broker, "flood", 0);
    for n in 0..2000_u16 {
        // 1000 are under way to the slow one, which acknowledges nothing.
        let pid = (n + 1).to_be_bytes();
        flood.send(0x32, &[&text("flood")[..], &pid, &[b'x'; 64]].concat());
        flood.packet();
    }
    slow.until_closed();

    // Three sessions are all there may be: twin, flood, and this one.
    let third = Client::v311(&broker, "third", 0);
    let mut many = Client::raw(&broker);
    ends.push(("many", address(&many), "came while the broker was full"));
    many.send(0x10, &[b"\0\x04MQTT\x04\x02\0\0", &text("many")[..]].concat());
    many.until_closed();

    // Without a CONNECT that can be understood nobody knows the client.
    let mut mute = Client::raw(&broker);
    ends.push(("", address(&mute), "sent no CONNECT in time"));
    mute.until_closed();
    let gone = Client::raw(&broker);
    ends.push(("", address(&gone), "went away before its CONNECT"));
    drop(gone);
    let mut garbled = Client::raw(&broker);
    ends.push(("", address(&garbled), "sent a malformed packet"));
    garbled.send(0x10, b"\0\x04NOPE\x04\x02\0\0");
    garbled.until_closed();

    for (client, address, reason) in &ends {
        let began = Instant::now();
        let of = |log: &Log| {
            let lines = log.lines_with(&format!("peer={address} "));
            lines.into_iter().filter(|line| line.contains("reason=")).collect::<Vec<_>>()
        };
        while of(&log).is_empty() {
            assert!(began.elapsed() < PATIENCE, "no line for {client} {address}: {reason}");
        }
        let lines = of(&log);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains("INFO") && lines[0].contains(reason), "{reason}: {}", lines[0]);
        let named = client.is_empty() || lines[0].contains(&format!("client=\"{client}\""));
        assert!(named, "{client}: {}", lines[0]);
    }
    drop((second, third, flood));
}
