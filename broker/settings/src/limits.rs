//! Bounds. Every queue of the broker has one here, with the reason for its number.

use std::time::Duration;

/// The largest packet of MQTT, in bytes.
const PACKET: u32 = 268_435_455;

/// An hour, in milliseconds: the longest that anything may be waited for.
const LONGEST: i64 = 3_600_000;

/// Why a bound cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no such bound.
    #[error("there is no such bound")]
    Unknown,
    /// The number is too small or too large.
    #[error("a whole number from 1 to {most}")]
    Range {
        /// The largest that is allowed.
        most: i64,
    },
}

/// Makes [`Limits`] of one table: each bound's type, its default, and the most that it can be set to.
macro_rules! limits {
    (
        numbers { $($(#[$doc:meta])* $number:ident: $type:ty = $default:expr, to $most:expr;)+ }
        milliseconds { $($(#[$when:meta])* $time:ident = $millis:expr;)+ }
    ) => {
        /// Bounds of the broker.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $number: $type,)+
            $($(#[$when])* pub $time: Duration,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self {
                    $($number: $default,)+
                    $($time: Duration::from_millis($millis),)+
                }
            }
        }

        impl Limits {
            /// What the bounds are called in a file of settings; times end in `_ms`.
            pub const NAMES: &'static [&'static str] = &[
                $(stringify!($number),)+
                $(concat!(stringify!($time), "_ms"),)+
            ];

            /// Sets a bound by its name, a time in milliseconds.
            ///
            /// # Errors
            /// When there is no such bound, or the value is out of its range.
            pub fn set(&mut self, name: &str, value: i64) -> Result<(), LimitError> {
                $(if name == stringify!($number) {
                    let value = within(value, i64::from($most))?;
                    self.$number = <$type>::try_from(value).unwrap_or(<$type>::MAX);
                    return Ok(());
                })+
                $(if name == concat!(stringify!($time), "_ms") {
                    self.$time = Duration::from_millis(within(value, LONGEST)?);
                    return Ok(());
                })+
                Err(LimitError::Unknown)
            }
        }
    };
}

fn within(value: i64, most: i64) -> Result<u64, LimitError> {
    let number = u64::try_from(value).ok().filter(|_| (1..=most).contains(&value));
    number.ok_or(LimitError::Range { most })
}

limits! {
    numbers {
        /// Connections at a time. 10,000: a large home has a few hundred; one costs about 4 KiB.
        connections: usize = 10_000, to u32::MAX;
        /// Those of `connections` that only gateways can have. 1,000: three gateways with the zones of a large home.
        gateway_connections: usize = 1_000, to u32::MAX;
        /// Connections at a time from one address, or from one /64 of IPv6; not for gateways. 2,000: a whole fleet
        /// behind one router, and not all there are.
        connections_per_address: usize = 2_000, to u32::MAX;
        /// Connections beside those whose CONNECT has not come yet. 1,000, at 20 KiB each during a handshake of TLS: a
        /// fleet that comes back at once. A newer one takes the place of the oldest.
        pending_connections: usize = 1_000, to u32::MAX;
        /// Publishes that are read of one device in a second, over all its connections; what is more waits in its
        /// socket. 500: a sensor that is polled at 100 Hz has five values, and no home's disk minds.
        device_publishes_per_second: u32 = 500, to 1_000_000;
        /// Publishes of a device that was silent which are read at once. 1,000: what it has gathered during an outage.
        device_publishes_at_once: u32 = 1_000, to 1_000_000;
        /// Of each bound on sessions, wildcard filters and retained messages, and their bytes, what one user may have,
        /// in percent. 25: three users can fill no broker, and a home automation has 5,000 sessions and 30,000 retained
        /// messages.
        user_percent: u32 = 25, to 100;
        /// The same for a user that is a device. 2: 400 sessions, 2,400 retained messages and 5 MiB, of which a device
        /// needs one, a dozen and a few KiB.
        device_percent: u32 = 2, to 100;
        /// The same for all users of a role together. 75: another role always finds a quarter.
        role_percent: u32 = 75, to 100;
        /// The same for what is kept free for gateways. 5: 1,000 sessions and filters, as of the connections.
        gateway_percent: u32 = 5, to 100;
        /// Sessions, connected or not. 20,000: every connection and as many sleepers.
        sessions: usize = 20_000, to u32::MAX;
        /// Seconds that a session may outlive its connection; not a gateway's. 90 days: a home that is left for a
        /// season. A longer one is cut down to it, and u32::MAX cuts none.
        session_seconds: u32 = 90 * 24 * 3600, to u32::MAX;
        /// The same for a user that is a device. 30 days: what is switched off for longer begins anew, and what is
        /// thrown away is forgotten.
        device_session_seconds: u32 = 30 * 24 * 3600, to u32::MAX;
        /// Bytes of all that sessions are: client ids, filters, wills. 128 MiB: 6 KiB for each, or half a million
        /// subscriptions altogether.
        session_bytes: usize = 128 * 1024 * 1024, to u32::MAX;
        /// Largest packet that is read, in bytes. 17 MiB: a message of 16 MiB with its topic and properties.
        /// Zigbee2MQTT's list of a large home has 2, a camera still 1 to 8.
        packet_bytes: u32 = 17 * 1024 * 1024, to PACKET;
        /// Largest message on the site's own topics, in bytes. 1 MiB: gateways keep what is said there on every disk,
        /// and no device has as much to say.
        site_packet_bytes: u32 = 1024 * 1024, to PACKET;
        /// Bytes of packets above 256 KiB that are half read or half written, of all clients but gateways. 256 MiB: 15
        /// of the largest; a user has `user_percent` of it. What is more waits in its socket or queue.
        large_bytes: usize = 256 * 1024 * 1024, to u32::MAX;
        /// Messages that may wait for one session. 50,000: one second of a very busy home at about
        /// 100 bytes of bookkeeping each, so at most 5 MiB.
        queue_messages: usize = 50_000, to u32::MAX;
        /// Bytes of topic, properties and payload that may wait for one session, or be sent to its client and not
        /// acknowledged. 32 MiB: messages are shared
        /// between sessions, so many slow readers of the same topics cost this about once.
        queue_bytes: usize = 32 * 1024 * 1024, to u32::MAX;
        /// Bytes of all messages that wait for sessions, and of what is kept about them. 256 MiB: as much as is
        /// retained. A session may have no more waiting than is free of it, so that many slow readers get less each
        /// than few.
        waiting_bytes: usize = 256 * 1024 * 1024, to u32::MAX;
        /// QoS 1 and 2 messages sent to one client and not yet acknowledged. 1,000: enough for a 10 ms
        /// round trip at 100,000 messages a second; a client may ask for less by Receive Maximum.
        inflight: u16 = 1_000, to u16::MAX;
        /// QoS 1 and 2 publishes taken from one client and not yet acknowledged. 1,000, as above.
        /// Announced to MQTT 5 clients; an MQTT 3.1.1 client is not read further while its zone makes it wait, and
        /// beyond that has as many QoS 2 handshakes open as its user's part of `session_bytes` has room for.
        receive_maximum: u16 = 1_000, to u16::MAX;
        /// Subscriptions of one session. 10,000: a load test's fleet on one connection.
        subscriptions: usize = 10_000, to u32::MAX;
        /// Different wildcard filters that anyone is subscribed to. 20,000: one for every session, half a KiB each.
        wildcard_filters: usize = 20_000, to u32::MAX;
        /// Retained messages. 120,000: about 120 MiB with everyday payloads, and more than 100,000 beside the reserve.
        retained_messages: usize = 120_000, to u32::MAX;
        /// Bytes of retained messages. 256 MiB: what a small box can spare.
        retained_bytes: usize = 256 * 1024 * 1024, to u32::MAX;
        /// Zones of the site, and those with a session or something that waits for one. 1,000: a hotel's rooms. A user
        /// may make a part of them, in percent as above: 250, and a device 20.
        zones: usize = 1_000, to u32::MAX;
        /// Publishes of one zone taken in and not acknowledged by its session. 4,096: half a minute of a
        /// zone's hundred busy sensors while its owner moves.
        zone_messages: usize = 4_096, to u32::MAX;
        /// QoS 0 publishes held for a zone without a session. 64: fresh readings matter, old ones do not.
        zone_qos0: usize = 64, to u32::MAX;
        /// Bytes of all publishes taken in for zones and not acknowledged. 64 MiB.
        zone_bytes: usize = 64 * 1024 * 1024, to u32::MAX;
    }
    milliseconds {
        /// Time from TCP accept to a complete CONNECT, with all handshakes. 10 s: a slow radio link needs two or three.
        connect_timeout = 10_000;
        /// Time a write may stand still before the client counts as gone, also with keepalive 0.
        /// 20 s: longer than a Wi-Fi roam.
        write_timeout = 20_000;
        /// How often a waiting zone is announced. 250 ms: a lost announcement costs a blink.
        announce_every = 250;
        /// How long after its start a broker takes gateways to be on their way, and holds reports and orders for
        /// them; then, if none has come, it is a broker like any other. 5 s: a gateway knocks every second at least.
        gateway_grace = 5_000;
        /// How long after its start a broker takes the clients of its earlier life to be on their way back; then it
        /// publishes the wills of those who are not. 15 s: stock devices knock every ten.
        come_back = 15_000;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_can_be_set_by_its_name_within_its_range() {
        for name in Limits::NAMES {
            let mut limits = Limits::default();
            assert_eq!(limits.set(name, 1), Ok(()), "{name}");
            assert_ne!(limits, Limits::default(), "{name}");
            for wrong in [0, -1, i64::MAX] {
                assert!(matches!(limits.set(name, wrong), Err(LimitError::Range { .. })), "{name}");
            }
        }
        assert_eq!(Limits::default().set("patience", 1), Err(LimitError::Unknown));
    }

    #[test]
    fn a_bound_is_set_to_the_number_that_was_given() {
        let mut limits = Limits::default();
        for (name, value) in [("inflight", 65_535), ("sessions", 7), ("come_back_ms", 250)] {
            assert_eq!(limits.set(name, value), Ok(()));
        }
        assert_eq!((limits.inflight, limits.sessions), (u16::MAX, 7));
        assert_eq!(limits.come_back, Duration::from_millis(250));
        assert_eq!(limits.set("inflight", 65_536), Err(LimitError::Range { most: 65_535 }));
    }
}
