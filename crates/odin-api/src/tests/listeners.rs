use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use odin_model::Owner;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::oneshot;

use crate::identity::of_local_peer;
use crate::test_bed::{TOKEN, TestBed};
use crate::{Listener, serve};

/// One request on a connection of its own: the status and the body.
async fn ask<S>(stream: S, path: &str, headers: &[(&str, &str)]) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = sender
        .send_request(request.body(Empty::<&[u8]>::new()).unwrap())
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    drop(sender);
    connection.await.unwrap().unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_unix_sockets_peer_is_who_the_kernel_says() {
    // The server's user is whoever runs this test: an admin, without a token.
    let uid = rustix::process::geteuid().as_raw();
    let bed = TestBed::of(Owner {
        user: "runner".into(),
        uid,
    });
    let path = bed.dir.path().join("odin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(bed.api.clone(), Listener::Unix(listener), async {
        let _ = stopped.await;
    }));
    for (asked, expected) in [
        ("/healthz", 200),
        ("/metrics", 200),
        ("/api/v1/jobs", 200),
        ("/nowhere", 404),
    ] {
        // A unix socket's client may name any host, or none.
        let (status, body) = ask(
            UnixStream::connect(&path).await.unwrap(),
            asked,
            &[("host", "odin")],
        )
        .await;
        assert_eq!(status, expected, "{asked}: {body}");
    }
    drop(stop);
    served.await.unwrap();
}

/// A connection that another user made. Credentials belong to a thread as far as the kernel is concerned, so one
/// that ends right after can take on a user's.
fn connected_as(uid: u32, path: std::path::PathBuf) -> std::os::unix::net::UnixStream {
    let connecting = std::thread::spawn(move || {
        let uid = rustix::process::Uid::from_raw(uid);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        std::os::unix::net::UnixStream::connect(path).unwrap()
    });
    connecting.join().unwrap()
}

#[tokio::test]
async fn two_users_of_one_socket_see_their_own_jobs() {
    if !rustix::process::geteuid().is_root() {
        // Only root can take on another user; who is not root has the tests with stated principals.
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let bed = TestBed::new();
    bed.job_of_ann().await;
    let path = bed.dir.path().join("odin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    for (path, mode) in [(bed.dir.path(), 0o711), (&path, 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(bed.api.clone(), Listener::Unix(listener), async {
        let _ = stopped.await;
    }));
    for (uid, expected) in [
        (1000, "greet"),
        (0, "greet"),
        (1001, r#"{"jobs":[],"next":null}"#),
        (4242, "auth/unknown-user"),
        (65534, "auth/unknown-user"),
    ] {
        let stream = connected_as(uid, path.clone());
        stream.set_nonblocking(true).unwrap();
        let stream = UnixStream::from_std(stream).unwrap();
        let (_, body) = ask(stream, "/api/v1/jobs", &[]).await;
        assert!(body.contains(expected), "{uid}: {body}");
    }
    drop(stop);
    served.await.unwrap();
}

#[tokio::test]
async fn peers_are_mapped_to_users() {
    use odin_model::owner::Role::{Admin, Operator};
    let bed = TestBed::of(Owner {
        user: "odin".into(),
        uid: 500,
    });
    for (uid, expected) in [
        (500, Some(("odin", Admin))),
        (0, Some(("root", Admin))),
        (1000, Some(("ann", Operator))),
        (4242, None),
        (65534, None),
    ] {
        let found = of_local_peer(&*bed.backend, uid).ok();
        let found = found.as_ref().map(|it| (it.user.user.as_str(), it.role));
        assert_eq!(found, expected, "{uid}");
    }
}

#[tokio::test]
async fn tcp_takes_a_token_and_loopback_names_only() {
    let bed = TestBed::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(bed.api.clone(), Listener::Tcp(listener), async {
        let _ = stopped.await;
    }));
    let local = address.to_string();
    let bearer = format!("Bearer {TOKEN}");
    let lower = format!("bearer {TOKEN}");
    for (path, host, token, expected) in [
        ("/healthz", &*local, None, 200),
        ("/readyz", "localhost:1", None, 200),
        ("/healthz", "evil.example", None, 403),
        ("/metrics", &local, None, 401),
        ("/api/v1/jobs", &local, None, 401),
        ("/nowhere", &local, None, 401),
        ("/api/v1/jobs", &local, Some("Bearer wrong"), 401),
        ("/api/v1/jobs", &local, Some("Bearer "), 401),
        ("/api/v1/jobs", &local, Some(TOKEN), 401),
        ("/api/v1/jobs", &local, Some(&*bearer), 200),
        ("/api/v1/jobs", &local, Some(&*lower), 200),
        ("/metrics", &local, Some(&*bearer), 200),
        ("/api/v1/jobs", "evil.example", Some(&*bearer), 403),
        ("/nowhere", &local, Some(&*bearer), 404),
    ] {
        let mut headers = vec![("host", host)];
        headers.extend(token.map(|token| ("authorization", token)));
        let (status, body) = ask(TcpStream::connect(address).await.unwrap(), path, &headers).await;
        assert_eq!(status, expected, "{path} {host} {token:?}: {body}");
    }
    drop(stop);
    served.await.unwrap();
}

#[tokio::test]
async fn stopping_ends_streams_and_then_the_server() {
    let uid = rustix::process::geteuid().as_raw();
    let bed = TestBed::of(Owner {
        user: "runner".into(),
        uid,
    });
    let path = bed.dir.path().join("odin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(bed.api.clone(), Listener::Unix(listener), async {
        let _ = stopped.await;
    }));
    let stream = UnixStream::connect(&path).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("/api/v1/events")
        .body(Empty::<&[u8]>::new())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(stop);
    answer.into_body().collect().await.unwrap();
    served.await.unwrap();
    connection.await.unwrap().unwrap();
    assert!(UnixStream::connect(&path).await.is_err());
    assert_eq!(Arc::strong_count(&bed.backend), 2);
}
