//! Real receivers on loopback that do everything but answer as they should: each attempt ends, within its bounds, and
//! says what was wrong.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use odin_outbound::header::HeaderMap;
use odin_outbound::{Answer, Bounds, Ending, HttpAddress, HttpClient, OutboundError, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Short enough to wait for, where the receiver is such that nothing else can end the attempt.
const SOON: Duration = Duration::from_millis(300);
const BODY: &str = "{the body}";

/// What a receiver does once it has the request.
#[derive(Clone, Copy)]
enum Act {
    /// Says this and goes away.
    Says(&'static [u8]),
    /// Says this and waits for the next request.
    SaysAndStays(&'static [u8]),
    /// Says the first once and the second again and again, a byte at a time.
    Trickles(&'static [u8], &'static [u8]),
    /// Says the first once and the second again and again, as fast as it is taken.
    Floods(&'static [u8], &'static [u8]),
    /// Reads, and says nothing.
    Hangs,
}

struct Receiver {
    client: HttpClient,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

async fn receiver(act: Act, bounds: Bounds) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let (connections, requests) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let (made, had) = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            made.fetch_add(1, Ordering::SeqCst);
            let had = Arc::clone(&had);
            tokio::spawn(async move {
                // A client that goes away ends it.
                let _ = serve(stream, act, &had).await;
            });
        }
    });
    Receiver {
        client: HttpClient::new(HttpAddress::parse(&url).unwrap(), bounds),
        connections,
        requests,
    }
}

async fn serve(mut stream: TcpStream, act: Act, requests: &AtomicUsize) -> std::io::Result<()> {
    loop {
        let mut read = Vec::new();
        while !read.ends_with(BODY.as_bytes()) {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        requests.fetch_add(1, Ordering::SeqCst);
        match act {
            Act::Says(answer) => return stream.write_all(answer).await,
            Act::SaysAndStays(answer) => stream.write_all(answer).await?,
            Act::Hangs => std::future::pending().await,
            Act::Floods(once, again) => {
                stream.write_all(once).await?;
                loop {
                    stream.write_all(again).await?;
                }
            }
            Act::Trickles(once, again) => {
                stream.write_all(once).await?;
                stream.set_nodelay(true)?;
                for byte in again.iter().cycle() {
                    stream.write_all(&[*byte]).await?;
                    // The pace of the receiver; what is tested is that the client does not keep to it.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}

impl Receiver {
    async fn post(&mut self) -> Result<Answer, OutboundError> {
        self.client.post("/x", HeaderMap::new(), BODY.into()).await
    }
}

#[track_caller]
fn check(answer: Result<Answer, OutboundError>, expected: &str) {
    let error = answer.unwrap_err().to_string();
    assert!(error.contains(expected), "{error:?} has no {expected:?}");
    assert!(error.contains("127.0.0.1:"), "{error:?} names no place");
}

fn soon() -> Bounds {
    Bounds {
        exchange: SOON,
        body: SOON,
        answer_bytes_max: 1_000,
        ..Bounds::default()
    }
}

#[tokio::test]
async fn one_that_says_nothing_or_never_ends_its_head_is_left_in_time() {
    for act in [
        Act::Hangs,
        Act::Trickles(b"HTTP/1.1 200 OK\r\n", b"x"),
        Act::Trickles(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        Act::Trickles(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ] {
        let mut receiver = receiver(act, soon()).await;
        check(receiver.post().await, "did not answer within 300ms");
        let requests = receiver.requests.load(Ordering::SeqCst);
        assert_eq!(requests, 1, "a message is sent once in an attempt");
    }
}

#[tokio::test]
async fn what_is_no_http_or_has_a_head_without_end_is_said_to_be() {
    for (act, expected) in [
        (
            Act::Says(b"SSH-2.0-OpenSSH_9.9\r\n"),
            "does not answer in HTTP",
        ),
        (
            Act::Says(b"\0\xff\x80 rubbish \r\n\r\n"),
            "does not answer in HTTP",
        ),
        (
            Act::Floods(b"HTTP/1.1 200 OK\r\nx: ", b"aaaaaaaaaa"),
            "too large",
        ),
        (
            Act::Floods(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
            "does not answer in HTTP",
        ),
        (
            Act::Floods(b"", b"no end of a line"),
            "does not answer in HTTP",
        ),
        (Act::Says(b""), "the connection to 127.0.0.1:"),
        (
            Act::Says(b"HTTP/1.1 200 OK\r\n"),
            "the connection to 127.0.0.1:",
        ),
    ] {
        let mut receiver = receiver(act, Bounds::default()).await;
        check(receiver.post().await, expected);
        assert_eq!(receiver.requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_body_is_read_to_its_bound_and_its_status_counts_whatever_becomes_of_it() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (act, is_cut) in [
        (Act::Floods(b"HTTP/1.1 200 OK\r\n\r\n", b"no end"), true),
        (Act::Floods(chunked, b"5\r\nhello\r\n"), true),
        (Act::Trickles(b"HTTP/1.1 200 OK\r\n\r\n", b"slow"), false),
        (Act::Trickles(chunked, b"1\r\nx\r\n"), false),
        (
            Act::Says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello"),
            false,
        ),
        (
            Act::Says(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nrubbish",
            ),
            false,
        ),
    ] {
        // What is cut has no need of the bound in time.
        let bounds = match is_cut {
            true => Bounds {
                answer_bytes_max: 1_000,
                ..Bounds::default()
            },
            false => soon(),
        };
        let mut receiver = receiver(act, bounds).await;
        let answer = receiver.post().await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        match answer.ending {
            Ending::Cut => assert_eq!((is_cut, answer.body.len()), (true, 1_000)),
            Ending::Broken(how) => assert!(!is_cut, "{how}"),
            Ending::Whole => panic!("{answer:?}"),
        }
        // What is left of the body is not taken for the next answer.
        let again = receiver.post().await.unwrap();
        assert_eq!(again.status, StatusCode::OK);
        assert_eq!(receiver.connections.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_connection_is_used_again_and_a_redirect_is_not_followed() {
    let redirect = b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/y\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nno";
    let mut receiver = receiver(Act::SaysAndStays(redirect), Bounds::default()).await;
    for _ in 0..3 {
        let answer = receiver.post().await.unwrap();
        assert_eq!(answer.location.as_deref(), Some("http://127.0.0.1:1/y"));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(
            (answer.body.as_ref(), answer.ending),
            (&b"no"[..], Ending::Whole)
        );
    }
    let connections = receiver.connections.load(Ordering::SeqCst);
    let requests = receiver.requests.load(Ordering::SeqCst);
    assert_eq!((connections, requests), (1, 3));
}

#[tokio::test]
async fn a_connection_that_was_closed_since_is_made_again() {
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let mut receiver = receiver(Act::Says(answer), Bounds::default()).await;
    for _ in 0..3 {
        assert_eq!(
            receiver.post().await.unwrap().status,
            StatusCode::NO_CONTENT
        );
    }
    assert_eq!(receiver.requests.load(Ordering::SeqCst), 3);
}

fn client(port: u16, bounds: Bounds) -> HttpClient {
    let address = HttpAddress::parse(&format!("http://127.0.0.1:{port}/x")).unwrap();
    HttpClient::new(address, bounds)
}

#[tokio::test]
async fn nobody_there_is_said_with_what_to_look_at() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut client = client(port, Bounds::default());
    let answer = client.post("/x", HeaderMap::new(), BODY.into()).await;
    check(answer, "nothing listens there: check the port");
}

#[tokio::test]
async fn one_that_takes_no_connection_is_left_in_time() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: once its queue is full, the system answers no more.
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SOON, TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 100, "the queue has no end");
    }
    let bounds = Bounds {
        connect: SOON,
        ..Bounds::default()
    };
    let mut client = client(address.port(), bounds);
    let answer = client.post("/x", HeaderMap::new(), BODY.into()).await;
    check(answer, "did not connect within 300ms");
}

#[tokio::test]
async fn a_secret_loses_its_line_end_and_one_that_fits_no_header_is_refused() {
    let mut client = client(1, Bounds::default());
    let name = odin_outbound::header::AUTHORIZATION;
    assert_eq!(client.set_secret(name.clone(), b"Bearer sesame\n"), Ok(()));
    let refused = client.set_secret(name, b"ses\name");
    assert_eq!(refused, Err(OutboundError::SecretUnfit));
}
