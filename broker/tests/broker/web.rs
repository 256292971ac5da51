//! A WebSocket client that speaks bytes. Used by both test programs.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::io::{ErrorKind, Read, Write};

/// First bytes of frames that are a whole message.
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;

/// One connection.
pub(crate) struct Web<S>(S);

impl<S: Read + Write> Web<S> {
    /// Asks for an upgrade with further headers; gives the head of the answer too.
    pub(crate) fn ask(mut stream: S, headers: &str) -> (Self, String) {
        // In one piece: a server that refuses the first bytes may close before the last ones.
        let request = format!(
            "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.flush().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
            head.push(byte[0]);
        }
        (Self(stream), String::from_utf8(head).unwrap())
    }

    /// Asks for MQTT, which the server must agree to.
    pub(crate) fn open(stream: S) -> Self {
        let (web, head) = Self::ask(stream, "Sec-WebSocket-Protocol: mqtt\r\n");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        // RFC 6455 gives this answer for the key above.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        assert_eq!(protocols(&head), ["mqtt"], "{head}");
        web
    }

    /// Sends one frame. A connection that the broker has already ended is noticed by what is read.
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length @ 126..0x1_0000 => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.send_bytes(&bytes);
    }

    /// Sends what may be no frame at all.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        if let Err(error) = self.0.write_all(bytes).and_then(|()| self.0.flush()) {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "the broker reads nothing more");
        }
    }

    /// The next frame, its first byte and what is in it; `None` at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.read(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.read(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.read(&mut length)?;
                u64::from_be_bytes(length)
            }
            masked if masked > 127 => panic!("a server does not mask"),
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.read(&mut payload)?;
        Some((head[0], payload))
    }

    fn read(&mut self, into: &mut [u8]) -> Option<()> {
        match self.0.read_exact(into) {
            Ok(()) => Some(()),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                None
            }
            Err(error) => panic!("nothing came: {error}"),
        }
    }
}

/// The subprotocols that a head names.
pub(crate) fn protocols(head: &str) -> Vec<&str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let named = lines.filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"));
    named.map(|(_, value)| value).collect()
}
