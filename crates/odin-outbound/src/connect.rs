//! TCP connections. A host with addresses of both families is tried by both, the second a moment after the first, as
//! RFC 8305 has it: half of a network that is broken costs that moment and no more.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

use crate::address::place;
use crate::{Bounds, OutboundError};

/// How long the addresses of the other family wait for the first.
const HEAD_START: Duration = Duration::from_millis(300);

/// Connects to a host, by name or address.
///
/// # Errors
/// When it is not found, or none of its addresses takes the connection within [`Bounds::connect`].
pub async fn dial(host: &str, port: u16, bounds: &Bounds) -> Result<TcpStream, OutboundError> {
    let place = place(host, port);
    let dialling = async {
        let found = lookup_host((host, port)).await;
        let addresses: Vec<SocketAddr> = found
            .map_err(|error| OutboundError::NotFound {
                place: place.clone(),
                reason: error.to_string(),
            })?
            .collect();
        let stream = try_all(addresses).await;
        let stream = stream.map_err(|error| OutboundError::NotConnected {
            place: place.clone(),
            kind: error.kind(),
            reason: error.to_string(),
        })?;
        // Small requests are not to wait for the acknowledgement of earlier ones. Where it cannot be had, they wait.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    };
    let in_time = tokio::time::timeout(bounds.connect, dialling).await;
    in_time.unwrap_or_else(|_| {
        Err(OutboundError::NotConnectedInTime {
            place: place.clone(),
            after: bounds.connect,
        })
    })
}

async fn try_all(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|it| it.is_ipv6() == is_v6);
    if second.is_empty() {
        return TcpStream::connect(first.as_slice()).await;
    }
    let first = TcpStream::connect(first.as_slice());
    let second = TcpStream::connect(second.as_slice());
    tokio::pin!(first, second);
    match tokio::time::timeout(HEAD_START, &mut first).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(_)) => return second.await,
        Err(_) => {}
    }
    tokio::select! {
        done = &mut first => match done {
            Ok(stream) => Ok(stream),
            Err(_) => second.await,
        },
        done = &mut second => match done {
            Ok(stream) => Ok(stream),
            Err(_) => first.await,
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_leaves_the_other_family_its_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        // The same port of the other family: nothing listens there, or there is no such family.
        let closed: SocketAddr = format!("[::1]:{}", open.port()).parse().unwrap();
        for addresses in [vec![closed, open], vec![open, closed]] {
            let stream = try_all(addresses).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), open);
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_said_to_be_no_host() {
        // RFC 2606: `.invalid` never resolves.
        let error = dial("nobody.invalid", 80, &Bounds::default())
            .await
            .unwrap_err();
        assert!(
            matches!(&error, OutboundError::NotFound { place, .. } if place == "nobody.invalid:80"),
            "{error:?}"
        );
    }
}
