//! One connection: its bytes, its places in the pools, and the deadline for its first bytes.

use crate::northbound::auth::Caller;
use crate::northbound::limits;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tokio_util::sync::DropGuard;
use tonic::transport::server::Connected;

/// Bytes of the HTTP/2 client preface: who sent them all speaks the protocol.
const PREFACE: usize = 24;

/// A byte stream of any transport.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// What a connection holds as long as it lives: its place among all connections, its place among
/// those of its peer, and what tells the serving task that it has ended.
pub(super) type Places = (OwnedSemaphorePermit, Box<dyn Send + Sync>, DropGuard);

/// Waiting for the preface.
struct Unproven {
    /// Its place among connections that have proven nothing yet.
    _place: OwnedSemaphorePermit,
    deadline: Pin<Box<Sleep>>,
    missing: usize,
}

/// A connection as tonic serves it.
pub(super) struct Connection {
    bytes: Box<dyn Bytes>,
    caller: Caller,
    unproven: Option<Unproven>,
    /// Held, never looked at.
    _places: Places,
}

impl Connection {
    pub(super) fn new(bytes: Box<dyn Bytes>, caller: Caller, pre_auth: OwnedSemaphorePermit, places: Places) -> Self {
        let deadline = Box::pin(tokio::time::sleep(limits::HANDSHAKE));
        let unproven = Unproven { _place: pre_auth, deadline, missing: PREFACE };
        Self { bytes, caller, unproven: Some(unproven), _places: places }
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let answer = Pin::new(&mut self.bytes).poll_read(context, buffer);
        let Some(unproven) = &mut self.unproven else { return answer };
        if answer.is_pending() && unproven.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no HTTP/2 preface")));
        }
        unproven.missing = unproven.missing.saturating_sub(buffer.filled().len() - before);
        if unproven.missing == 0 {
            self.unproven = None;
        }
        answer
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }
}
