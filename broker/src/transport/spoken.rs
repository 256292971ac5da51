//! What a client speaks, by its first byte, where the port speaks something else: the commonest mistake of all.

/// What to tell whoever looks into the log; none if these may be the first bytes for a port with or without TLS and
/// WebSocket.
pub(crate) fn hint(first: &[u8], (tls, websocket): (bool, bool)) -> Option<&'static str> {
    const HELLO: u8 = 0x16;
    const CONNECT: u8 = 0x10;
    const GET: u8 = b'G';
    match (*first.first()?, tls, websocket) {
        (HELLO, false, _) => {
            Some("speaks TLS, and this port does not: give it the port of broker.tls")
        }
        (CONNECT, true, _) => {
            Some("speaks MQTT without TLS, and this port wants TLS: give it the authority's file")
        }
        (GET, true, _) => {
            Some("speaks HTTP without TLS, and this port wants TLS: wss://, not ws://")
        }
        (CONNECT, false, true) => {
            Some("speaks MQTT without WebSocket: give it the port of broker.bind")
        }
        (GET, false, false) => {
            Some("speaks HTTP, and this port does not: give it the port of broker.websocket")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wrong_language_has_a_hint() {
        for (first, right) in [
            (0x16, [(true, false), (true, true)].as_slice()),
            (0x10, &[(false, false)]),
            (b'G', &[(false, true)]),
        ] {
            for port in [(false, false), (true, false), (false, true), (true, true)] {
                assert_eq!(
                    hint(&[first], port).is_none(),
                    right.contains(&port),
                    "{first} {port:?}"
                );
            }
        }
        assert_eq!(hint(&[], (true, false)), None);
    }
}
