//! One connection, or one after another.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::collections::hash_map::RandomState;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::connection::{Channels, Command, Connected, Ended, connect};
use crate::message::{DownReason, Event};
use crate::session::Subscriptions;
use crate::{Options, Qos};

/// The first pause; a broker that restarts at once is back within some of these.
const SHORTEST: Duration = Duration::from_millis(10);

/// The longest pause. A site has tens of clients, so a dead broker sees tens of attempts a second.
const LONGEST: Duration = Duration::from_secs(1);

/// One connection.
pub(crate) async fn once(options: Options, mut channels: Channels) {
    let mut subscriptions = Subscriptions::default();
    let ended = match connect(&options).await {
        Ok(connected) => connected.carry(&options, 1, &mut subscriptions, &mut channels).await,
        Err(reason) => Ended::Lost(reason),
    };
    match ended {
        Ended::Lost(reason) => report(&channels, Event::Down(reason)).await,
        Ended::ByUs(_) => {}
    }
}

/// One connection after another, until the caller closes.
pub(crate) async fn for_ever(
    options: Options,
    filters: Vec<(String, Qos)>,
    mut channels: Channels,
) {
    let mut subscriptions = Subscriptions::default();
    subscriptions.add(&filters);
    let mut pause = SHORTEST;
    let mut reported = false;
    for number in 1.. {
        let connected = tokio::select! {
            connected = connect(&options) => connected,
            _waiting = discard(&mut channels, &mut subscriptions) => return,
        };
        let reason = match connected {
            Err(reason) => reason,
            Ok(connected) => {
                reported = false;
                let began = Instant::now();
                let ended =
                    carry(connected, &options, number, &mut subscriptions, &mut channels).await;
                // Only a connection that lasted ends the growth of the pauses; otherwise two
                // clients with one name would throw each other out a hundred times a second.
                if began.elapsed() >= LONGEST {
                    pause = SHORTEST;
                }
                match ended {
                    Ended::Lost(reason) => reason,
                    Ended::ByUs(_waiting) => return,
                }
            }
        };
        tracing::debug!(%reason, ?pause, "no connection to {}", options.address);
        if !reported && !down(&mut channels, &mut subscriptions, reason).await {
            return;
        }
        reported = true;
        tokio::select! {
            () = sleep(jitter(pause)) => {}
            _waiting = discard(&mut channels, &mut subscriptions) => return,
        }
        pause = (pause * 2).min(LONGEST);
    }
}

async fn carry(
    connected: Connected,
    options: &Options,
    number: u64,
    subscriptions: &mut Subscriptions,
    channels: &mut Channels,
) -> Ended {
    // Whatever waits now was meant for the connection before.
    while let Ok(command) = channels.commands.try_recv() {
        if let Some(waiting) = dropped(command, subscriptions) {
            return Ended::ByUs(Some(waiting));
        }
    }
    connected.carry(options, number, subscriptions, channels).await
}

/// Tells the caller of an outage; false when the caller closed instead of listening.
async fn down(
    channels: &mut Channels,
    subscriptions: &mut Subscriptions,
    reason: DownReason,
) -> bool {
    let events = channels.events.clone();
    tokio::select! {
        _ = events.send(Event::Down(reason)) => true,
        _waiting = discard(channels, subscriptions) => false,
    }
}

/// Drops messages and remembers subscriptions, until the caller closes; who waits for that is told
/// when the result is dropped.
async fn discard(
    channels: &mut Channels,
    subscriptions: &mut Subscriptions,
) -> Option<oneshot::Sender<()>> {
    loop {
        let command = channels.commands.recv().await?;
        let close = dropped(command, subscriptions);
        if close.is_some() {
            return close;
        }
    }
}

fn dropped(command: Command, subscriptions: &mut Subscriptions) -> Option<oneshot::Sender<()>> {
    match command {
        Command::Publish(message) => {
            tracing::debug!(topic = message.topic, "dropped a message: no connection");
            None
        }
        Command::Subscribe(filters) => {
            subscriptions.add(&filters);
            None
        }
        Command::Close(done) => Some(done),
    }
}

async fn report(channels: &Channels, event: Event) {
    // A caller that does not listen any more needs no event.
    let _ = channels.events.send(event).await;
}

/// Between half of `pause` and all of it, so that clients of a broker that died do not all come
/// back in the same instant.
fn jitter(pause: Duration) -> Duration {
    let half = pause / 2;
    half + half.mul_f64(f64::from(random() as u32) / f64::from(u32::MAX))
}

/// A number that differs from call to call and from process to process; std's hash keys are
/// random, which saves a dependency where no secret is made.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
