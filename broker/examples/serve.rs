//! A broker alone, for trying things out: `cargo run -p broker --example serve -- 127.0.0.1:1883`.

use broker::{Broker, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "info,rumqttd=off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut settings = Settings::default();
    if let Some(bind) = std::env::args().nth(1) {
        settings.bind = bind;
    }
    let broker = Broker::bind(settings).await?;
    println!("listening on {}", broker.local_addr());
    let stopped = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    broker.run(stopped).await?;
    Ok(())
}
