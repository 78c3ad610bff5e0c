//! What a request does when its server is not there, not ready, cuts replies off, or is something else.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use odin_client::{Client, ClientError, IdempotencyKey, Target};
use odin_model::JobId;
use odin_wire::{Exit, ModifyJob};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

const NODES: &str = r#"{"nodes":[],"next":null}"#;

/// One connection's answer: what is sent before the connection is closed.
fn reply(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    reply("200 OK", "application/json", body)
}

fn problem(status: u16, code: &str) -> String {
    let body = format!(
        r#"{{"type":"urn:odin:{code}","title":"t","status":{status},"code":"{code}","detail":"d"}}"#
    );
    reply(&format!("{status} X"), "application/problem+json", &body)
}

/// A server that gives each connection the next of `replies` and keeps the heads of the requests.
struct Scripted {
    _directory: tempfile::TempDir,
    socket: PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn start(replies: Vec<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("odin.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = [0; 4096];
                let length = stream.read(&mut bytes).await.unwrap();
                seen.lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&bytes[..length]).into_owned());
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        Self {
            _directory: directory,
            socket,
            requests,
        }
    }

    async fn client(&self) -> Client {
        client(&self.socket).await
    }

    fn heads(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn client(socket: &Path) -> Client {
    Client::find(&Target::Socket(socket.to_owned()), None)
        .await
        .unwrap()
}

fn job() -> JobId {
    JobId::from_bits(1)
}

fn key() -> IdempotencyKey {
    IdempotencyKey::from_bits([7; 16])
}

#[tokio::test]
async fn nobody_listening_is_said_at_once_with_the_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("odin.sock");
    let error = client(&socket).await.nodes().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Unavailable);
    assert!(error.help().unwrap().contains("odin server"));

    let sockets = Target::Sockets(vec![socket.clone(), directory.path().join("other.sock")]);
    let error = Client::find(&sockets, None).await.unwrap_err();
    assert!(error.to_string().contains(" or "), "{error}");

    // Left behind by a server that was killed.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let error = client(&socket).await.nodes().await.unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error:?}");
}

#[tokio::test]
async fn no_leader_is_waited_for() {
    let server = Scripted::start(vec![
        problem(503, "cluster/no-leader"),
        problem(503, "server/starting"),
        ok(NODES),
    ]);
    assert!(
        server
            .client()
            .await
            .nodes()
            .await
            .unwrap()
            .nodes
            .is_empty()
    );
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn a_creation_whose_reply_was_lost_is_sent_again_with_the_same_key() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-".to_owned();
    let server = Scripted::start(vec![String::new(), cut, problem(404, "job/not-found")]);
    let error = server
        .client()
        .await
        .run_job(job(), key())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.exit()),
        ("job/not-found", Exit::NotFound)
    );
    let heads = server.heads();
    assert_eq!(heads.len(), 3);
    for head in heads {
        assert!(
            head.starts_with("POST /api/v1/jobs/000000000001/run HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.contains("idempotency-key: 07070707070707070707070707070707"),
            "{head}"
        );
        assert!(!head.contains("authorization"), "{head}");
    }
}

#[tokio::test]
async fn a_change_without_a_key_is_not_sent_twice() {
    let server = Scripted::start(vec![String::new(), ok(NODES)]);
    let change = ModifyJob::default();
    let error = server
        .client()
        .await
        .modify(job(), &change, Some(5))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.exit()),
        ("client/connection-lost", Exit::Unavailable)
    );
    assert!(error.help().unwrap().contains("may have been carried out"));
    assert_eq!(server.heads().len(), 1);
    assert!(server.heads()[0].contains("if-match: 5\r\n"));
}

#[tokio::test]
async fn a_removal_whose_reply_was_lost_is_done_when_the_job_is_gone() {
    let server = Scripted::start(vec![String::new(), problem(404, "job/not-found")]);
    server.client().await.remove(job(), None).await.unwrap();
    let server = Scripted::start(vec![problem(404, "job/not-found")]);
    let error = server.client().await.remove(job(), None).await.unwrap_err();
    assert_eq!(error.exit(), Exit::NotFound);
}

#[tokio::test]
async fn what_is_not_odin_is_said_in_few_words() {
    for (reply, part) in [
        (
            reply("200 OK", "text/html", "<h1>hi\x1b[31m</h1>"),
            "its answer cannot be read",
        ),
        (
            reply("404 Not Found", "text/plain", "no"),
            "it answered 404 Not Found no",
        ),
        (
            "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
            "is not an Odin server",
        ),
    ] {
        let replies = std::iter::repeat_n(reply, 50).collect();
        let error = server_error(replies).await;
        assert!(error.contains(part), "{error}");
        assert!(!error.contains('\x1b'));
    }
}

async fn server_error(replies: Vec<String>) -> String {
    let server = Scripted::start(replies);
    let client = server.client().await;
    client.job(job()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_cut_off() {
    let length = (64 << 20) + 1;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let server = Scripted::start(vec![head + &"x".repeat(length)]);
    let error = server.client().await.bundle(job()).await.unwrap_err();
    assert_eq!(error.code(), "client/answer-too-large");
}

#[tokio::test]
async fn a_port_is_asked_for_its_socket_and_gets_no_token() {
    let server = Scripted::start(vec![ok(NODES)]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let health = format!(
        r#"{{"status":"serving","version":"0","node":"n","socket":"{}"}}"#,
        server.socket.display()
    );
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        stream.write_all(ok(&health).as_bytes()).await.unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    });
    let token = odin_client::Token::parse("secret").unwrap();
    let client = Client::find(&Target::Port(port), Some(token))
        .await
        .unwrap();
    client.nodes().await.unwrap();
    let head = asked.await.unwrap();
    assert!(head.starts_with("GET /healthz "), "{head}");
    assert!(!head.contains("secret"));
    assert!(!server.heads()[0].contains("secret"));
}

#[tokio::test]
async fn a_url_needs_a_token() {
    let target = Target::parse_server("http://127.0.0.1:1").unwrap();
    let error = Client::find(&target, None).await.unwrap_err();
    assert_eq!(
        (error.code(), error.exit()),
        ("client/token-missing", Exit::NotPermitted)
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned();
    let server = Scripted::start(vec![cut.clone(), ok(NODES)]);
    server.client().await.nodes().await.unwrap();
    let server = Scripted::start(vec![cut.clone(), cut.clone(), cut]);
    let error = server.client().await.nodes().await.unwrap_err();
    assert_eq!(error.code(), "client/connection-lost");
}
