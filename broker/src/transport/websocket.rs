//! MQTT over WebSocket [MQTT-6.0.0]: binary frames of the subprotocol `mqtt`. A packet may span frames, and a frame may
//! hold several.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::frames::{Frames, LEFT_OVER, put_binary, put_close};

/// Bytes of one frame that is sent. 64 KiB: as much as is encoded ahead.
const FRAME: usize = 64 * 1024;
/// Bytes read from the socket at a time during the handshake. 4 KiB; the library's own 128 KiB are for videos.
const READ: usize = 4096;
/// Bytes of one read at least: more than can be left over of the one before.
const ROOM: usize = 2 * LEFT_OVER;

/// Whose pages may connect. Any page that a person visits can try to, in the person's browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origins {
    /// There are users: a page needs a password.
    Any,
    /// There are none: only pages of this machine.
    Local,
}

/// Does the opening handshake.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    origins: Origins,
) -> Result<Binary<S>, String> {
    let config = WebSocketConfig::default().read_buffer_size(READ).write_buffer_size(0);
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let agree = |request: &Request, mut response: Response| {
        check(request.headers(), origins)?;
        let mqtt = HeaderValue::from_static("mqtt");
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, mqtt);
        Ok(response)
    };
    let accepted =
        tokio_tungstenite::accept_hdr_async_with_config(stream, agree, Some(config)).await;
    let socket = accepted.map_err(|error| format!("no WebSocket for MQTT: {error}"))?;
    // The library takes no byte behind the handshake: a client must not send any before it is answered.
    Ok(Binary::new(socket.into_inner()))
}

#[expect(clippy::result_large_err, reason = "the library's own type")]
fn check(headers: &HeaderMap, origins: Origins) -> Result<(), ErrorResponse> {
    let refuse = |status: StatusCode, why: &str| {
        let mut response = ErrorResponse::new(Some(why.to_owned()));
        *response.status_mut() = status;
        response
    };
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    if !offered.any(|name| name.trim() == "mqtt") {
        return Err(refuse(StatusCode::BAD_REQUEST, "ask for the subprotocol mqtt"));
    }
    let origin = headers.get(header::ORIGIN);
    if origins == Origins::Local && !origin.is_none_or(is_local) {
        let why = "without users only pages of this machine may connect";
        return Err(refuse(StatusCode::FORBIDDEN, why));
    }
    Ok(())
}

fn is_local(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, h)| h);
    host.is_some_and(|host| {
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
            host.strip_prefix(local).is_some_and(|port| port.is_empty() || port.starts_with(':'))
        })
    })
}

/// The bytes inside of binary frames.
#[derive(Debug)]
pub(super) struct Binary<S> {
    stream: S,
    frames: Frames,
    /// The beginning of what has not come as a whole, shorter than [`LEFT_OVER`].
    rest: Vec<u8>,
    /// Frames to be sent.
    output: BytesMut,
    closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Binary<S> {
    fn new(stream: S) -> Self {
        let (rest, output) = (Vec::new(), BytesMut::new());
        Self { stream, frames: Frames::default(), rest, output, closed: false }
    }

    /// Sends the frames that are ready, as far as the stream takes them.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.output.advance(sent),
            }
        }
        // A connection that waits has no buffers.
        self.output = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Reads into `raw` behind what was left over; how many bytes there are then, none at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>, raw: &mut [u8]) -> Poll<io::Result<usize>> {
        let before = self.rest.len();
        raw[..before].copy_from_slice(&self.rest);
        let mut read = ReadBuf::new(&mut raw[before..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        let came = read.filled().len();
        Poll::Ready(Ok(if came == 0 { 0 } else { before + came }))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Binary<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() < ROOM {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        }
        // A pong may be waiting for the socket since the last time.
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        while !self.closed {
            let raw = buf.initialize_unfilled();
            let there = match ready!(self.poll_fill(cx, raw))? {
                0 => break,
                there => there,
            };
            let Self { frames, output, .. } = &mut *self;
            let opened = frames.open(&mut raw[..there], output).map_err(io::Error::other)?;
            self.rest.clear();
            self.rest.extend_from_slice(&raw[opened.read..there]);
            self.closed = opened.closed;
            // Whoever does not read the answers is not waited for.
            if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                return Poll::Ready(Err(error));
            }
            if opened.content > 0 {
                buf.advance(opened.content);
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Binary<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let count = buf.len().min(FRAME);
        put_binary(&buf[..count], &mut self.output);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.closed, true) {
            put_close(&[], &mut self.output);
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
