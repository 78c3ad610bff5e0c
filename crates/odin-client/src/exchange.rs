//! One request on a connection of its own.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{CarriedOut, ClientError};
use crate::socket;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A unix socket; with a port, the one that the node on this port named, whose holder is checked.
    Socket {
        path: std::path::PathBuf,
        named_by: Option<u16>,
    },
    /// TCP.
    Tcp { host: String, port: u16 },
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket { path, .. } => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl Endpoint {
    /// What goes into the `Host` header. A socket has no host: the server does not look at it there.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::Socket { .. } => "localhost".to_owned(),
            Self::Tcp { .. } => self.to_string(),
        }
    }

    /// Sends a request and waits up to `patience` for the head of the answer.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Incoming>, ClientError> {
        match self {
            Self::Socket { path, named_by } => {
                let stream = self.connected(socket::connect(path)).await?;
                if let Some(port) = named_by {
                    refuse_stranger(&stream, path, *port)?;
                }
                self.exchange(stream, request, patience).await
            }
            Self::Tcp { host, port } => {
                let stream = self
                    .connected(TcpStream::connect((host.as_str(), *port)))
                    .await?;
                self.exchange(stream, request, patience).await
            }
        }
    }

    async fn connected<S>(
        &self,
        connecting: impl Future<Output = io::Result<S>>,
    ) -> Result<S, ClientError> {
        let place = self.to_string();
        let Ok(connected) = timeout(CONNECT_TIME_MAX, connecting).await else {
            let after = CONNECT_TIME_MAX;
            return Err(ClientError::TimedOut {
                place,
                after,
                carried_out: CarriedOut::No,
            });
        };
        connected.map_err(|source| match (source.kind(), self) {
            // Reset: it went before it took the connection.
            (
                io::ErrorKind::NotFound
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset,
                _,
            ) => ClientError::NotRunning { place },
            (io::ErrorKind::PermissionDenied, Self::Socket { path, .. }) => {
                ClientError::SocketNotPermitted { path: path.clone() }
            }
            _ => ClientError::Connect { place, source },
        })
    }

    async fn exchange<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Incoming>, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let place = self.to_string();
        let lost = |error: hyper::Error| {
            let (place, detail) = (place.clone(), innermost(&error));
            // What does not speak HTTP will not learn it: no repetition helps.
            if error.is_parse() {
                return ClientError::NotOdin { place, detail };
            }
            ClientError::Lost {
                place,
                detail,
                carried_out: CarriedOut::Perhaps,
            }
        };
        let exchanging = async {
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
            // Ends with the answer's body, or with the client's runtime. What goes wrong shows up in the answer.
            tokio::spawn(async {
                let _ = connection.await;
            });
            sender.send_request(request).await.map_err(lost)
        };
        match timeout(patience, exchanging).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::TimedOut {
                place: place.clone(),
                after: patience,
                carried_out: CarriedOut::Perhaps,
            }),
        }
    }
}

/// A socket that a port named is used only when root or this user holds it.
fn refuse_stranger(
    stream: &tokio::net::UnixStream,
    path: &Path,
    port: u16,
) -> Result<(), ClientError> {
    let connect = |source| ClientError::Connect {
        place: path.display().to_string(),
        source,
    };
    let uid = stream.peer_cred().map_err(connect)?.uid();
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(ClientError::StrangersSocket {
        port,
        path: path.to_owned(),
        uid,
    })
}

/// The last cause of an error: what happened, without the layers that passed it on.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
