//! Requests to a receiver that speaks HTTP/1.1, over one connection for as long as it lasts.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{
    CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;

use crate::connect::dial;
use crate::tls::connector;
use crate::{Bounds, HttpAddress, OutboundError, TlsFlaw, with_causes};

/// How many bytes the head of an answer may have.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How much of a `Location` or a `Content-Type` is kept, in characters.
const HEADER_CHARS_MAX: usize = 300;

/// How an answer's body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It is all there.
    Whole,
    /// It is longer than [`Bounds::answer_bytes_max`]; the beginning is there.
    Cut,
    /// The connection ended first, or [`Bounds::body`] passed; what came until then is there.
    Broken(String),
}

/// What a receiver answered, whatever that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long it asks to be left alone: the seconds of a `Retry-After`. A date is not read.
    pub retry_after: Option<Duration>,
    /// Where a redirect points. It was not followed.
    pub location: Option<String>,
    /// What the body says it is.
    pub content_type: Option<String>,
    /// The body, or its beginning.
    pub body: Bytes,
    /// How the body ended.
    pub ending: Ending,
}

/// A connection, which ends when this is dropped.
struct Open {
    sender: SendRequest<Full<Bytes>>,
    /// Whether an exchange was had over it: only then may the other side have closed it for being idle.
    is_used: bool,
    _connection: AbortOnDropHandle<()>,
}

/// A receiver, and the connection to it.
pub struct HttpClient {
    address: HttpAddress,
    bounds: Bounds,
    headers: HeaderMap,
    open: Option<Open>,
}

impl HttpClient {
    /// Speaks to the receiver at that address. Nothing is sent yet.
    #[must_use]
    pub fn new(address: HttpAddress, bounds: Bounds) -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("odin/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        Self {
            address,
            bounds,
            headers,
            open: None,
        }
    }

    /// Where its requests go.
    #[must_use]
    pub fn address(&self) -> &HttpAddress {
        &self.address
    }

    /// Sends a header with every request.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// Sends a header whose value no debugging text shows.
    ///
    /// # Errors
    /// When no header can hold it.
    pub fn set_secret(&mut self, name: HeaderName, value: &[u8]) -> Result<(), OutboundError> {
        // A line's end from a file or a pipe is none of the secret's; headers never end in space.
        let value = HeaderValue::from_bytes(value.trim_ascii_end());
        let mut value = value.map_err(|_| OutboundError::SecretUnfit)?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// Makes sure of a connection, for callers that want to tell it apart from the exchange.
    ///
    /// # Errors
    /// When there is none within [`Bounds::connect`].
    pub async fn connect(&mut self) -> Result<(), OutboundError> {
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.sender.is_closed())
        {
            self.open = None;
            self.open = Some(connect(&self.address, &self.bounds).await?);
        }
        Ok(())
    }

    /// Posts a body to `path`, which has its query with it.
    ///
    /// A connection that the other side has closed in the meantime is made again, once: a receiver may get a request
    /// twice, and has to know it by what is in it.
    ///
    /// # Errors
    /// When no head of an answer came within [`Bounds::exchange`]. One whose body is late or breaks off is an
    /// [`Answer`] that says so.
    pub async fn post(
        &mut self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, OutboundError> {
        let within = self.bounds.exchange;
        let exchange = self.exchange(path, headers, body);
        let (mut open, response) = match tokio::time::timeout(within, exchange).await {
            Ok(done) => done?,
            Err(_) => {
                return Err(OutboundError::NoAnswer {
                    place: self.address.place(),
                    after: within,
                });
            }
        };
        let answer = read(response, &self.bounds).await;
        // What is left of a body would be taken for the next answer.
        if answer.ending == Ending::Whole {
            open.is_used = true;
            self.open = Some(open);
        }
        Ok(answer)
    }

    /// Sends a request and gives the answer's head. The connection is the client's again once the body is read.
    async fn exchange(
        &mut self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(Open, Response<Incoming>), OutboundError> {
        let request = self.request(path, headers, body)?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => connect(&self.address, &self.bounds).await?,
        };
        if open.is_used {
            if open.sender.ready().await.is_ok()
                && let Ok(response) = open.sender.send_request(request.clone()).await
            {
                return Ok((open, response));
            }
            open = connect(&self.address, &self.bounds).await?;
        }
        let sent = open.sender.send_request(request).await;
        let response = sent.map_err(|error| self.broken(&error))?;
        Ok((open, response))
    }

    fn request(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, OutboundError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, &self.address.authority);
        if let Some(all) = request.headers_mut() {
            all.extend(self.headers.clone());
            all.extend(headers);
        }
        let request = request.body(Full::new(body));
        request.map_err(|error| OutboundError::BadRequest {
            place: self.address.place(),
            reason: error.to_string(),
        })
    }

    fn broken(&self, error: &hyper::Error) -> OutboundError {
        let place = self.address.place();
        let reason = with_causes(error);
        match error.is_parse() {
            true => OutboundError::NotHttp {
                place,
                reason,
                is_tls: self.address.is_tls,
            },
            false => OutboundError::Broken { place, reason },
        }
    }
}

async fn connect(address: &HttpAddress, bounds: &Bounds) -> Result<Open, OutboundError> {
    let connecting = async {
        let stream = dial(&address.host, address.port, bounds).await?;
        if !address.is_tls {
            return handshake(stream, address).await;
        }
        let stream = connector().await?.connect(&address.host, stream).await;
        let stream = stream.map_err(|error| no_tls(&error, address))?;
        handshake(stream, address).await
    };
    let in_time = tokio::time::timeout(bounds.connect, connecting).await;
    in_time.unwrap_or_else(|_| {
        Err(OutboundError::NotConnectedInTime {
            place: address.place(),
            after: bounds.connect,
        })
    })
}

fn no_tls(error: &io::Error, address: &HttpAddress) -> OutboundError {
    let flaw = TlsFlaw::of(error, &address.host);
    OutboundError::Tls {
        place: address.place(),
        flaw: flaw.unwrap_or_else(|| TlsFlaw::Other(error.to_string())),
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: &HttpAddress,
) -> Result<Open, OutboundError> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| OutboundError::Broken {
            place: address.place(),
            reason: with_causes(&error),
        })?;
    // Its errors are told to whoever waits for an answer.
    let connection = tokio::spawn(async move { drop(connection.await) });
    Ok(Open {
        sender,
        is_used: false,
        _connection: AbortOnDropHandle::new(connection),
    })
}

async fn read(response: Response<Incoming>, bounds: &Bounds) -> Answer {
    let status = response.status();
    let headers = response.headers();
    let retry_after = text(headers, RETRY_AFTER)
        .and_then(|seconds| seconds.trim().parse().ok())
        .map(Duration::from_secs);
    let kept = |text: &str| text.chars().take(HEADER_CHARS_MAX).collect();
    let location = text(headers, LOCATION).map(kept);
    let content_type = text(headers, CONTENT_TYPE).map(kept);
    let mut body = response.into_body();
    let mut read = Vec::new();
    let reading = async {
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let room = bounds.answer_bytes_max - read.len();
                    read.extend_from_slice(&data[..data.len().min(room)]);
                    if data.len() > room {
                        return Ending::Cut;
                    }
                }
                Err(error) => return Ending::Broken(with_causes(&error)),
            }
        }
        Ending::Whole
    };
    let ending = tokio::time::timeout(bounds.body, reading).await;
    let ending = ending.unwrap_or_else(|_| {
        let seconds = bounds.body.as_secs_f64();
        Ending::Broken(format!("it was not over within {seconds}s"))
    });
    Answer {
        status,
        retry_after,
        location,
        content_type,
        body: read.into(),
        ending,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
