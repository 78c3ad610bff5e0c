//! Messages as HTTP requests, after the Standard Webhooks specification 1.0.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use odin_model::SecretValue;
use odin_model::channel::WebhookTarget;
use odin_model::delivery::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::courier::{CONNECT_MAX, Failed, shown};
use crate::render::payload;
use crate::signature::sign;
use crate::tls;

/// How much of an answer is read: enough to show why it is a refusal.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// How long is waited for the body of an answer whose head is there: its status counts, not its body.
const BODY_MAX: Duration = Duration::from_secs(2);
/// The longest address.
const URL_BYTES_MAX: usize = 2_000;

/// Why a text is not a webhook's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookAddressError {
    /// It does not read as one.
    #[error("it is not a URL")]
    NotUrl,
    /// Neither `http` nor `https`.
    #[error("it begins with neither `https://` nor `http://`")]
    Scheme,
    /// It has no host.
    #[error("it names no host")]
    NoHost,
    /// It holds a name or a password, which logs and lists would show.
    #[error("it holds a user name or a password")]
    HasLogin,
    /// Longer than is taken.
    #[error("it has {bytes} bytes; at most {URL_BYTES_MAX} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

struct Address {
    uri: Uri,
    host: String,
    port: u16,
    is_tls: bool,
}

/// Checks an address.
///
/// # Errors
/// When nothing could be sent to it.
pub fn check_url(text: &str) -> Result<(), WebhookAddressError> {
    parse(text).map(|_| ())
}

fn parse(text: &str) -> Result<Address, WebhookAddressError> {
    use WebhookAddressError as E;
    if text.len() > URL_BYTES_MAX {
        return Err(E::TooLong { bytes: text.len() });
    }
    let uri: Uri = text.parse().map_err(|_| E::NotUrl)?;
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err(E::Scheme),
    };
    let authority = uri.authority().ok_or(E::NoHost)?;
    if authority.as_str().contains('@') {
        return Err(E::HasLogin);
    }
    let host = authority.host().to_owned();
    if host.is_empty() {
        return Err(E::NoHost);
    }
    let port = authority
        .port_u16()
        .unwrap_or(if is_tls { 443 } else { 80 });
    Ok(Address {
        uri,
        host,
        port,
        is_tls,
    })
}

pub(crate) async fn send(
    target: &WebhookTarget,
    key: Option<&SecretValue>,
    message: &Message,
    now: Timestamp,
    steps: &mut Vec<String>,
) -> Result<String, Failed> {
    let address = parse(&target.url)
        .map_err(|error| Failed::for_good(format!("the channel's address is no good: {error}")))?;
    let place = format!("{}:{}", address.host, address.port);
    let bare = address.host.trim_start_matches('[').trim_end_matches(']');
    let connect = TcpStream::connect((bare, address.port));
    let stream = in_time(&place, connect)
        .await?
        .map_err(|error| Failed::for_now(format!("cannot connect to {place}: {error}")))?;
    steps.push(format!("connected to {place}"));
    let request = request(&address, key, message, now)?;
    let response = match address.is_tls {
        true => {
            let stream = in_time(&place, tls::connect(stream, &address.host)).await??;
            steps.push(format!("{}'s certificate is trusted", address.host));
            exchange(stream, request, &place).await?
        }
        false => exchange(stream, request, &place).await?,
    };
    steps.push(match key {
        Some(_) => format!("sent message {}, signed", message.id),
        None => format!("sent message {}, not signed", message.id),
    });
    let (status, answer) = response;
    steps.push(format!("{place} answered {answer}"));
    match status {
        status if status.is_success() => Ok(answer),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => {
            Err(Failed::for_good(format!("{place} answered {answer}")))
        }
        status if status.is_redirection() => Err(Failed::for_now(format!(
            "{place} answered {answer}; redirects are not followed"
        ))),
        _ => Err(Failed::for_now(format!("{place} answered {answer}"))),
    }
}

async fn in_time<T>(place: &str, work: impl Future<Output = T>) -> Result<T, Failed> {
    tokio::time::timeout(CONNECT_MAX, work).await.map_err(|_| {
        let seconds = CONNECT_MAX.as_secs();
        Failed::for_now(format!("{place} did not connect within {seconds}s"))
    })
}

fn request(
    address: &Address,
    key: Option<&SecretValue>,
    message: &Message,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, Failed> {
    let body = payload(message).to_string();
    let id = message.id.to_string();
    let seconds = now.as_second();
    let path = address.uri.path_and_query().map_or("/", |it| it.as_str());
    let host = address.uri.authority().map_or("", |it| it.as_str());
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("odin/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &id)
        .header("webhook-timestamp", seconds);
    if let Some(key) = key {
        let signature = sign(key, &id, seconds, body.as_bytes());
        request = request.header("webhook-signature", signature);
    }
    request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Failed::for_good(format!("the channel's address is no good: {error}")))
}

/// Sends a request and reads the head of the answer, and a little of its body.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    place: &str,
) -> Result<(StatusCode, String), Failed> {
    let broken =
        |error: hyper::Error| Failed::for_now(format!("the connection to {place} broke: {error}"));
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .map_err(broken)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok(summary(response).await)
    };
    tokio::pin!(connection, exchange);
    tokio::select! {
        biased;
        done = &mut exchange => done,
        // What the connection brought last is still to be read.
        ended = &mut connection => match (exchange.await, ended) {
            (Err(_), Err(error)) => Err(broken(error)),
            (done, _) => done,
        },
    }
}

async fn summary(response: Response<hyper::body::Incoming>) -> (StatusCode, String) {
    let status = response.status();
    let location = response.headers().get(LOCATION).map(|to| {
        let to = String::from_utf8_lossy(to.as_bytes()).into_owned();
        format!(" to {to}")
    });
    let mut body = response.into_body();
    let mut read = Vec::new();
    let reading = async {
        while read.len() < ANSWER_BYTES_MAX {
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        let room = ANSWER_BYTES_MAX - read.len();
                        read.extend_from_slice(&data[..data.len().min(room)]);
                    }
                }
                Some(Err(_)) | None => break,
            }
        }
    };
    // The status is the answer, whatever becomes of the rest.
    let _ = tokio::time::timeout(BODY_MAX, reading).await;
    let said = shown(&String::from_utf8_lossy(&read));
    let mut answer = format!("{status}{}", location.unwrap_or_default());
    if !said.is_empty() {
        answer.push_str(": ");
        answer.push_str(&said);
    }
    (status, answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_where_a_request_can_go() {
        use WebhookAddressError as E;
        for (text, expected) in [
            ("https://example.org", Ok(())),
            ("http://127.0.0.1:8080/hook?a=b", Ok(())),
            ("https://[::1]:8443/x", Ok(())),
            ("ftp://example.org", Err(E::Scheme)),
            ("example.org/hook", Err(E::NotUrl)),
            ("/hook", Err(E::Scheme)),
            ("https://user:pass@example.org", Err(E::HasLogin)),
            ("https:///x", Err(E::NotUrl)),
            ("", Err(E::NotUrl)),
        ] {
            assert_eq!(check_url(text), expected, "{text:?}");
        }
    }
}
