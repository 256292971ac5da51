//! MQTT over WebSocket [MQTT-6.0.0]: binary frames of the subprotocol `mqtt`. A packet may span frames, and a frame may
//! hold several.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Room beside the largest packet, for frames that hold several. 64 KiB.
const BESIDE: usize = 64 * 1024;
/// Bytes of one frame that is sent. 64 KiB: as much as is encoded ahead.
const FRAME: usize = 64 * 1024;
/// Bytes read from the socket at a time. 4 KiB, as without WebSocket; the library's own 128 KiB are for videos.
const READ: usize = 4096;

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
    packet_bytes: usize,
    origins: Origins,
) -> Result<Binary<S>, String> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(packet_bytes + BESIDE))
        .max_frame_size(Some(packet_bytes + BESIDE))
        .read_buffer_size(READ)
        .write_buffer_size(0);
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
    Ok(Binary { socket, input: Bytes::new() })
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
    socket: WebSocketStream<S>,
    /// What is left of the last frame.
    input: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Binary<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.input.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.input = bytes,
                // [MQTT-6.0.0-1]
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::other("a text frame")));
                }
                // The library answers pings by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) => {
                    // The library has the answer ready. Whoever does not read it is not waited for.
                    let _ = Pin::new(&mut self.socket).poll_flush(cx);
                    return Poll::Ready(Ok(()));
                }
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.input.len().min(buf.remaining());
        buf.put_slice(&self.input[..count]);
        self.input.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Binary<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let count = buf.len().min(FRAME);
        let frame = Message::Binary(Bytes::copy_from_slice(&buf[..count]));
        Pin::new(&mut self.socket).start_send(frame).map_err(broken)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(cx)) {
            Ok(()) | Err(Error::ConnectionClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(broken(error))),
        }
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other),
    }
}
