//! Stock rumqttd 0.20 with the values of its own `rumqttd.toml`, for `hearth bench broker` to measure beside.
//!
//! ```sh
//! cargo build --release -p broker --example stock_rumqttd
//! target/release/examples/stock_rumqttd 127.0.0.1:1883     # until it is killed
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::ExitCode;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

fn main() -> ExitCode {
    let Some(Ok(listen)) = std::env::args().nth(1).map(|address| address.parse()) else {
        eprintln!("say where to listen, for example 127.0.0.1:1883");
        return ExitCode::from(2);
    };
    match Broker::new(stock(listen)).start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stock_rumqttd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The sections `router` and `v4.1` of the file that rumqttd ships.
fn stock(listen: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 60_000,
        max_payload_size: 20_480,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "v4-1".to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: 10_010,
        max_outgoing_packet_count: 200,
        max_segment_size: 104_857_600,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    Config { router, v4: Some(HashMap::from([("1".to_owned(), server)])), ..Config::default() }
}
