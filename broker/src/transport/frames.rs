//! The frames of WebSocket (RFC 6455), taken apart as they come: a frame is never held as a whole, so its size costs
//! nothing, and what is too large for MQTT is refused by MQTT.

use std::io::Cursor;

use bytes::BytesMut;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Longest frame. No packet of MQTT is longer, and a client sends none without end.
const LONGEST: u64 = 256 * 1024 * 1024 + 5;
/// Longest content of a frame that is no data, by the standard.
const CONTROL: u64 = 125;
/// What may be left over of a read: the head of a frame, or a whole one that is no data, but for its last byte.
pub(super) const LEFT_OVER: usize = 14 + CONTROL as usize;
/// Answers to pings that wait to be sent. 4 KiB: a client that does not read them gets no more.
const ANSWERS: usize = 4096;

/// Where in the stream of frames a client is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes that are missing of the frame.
    left: u64,
    mask: [u8; 4],
    /// How many bytes of the frame have come, modulo 4.
    phase: usize,
    /// A message goes on in the next frame.
    unfinished: bool,
}

/// What was in the bytes of one read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Bytes of MQTT; they stand in front now.
    pub(super) content: usize,
    /// Bytes from here on belong to what has not come yet.
    pub(super) read: usize,
    /// The client has said that it closes.
    pub(super) closed: bool,
}

impl Frames {
    /// Takes the frames of `raw` apart, in place; what is to be said to them is added to `answers`.
    ///
    /// # Errors
    /// What no client of MQTT may send.
    pub(super) fn open(
        &mut self,
        raw: &mut [u8],
        answers: &mut BytesMut,
    ) -> Result<Opened, &'static str> {
        let (mut content, mut read) = (0, 0);
        while read < raw.len() {
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(raw.len() - read);
                unmask(&mut raw[read..read + count], self.mask, &mut self.phase);
                raw.copy_within(read..read + count, content);
                self.left -= count as u64;
                (content, read) = (content + count, read + count);
                continue;
            }
            let mut cursor = Cursor::new(&raw[read..]);
            let head = FrameHeader::parse(&mut cursor).map_err(|_| "a frame of no known kind")?;
            let Some((head, length)) = head else { break };
            let body = read + usize::try_from(cursor.position()).unwrap_or_default();
            let mask = head.mask.ok_or("a frame without a mask")?;
            if head.rsv1 || head.rsv2 || head.rsv3 || length > LONGEST {
                return Err("a frame of an extension, or without end");
            }
            match head.opcode {
                OpCode::Control(kind) => {
                    if !head.is_final || length > CONTROL {
                        return Err("a ping, pong or close that is too long");
                    }
                    let Some(payload) = raw.get_mut(body..body + length as usize) else { break };
                    unmask(payload, mask, &mut 0);
                    read = body + payload.len();
                    if answer(kind, payload, answers) {
                        return Ok(Opened { content, read, closed: true });
                    }
                }
                OpCode::Data(kind) => {
                    self.begins(kind, head.is_final)?;
                    (self.left, self.mask, self.phase) = (length, mask, 0);
                    read = body;
                }
            }
        }
        Ok(Opened { content, read, closed: false })
    }

    fn begins(&mut self, kind: Data, last: bool) -> Result<(), &'static str> {
        match (kind, self.unfinished) {
            (Data::Binary, false) | (Data::Continue, true) => {
                self.unfinished = !last;
                Ok(())
            }
            // [MQTT-6.0.0-1]
            (Data::Text, _) => Err("a text frame"),
            _ => Err("a frame that does not go on with its message"),
        }
    }
}

/// Adds a frame with some bytes of MQTT.
pub(super) fn put_binary(content: &[u8], output: &mut BytesMut) {
    put(OpCode::Data(Data::Binary), content, output);
}

/// Adds the frame that says that nothing more comes.
pub(super) fn put_close(content: &[u8], output: &mut BytesMut) {
    put(OpCode::Control(Control::Close), content, output);
}

fn put(opcode: OpCode, content: &[u8], output: &mut BytesMut) {
    let head = FrameHeader { opcode, ..FrameHeader::default() };
    let mut bytes = Vec::with_capacity(14);
    // Writing to a vector cannot fail.
    let _ = head.format(content.len() as u64, &mut bytes);
    output.extend_from_slice(&bytes);
    output.extend_from_slice(content);
}

/// Answers a frame that is no data; tells whether it was the last.
fn answer(kind: Control, content: &[u8], answers: &mut BytesMut) -> bool {
    match kind {
        Control::Close => {
            // Its reason comes back to it, without the words.
            put_close(content.get(..2).unwrap_or_default(), answers);
            return true;
        }
        Control::Ping if answers.len() < ANSWERS => {
            put(OpCode::Control(Control::Pong), content, answers);
        }
        Control::Ping | Control::Pong | Control::Reserved(_) => {}
    }
    false
}

fn unmask(bytes: &mut [u8], mask: [u8; 4], phase: &mut usize) {
    for byte in bytes {
        *byte ^= mask[*phase];
        *phase = (*phase + 1) % 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 250];

    /// A frame as a client sends it.
    fn frame(first: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match content.len() {
            short @ 0..126 => bytes.push(0x80 | short as u8),
            long => {
                bytes.push(0x80 | 126);
                bytes.extend((long as u16).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        let from = bytes.len();
        bytes.extend(content);
        unmask(&mut bytes[from..], MASK, &mut 0);
        bytes
    }

    /// Everything that comes of bytes which arrive in pieces of this size.
    fn opened(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, BytesMut, bool), &'static str> {
        let (mut frames, mut answers) = (Frames::default(), BytesMut::new());
        let (mut content, mut rest) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            let mut raw = [&rest[..], piece].concat();
            let opened = frames.open(&mut raw, &mut answers)?;
            content.extend(&raw[..opened.content]);
            rest = raw[opened.read..].to_vec();
            assert!(rest.len() < LEFT_OVER, "{} bytes are left over", rest.len());
            if opened.closed {
                return Ok((content, answers, true));
            }
        }
        Ok((content, answers, false))
    }

    #[test]
    fn content_comes_out_whatever_the_pieces_are() {
        let long: Vec<u8> = (0..1_000).map(|n| n as u8).collect();
        let all = [
            frame(0x82, b"whole"),
            frame(0x02, &long),
            frame(0x89, &[7; 125]),
            frame(0x00, b""),
            frame(0x8A, b"pong"),
            frame(0x80, b"end"),
            frame(0x82, b""),
        ]
        .concat();
        let content = [b"whole", &long[..], b"end"].concat();
        let mut pong = BytesMut::new();
        put(OpCode::Control(Control::Pong), &[7; 125], &mut pong);
        for piece in [1, 2, 3, 7, 100, all.len()] {
            let (came, answers, closed) = opened(&all, piece).unwrap();
            assert_eq!((&came, &answers, closed), (&content, &pong, false), "pieces of {piece}");
        }
    }

    #[test]
    fn a_close_is_answered_and_is_the_end() {
        let close = frame(0x88, &[0x03, 0xE8, b'b', b'y', b'e']);
        let all = [frame(0x82, b"before"), close, frame(0x82, b"behind")].concat();
        let (content, answers, closed) = opened(&all, 3).unwrap();
        assert_eq!((&content[..], closed), (&b"before"[..], true));
        assert_eq!(&answers[..], [0x88, 2, 0x03, 0xE8]);
    }

    #[test]
    fn what_no_client_may_send_is_refused() {
        let text = [frame(0x02, b"x"), frame(0x81, b"x")].concat();
        for bytes in [
            &frame(0x81, b"text")[..],
            &text,
            &frame(0x00, b"no beginning"),
            &[frame(0x02, b"x"), frame(0x82, b"begins again")].concat(),
            &frame(0xC2, b"an extension's"),
            &frame(0x83, b"reserved"),
            &frame(0x89, &[0; 126]),
            &frame(0x09, b"a ping in parts"),
            &[0x82, 2, 0xC0, 0],
            &[&[0x82, 0xFF][..], &(1_u64 << 40).to_be_bytes(), &MASK].concat(),
        ] {
            assert!(opened(bytes, 1).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn pings_without_end_are_not_all_answered() {
        let pings = frame(0x89, &[0; 100]).repeat(1_000);
        assert!(opened(&pings, 4096).unwrap().1.len() < ANSWERS + 127);
    }
}
