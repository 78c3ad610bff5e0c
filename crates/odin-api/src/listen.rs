//! Serves connections: unix and TCP, with bounds on headers, writes and shutdown.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::Sleep;

use crate::api::Api;
use crate::identity::{self, Peer};
use crate::routes::router;

/// Connections at once on one listener; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take for a request's headers, and for its next request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest request head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a client may take nothing of an answer before it is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way may take once the server stops.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);
/// How long accepting rests after the system refused, as when file descriptors run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Where connections come from. Bound by the caller, who knows about modes and owners.
#[derive(Debug)]
pub enum Listener {
    /// A unix socket: the peer is who the kernel says.
    Unix(UnixListener),
    /// TCP on a loopback address: a token is needed.
    Tcp(TcpListener),
}

/// Serves a listener until `shutdown` is ready; then streams end, requests under way get five seconds, and what is
/// left is dropped.
pub async fn serve(api: Api, listener: Listener, shutdown: impl Future<Output = ()>) {
    let router = router(api.clone());
    let connections = GracefulShutdown::new();
    let turns = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut tasks = tokio::task::JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            let turn = Arc::clone(&turns)
                .acquire_owned()
                .await
                .expect("never closed");
            (turn, listener.accept().await)
        };
        let (turn, stream) = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next() => continue,
            accepted = accepted => accepted,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let (api, router, watcher) = (api.clone(), router.clone(), connections.watcher());
        tasks.spawn(async move {
            let _turn = turn;
            stream.serve(api, router, watcher).await;
        });
    }
    drop(listener);
    api.stop();
    if tokio::time::timeout(SHUTDOWN_WAIT, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(left = tasks.len(), "connections were cut off at shutdown");
    }
    tasks.shutdown().await;
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok(Accepted::Unix { stream, uid })
            }
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are small and clients wait for them: Nagle's delay would only cost.
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream))
            }
        }
    }
}

enum Accepted {
    Unix {
        stream: tokio::net::UnixStream,
        uid: u32,
    },
    Tcp(tokio::net::TcpStream),
}

impl Accepted {
    async fn serve(self, api: Api, router: Router, watcher: Watcher) {
        match self {
            Self::Unix { stream, uid } => {
                // Once a connection: a user's name does not change under it.
                let Ok(peer) = api
                    .blocking(move |backend| identity::of_local_peer(backend, uid))
                    .await
                else {
                    return;
                };
                converse(stream, Peer::Local(peer), router, watcher).await;
            }
            Self::Tcp(stream) => converse(stream, Peer::Remote, router, watcher).await,
        }
    }
}

async fn converse<S>(stream: S, peer: Peer, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    if let Err(error) = watcher.watch(connection).await {
        // A client that goes away is no event for an operator.
        tracing::debug!(%error, "a connection ended");
    }
}

/// A stream that gives up on a peer that takes nothing for [`WRITE_TIMEOUT`]: hyper itself waits for ever.
struct Patient<S> {
    stream: S,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            waiting: None,
        }
    }

    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = None;
            return result;
        }
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_TIMEOUT)));
        waiting
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.bounded(context, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off() {
        let (_client, server) = tokio::io::duplex(64);
        let error = Patient::new(server)
            .write_all(&[0; 1024])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_takes_a_little_now_and_then_is_served() {
        let (mut client, server) = tokio::io::duplex(64);
        let written = tokio::spawn(async move { Patient::new(server).write_all(&[0; 1024]).await });
        let mut taken = 0;
        while taken < 1024 {
            tokio::time::sleep(WRITE_TIMEOUT / 2).await;
            taken += tokio::io::AsyncReadExt::read(&mut client, &mut [0; 64])
                .await
                .unwrap();
        }
        written.await.unwrap().unwrap();
    }
}
