//! What the examples talk to: a token service and a timetable page, on loopback, as `examples/services` has them for
//! use by hand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::context::draw;

const TIMETABLE: &str = include_str!("../../../../examples/services/timetable.html");
/// How long a demo's token lives, in seconds.
const TOKEN_SECONDS: u32 = 15;
/// The longest request head and form: what is longer is no request of an example.
const REQUEST_BYTES_MAX: u64 = 16 * 1024;
/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Both services, until dropped.
pub(super) struct Services {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Services {
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    // One at a time is enough for two clients; a slow one is cut off.
                    Ok((stream, _)) => drop(tokio::time::timeout(PATIENCE, answer(stream)).await),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    pub(super) fn timetable_url(&self) -> String {
        format!("http://{}/timetable", self.address)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let (status, content_type, body) = match read_request(&mut stream).await? {
        Some(Request { first_line, form }) => reply(&first_line, &form),
        None => ("413 Content Too Large", "text/plain", String::new()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

struct Request {
    first_line: String,
    form: String,
}

/// A request's first line and body; `None` when it is too long or cut off.
async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream).take(REQUEST_BYTES_MAX);
    let mut first_line = String::new();
    reader.read_line(&mut first_line).await?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).await? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(u64::MAX);
        }
    }
    if length > reader.limit() {
        return Ok(None);
    }
    let mut form = vec![0; usize::try_from(length).unwrap_or(0)];
    reader.read_exact(&mut form).await?;
    Ok(Some(Request {
        first_line,
        form: String::from_utf8_lossy(&form).into_owned(),
    }))
}

fn reply(first_line: &str, form: &str) -> (&'static str, &'static str, String) {
    let mut words = first_line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("GET"), Some("/timetable")) => {
            ("200 OK", "text/html; charset=utf-8", TIMETABLE.to_owned())
        }
        (Some("POST"), Some("/token")) => {
            let has = |pair: &str| form.split('&').any(|given| given == pair);
            if has("client_id=demo")
                && has("client_secret=demo-secret")
                && has("grant_type=client_credentials")
            {
                ("200 OK", "application/json", new_token())
            } else {
                (
                    "401 Unauthorized",
                    "application/json",
                    r#"{"error":"invalid_client"}"#.to_owned(),
                )
            }
        }
        _ => (
            "404 Not Found",
            "application/json",
            r#"{"error":"not_found"}"#.to_owned(),
        ),
    }
}

fn new_token() -> String {
    let mut bits = [0; 8];
    draw(&mut bits).expect("the kernel has random numbers");
    let token = u64::from_le_bytes(bits);
    format!(
        r#"{{"access_token":"{token:016x}","token_type":"Bearer","expires_in":{TOKEN_SECONDS}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_demos_client_gets_a_token() {
        let form = "grant_type=client_credentials&client_id=demo&client_secret=";
        for (line, form, status) in [
            (
                "POST /token HTTP/1.1",
                format!("{form}demo-secret"),
                "200 OK",
            ),
            (
                "POST /token HTTP/1.1",
                format!("{form}guess"),
                "401 Unauthorized",
            ),
            ("GET /timetable HTTP/1.1", String::new(), "200 OK"),
            (
                "GET /../etc/passwd HTTP/1.1",
                String::new(),
                "404 Not Found",
            ),
            ("", String::new(), "404 Not Found"),
        ] {
            assert_eq!(reply(line, &form).0, status, "{line}");
        }
    }
}
