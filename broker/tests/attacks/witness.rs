//! A normal writer and a normal reader, which must be served whatever others do.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use crate::kit::{Client, Got, Options};
use crate::victim::Victim;

/// Both, on a thread of their own.
pub(crate) struct Witness {
    over: Arc<AtomicBool>,
    rounds: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    pub(crate) fn of(victim: &Victim) -> Self {
        Self::with(victim, |options| options)
    }

    /// The same with more in the CONNECT.
    pub(crate) fn with(victim: &Victim, more: impl Fn(Options) -> Options) -> Self {
        let mut reader = more(victim.v4("witness-reader")).connect();
        reader.subscribe("witness/+", 2);
        let mut writer = more(victim.v5("witness-writer")).connect();
        let (over, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (ends, counts) = (over.clone(), rounds.clone());
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let round = counts.load(Ordering::Relaxed).to_string();
                exchange(&mut writer, &mut reader, &round);
                counts.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { over, rounds, thread: Some(thread) }
    }

    /// Claims that both are served now: rounds begin and end.
    pub(crate) fn is_served(&self) {
        let before = self.rounds.load(Ordering::Relaxed);
        while self.rounds.load(Ordering::Relaxed) < before + 2 {
            let thread = self.thread.as_ref().unwrap();
            assert!(!thread.is_finished(), "a normal client is not served");
            std::thread::yield_now();
        }
    }

    /// Claims that they were served to the end.
    pub(crate) fn was_served(mut self) {
        self.is_served();
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A message at QoS 1 and one at QoS 2 arrive once each, in order, and are acknowledged.
fn exchange(writer: &mut Client, reader: &mut Client, payload: &str) {
    writer.publish_acked("witness/1", payload);
    let got: Got = reader.got();
    assert_eq!((&*got.topic, &*got.payload, got.dup), ("witness/1", payload, false));
    reader.ack(&got);
    let pid = writer.publish("witness/2", payload, 4);
    assert_eq!(writer.expect(0x50)[..2], pid.to_be_bytes());
    writer.pid_packet(0x62, pid);
    writer.expect(0x70);
    let got = reader.got();
    assert_eq!((&*got.topic, &*got.payload, got.dup), ("witness/2", payload, false));
    reader.pid_packet(0x50, got.pid);
    reader.expect(0x62);
    reader.pid_packet(0x70, got.pid);
}
