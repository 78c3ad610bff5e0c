//! From what a person named to the socket or address of a node.

use std::path::PathBuf;

use odin_wire::Health;

use crate::address::{Target, loopback};
use crate::client::{Call, Token, repeated};
use crate::error::ClientError;
use crate::exchange::Endpoint;
use crate::reply;
use crate::socket;

/// Where to send requests.
pub(crate) async fn endpoint(
    target: &Target,
    token: Option<&Token>,
) -> Result<Endpoint, ClientError> {
    match target {
        Target::Socket(path) => Ok(Endpoint::Socket {
            path: path.clone(),
            named_by: None,
        }),
        Target::Http { host, port } if token.is_some() => Ok(Endpoint::Tcp {
            host: host.clone(),
            port: *port,
        }),
        Target::Http { .. } => Err(ClientError::TokenMissing {
            place: target.to_string(),
        }),
        Target::Port(port) => socket_of_port(*port).await,
        Target::Sockets(paths) => first_listening(paths).await,
    }
}

/// Asks the node on a port of this machine for its socket. No token is sent.
async fn socket_of_port(port: u16) -> Result<Endpoint, ClientError> {
    let address = loopback(port);
    let tcp = Endpoint::Tcp {
        host: address.ip().to_string(),
        port,
    };
    let place = address.to_string();
    let answer = repeated(&tcp, None, &Call::get("/healthz".to_owned())).await?;
    let body = reply::body(&place, answer, reply::JSON_BYTES_MAX).await?;
    let health: Health = reply::json(&place, &body)?;
    match health.socket {
        Some(path) => Ok(Endpoint::Socket {
            path: path.into(),
            named_by: Some(port),
        }),
        None => Err(ClientError::NoSocket { port }),
    }
}

/// The first of the sockets on which somebody listens.
///
/// A socket that this user may not use is the answer only when no later one is better.
async fn first_listening(paths: &[PathBuf]) -> Result<Endpoint, ClientError> {
    let mut forbidden = None;
    for path in paths {
        match socket::connect(path).await {
            Ok(_) => {
                return Ok(Endpoint::Socket {
                    path: path.clone(),
                    named_by: None,
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                forbidden.get_or_insert_with(|| path.clone());
            }
            Err(_) => {}
        }
    }
    Err(match forbidden {
        Some(path) => ClientError::SocketNotPermitted { path },
        None => ClientError::NotRunning {
            place: places(paths),
        },
    })
}

/// `a` or `b`, as a sentence has it.
fn places(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(" or ")
}
