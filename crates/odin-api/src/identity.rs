//! Who asks: the kernel's word for a unix socket's peer, or a token over TCP. Never a request's body.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use odin_model::owner::Role;
use odin_model::{Owner, Principal};

use crate::api::Api;
use crate::backend::Backend;
use crate::failure::Failure;

/// The uid that the kernel shows for users that a namespace does not map.
const UNMAPPED_UID: u32 = 65534;

/// What is known of a connection's other end. The listener puts it into each request.
#[derive(Debug, Clone)]
pub(crate) enum Peer {
    /// A unix socket's: the kernel said who.
    Local(Result<Principal, UnknownPeer>),
    /// A TCP client: a token must say who.
    Remote,
}

/// A unix socket's peer that is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownPeer {
    uid: u32,
}

/// The principal of a unix socket's peer. Blocking: it asks the user database.
///
/// Root and the server's own user are admins. Who else gets as far as here is for the socket's mode to say.
pub(crate) fn of_local_peer(backend: &dyn Backend, uid: u32) -> Result<Principal, UnknownPeer> {
    if uid == UNMAPPED_UID {
        return Err(UnknownPeer { uid });
    }
    let server = backend.server_user();
    if uid == server.uid {
        return Ok(admin(server.clone()));
    }
    let user = backend.user(uid).ok_or(UnknownPeer { uid })?;
    let user = Owner {
        user: user.name,
        uid,
    };
    match uid {
        0 => Ok(admin(user)),
        _ => Ok(Principal {
            user,
            role: Role::Operator,
        }),
    }
}

fn admin(user: Owner) -> Principal {
    Principal {
        user,
        role: Role::Admin,
    }
}

/// Paths that answer without a principal: probes know no token.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// The path that does so too, over TCP, where the server was told to.
const METRICS_PATH: &str = "/metrics";

/// The layer before all handlers: refuses other hosts and strangers, and tells handlers who asks.
pub(crate) async fn identify(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let remote = !matches!(peer, Some(Peer::Local(_)));
    if remote && !is_loopback_name(request.uri(), request.headers()) {
        return Failure::new(
            "auth/wrong-host",
            "the request names a host that this server is not",
        )
        .into_response();
    }
    let path = request.uri().path();
    let is_open = OPEN_PATHS.contains(&path)
        || (path == METRICS_PATH && remote && api.backend().metrics_are_open());
    if is_open {
        return next.run(request).await;
    }
    let principal = match peer {
        Some(Peer::Local(Ok(principal))) => Ok(principal),
        Some(Peer::Local(Err(UnknownPeer { uid }))) => Err(Failure::new(
            "auth/unknown-user",
            format!("the server's machine has no user with uid {uid}"),
        )),
        Some(Peer::Remote) | None => of_token(&**api.backend(), request.headers()),
    };
    match principal {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

fn of_token(backend: &dyn Backend, headers: &HeaderMap) -> Result<Principal, Failure> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Failure::new(
            "auth/required",
            "the request has no token, or several",
        ));
    };
    let token = value
        .as_bytes()
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    match token {
        Some((_, token)) if is_same(token, backend.local_token().as_bytes()) => {
            Ok(admin(backend.server_user().clone()))
        }
        _ => Err(Failure::new(
            "auth/wrong-token",
            "the token is not this server's",
        )),
    }
}

/// Compares in a time that depends on the lengths only. An empty token is nobody's.
fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let differences = given
        .iter()
        .zip(expected)
        .fold(0, |seen, (a, b)| seen | (a ^ b));
    given.len() == expected.len() && !expected.is_empty() && std::hint::black_box(differences) == 0
}

/// Whether the request was made for a loopback name. A page of another site, whose name was made to resolve to
/// loopback, has its own name here: DNS rebinding.
fn is_loopback_name(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_loopback_authority),
        _ => false,
    };
    named
        && uri
            .authority()
            .is_none_or(|authority| is_loopback_authority(authority.as_str()))
}

fn is_loopback_authority(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || literal
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_server() {
        for (authority, expected) in [
            ("localhost", true),
            ("LocalHost:3939", true),
            ("127.0.0.1:3939", true),
            ("127.8.9.1", true),
            ("[::1]:3939", true),
            ("[::1]", true),
            ("::1", false),
            ("evil.example:3939", false),
            ("localhost.evil.example", false),
            ("10.0.0.1:3939", false),
            ("127.0.0.1.evil.example", false),
            ("127.0.0.1:3939@evil.example", false),
            ("", false),
            (":3939", false),
        ] {
            assert_eq!(is_loopback_authority(authority), expected, "{authority:?}");
        }
    }

    #[test]
    fn tokens_are_the_same_only_whole() {
        assert!(is_same(b"secret", b"secret"));
        for (given, expected) in [
            ("", ""),
            ("secre", "secret"),
            ("secrets", "secret"),
            ("Secret", "secret"),
        ] {
            assert!(
                !is_same(given.as_bytes(), expected.as_bytes()),
                "{given} {expected}"
            );
        }
    }
}
