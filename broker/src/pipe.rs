//! The bytes of one connection, on their way in and out.
//!
//! A connection that waits has no buffers: those that it works with belong to the thread, and go from one connection to
//! the next. Only what is half read or cannot be written yet stays, in buffers of its own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem::take;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Bytes of one read. 32 KiB: some four hundred everyday packets.
const READ: usize = 32 * 1024;
/// Buffers above this size are not kept for the next connection. 256 KiB: what one may have to write.
const LARGEST_SPARE: usize = 256 * 1024;

thread_local! {
    static SPARE: RefCell<Buffers> = RefCell::default();
}

/// Where one connection's bytes wait.
#[derive(Debug, Default)]
struct Buffers {
    input: BytesMut,
    output: BytesMut,
}

/// A stream with its buffers.
pub(crate) struct Pipe<S> {
    stream: S,
    /// What was read and not taken.
    pub(crate) input: BytesMut,
    /// What is to be written.
    pub(crate) output: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new() }
    }

    /// Takes the thread's buffers, for as long as the task does not wait: then [`Pipe::pause`] gives them back.
    pub(crate) fn work(&mut self) {
        SPARE.with_borrow_mut(|spare| {
            take_up(&mut self.input, &mut spare.input);
            take_up(&mut self.output, &mut spare.output);
        });
    }

    /// The task is about to wait.
    pub(crate) fn pause(&mut self) {
        SPARE.with_borrow_mut(|spare| {
            give_back(&mut self.input, &mut spare.input);
            give_back(&mut self.output, &mut spare.output);
        });
    }

    /// Adds what has come to the input; zero bytes are the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(READ);
        // Nothing is lost when this is given up: no stream here keeps anything of a read in its future.
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }

    /// Writes what it can; tells how much, and leaves the rest in the output.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        let mut written = 0;
        while !self.output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.output)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    self.output.advance(count);
                    written += count;
                }
                Poll::Pending => break,
            }
        }
        Ok(written)
    }

    /// Waits for more input; zero bytes are the end.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|cx| {
            self.work();
            let read = self.poll_read(cx);
            self.pause();
            read
        })
        .await
    }

    /// Writes all that is to be written; tells how much it was.
    pub(crate) async fn write_all(&mut self) -> io::Result<usize> {
        let mut written = 0;
        poll_fn(|cx| {
            written += self.poll_write(cx)?;
            if self.output.is_empty() { Poll::Ready(Ok(written)) } else { Poll::Pending }
        })
        .await
    }

    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await
    }
}

/// Goes on in the spare buffer with the little that was left.
fn take_up(buffer: &mut BytesMut, spare: &mut BytesMut) {
    if buffer.len() > READ {
        return;
    }
    let left = std::mem::replace(buffer, take(spare));
    buffer.reserve(READ);
    buffer.extend_from_slice(&left);
}

/// Leaves little in a buffer of that size. Much stays where it is: copying it at every turn would be dear.
fn give_back(buffer: &mut BytesMut, spare: &mut BytesMut) {
    if buffer.len() > READ {
        return;
    }
    let left = if buffer.is_empty() { BytesMut::new() } else { BytesMut::from(&buffer[..]) };
    let mut used = std::mem::replace(buffer, left);
    used.clear();
    if used.try_reclaim(READ) && used.capacity() <= LARGEST_SPARE {
        *spare = used;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    #[tokio::test]
    async fn whoever_waits_holds_only_what_is_unfinished() {
        let (here, mut there) = duplex(64);
        let mut pipe = Pipe::new(here);
        there.write_all(b"half a pa").await.unwrap();
        assert_eq!(pipe.read().await.unwrap(), 9);
        assert!(pipe.input.capacity() < READ, "what was read moves out of the thread's buffer");
        there.write_all(b"cket").await.unwrap();
        assert_eq!(pipe.read().await.unwrap(), 4);
        assert_eq!(&pipe.input[..], b"half a packet");
        pipe.input.clear();
        let written = poll_fn(|cx| {
            pipe.work();
            pipe.output.extend_from_slice(&[7; 100]);
            let written = pipe.poll_write(cx);
            pipe.pause();
            Poll::Ready(written)
        });
        assert_eq!(written.await.unwrap(), 64);
        assert_eq!(&pipe.output[..], [7; 36]);
        assert!(pipe.output.capacity() < READ);
        assert_eq!(pipe.input.capacity(), 0, "an empty buffer goes back");
    }
}
