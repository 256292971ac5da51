//! The numbers for Prometheus, over just enough HTTP: `GET /metrics`, one answer per connection.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Snapshot, figures};
use crate::hub::Hub;
use crate::listener::BREATHER;

/// Requests at a time. 8: one or two scrapers ask every few seconds; the rest waits to be accepted.
const AT_ONCE: usize = 8;
/// Bytes of a request's head. 8 KiB: what browsers send is shorter.
const HEAD: usize = 8 * 1024;
/// Time for one request and its answer. 5 s: half of what a scraper waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// The port on which the numbers are told.
#[derive(Debug)]
pub(crate) struct Metrics {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Metrics {
    pub(crate) async fn bind(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Answers for ever.
    pub(crate) async fn serve(self, hub: Arc<Hub>) {
        let mut requests = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if requests.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) => {
                        requests.spawn(timeout(PATIENCE, answer(stream, hub.clone())));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not accept a request for metrics");
                        tokio::time::sleep(BREATHER).await;
                    }
                },
                Some(_) = requests.join_next() => {}
            }
        }
    }
}

async fn answer(mut stream: TcpStream, hub: Arc<Hub>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let (status, body) = match head.split_whitespace().take(2).collect::<Vec<_>>()[..] {
        ["GET", "/metrics"] => ("200 OK", text(&hub.snapshot())),
        ["GET", _] => ("404 Not Found", "The numbers are at /metrics.\n".to_owned()),
        _ => ("405 Method Not Allowed", "Only GET is answered.\n".to_owned()),
    };
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The exposition format of Prometheus, version 0.0.4.
fn text(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for figure in figures(snapshot) {
        let kind = if figure.metric.ends_with("_total") { "counter" } else { "gauge" };
        head(&mut text, figure.metric, figure.help, kind);
        line(&mut text, figure.metric, figure.value);
    }
    head(
        &mut text,
        "zone_held",
        "Reports and orders that a zone's owner has not acknowledged.",
        "gauge",
    );
    for (zone, held) in &snapshot.core.zones.held {
        let zone = zone.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        line(&mut text, &format!("zone_held{{zone=\"{zone}\"}}"), *held);
    }
    text
}

fn head(text: &mut String, metric: &str, help: &str, kind: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "# HELP hearth_broker_{metric} {help}\n# TYPE hearth_broker_{metric} {kind}"
    );
}

fn line(text: &mut String, metric: &str, value: u64) {
    let _ = writeln!(text, "hearth_broker_{metric} {value}");
}
