//! Requests to receivers that speak HTTP, over one connection for as long as it lasts.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::address::HttpAddress;
use crate::delivery::cut;
use crate::{Unsent, tls};

/// How long a connection may take, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a request may take, its answer included.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A receiver.
pub(crate) struct HttpClient {
    address: HttpAddress,
    headers: HeaderMap,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl HttpClient {
    pub(crate) fn new(address: HttpAddress) -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("odin/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        Self {
            address,
            headers,
            open: None,
        }
    }

    /// Sends a header with every request.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// Sends a header whose value no debugging text shows.
    ///
    /// # Errors
    /// When no header can hold it.
    pub(crate) fn set_secret(&mut self, name: HeaderName, value: &[u8]) -> Result<(), Unsent> {
        let mut value = HeaderValue::from_bytes(value)
            .map_err(|_| Unsent::not_now("the secret holds what no HTTP header can"))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// Posts a body, compressed, and gives the body of the answer.
    pub(crate) async fn post_gzip(
        &mut self,
        path: &str,
        content_type: &'static str,
        body: &[u8],
    ) -> Result<Bytes, Unsent> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = encoder.write_all(body).and_then(|()| encoder.finish());
        let packed = packed.expect("memory takes what is written");
        self.post(path, content_type, "gzip", packed).await
    }

    /// Posts a body that is compressed as `encoding` says, and gives the body of the answer.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        content_type: &'static str,
        encoding: &'static str,
        body: Vec<u8>,
    ) -> Result<Bytes, Unsent> {
        let place = self.address.authority.clone();
        let exchange = self.exchange(path, content_type, encoding, body.into());
        match tokio::time::timeout(REQUEST_MAX, exchange).await {
            Ok(done) => done,
            Err(_) => {
                self.open = None;
                let seconds = REQUEST_MAX.as_secs();
                Err(Unsent::not_now(format!(
                    "{place} did not answer within {seconds}s"
                )))
            }
        }
    }

    async fn exchange(
        &mut self,
        path: &str,
        content_type: &'static str,
        encoding: &'static str,
        body: Bytes,
    ) -> Result<Bytes, Unsent> {
        let request = || {
            let mut request = Request::builder()
                .method(Method::POST)
                .uri(format!("{}{path}", self.address.path))
                .header(HOST, &self.address.authority)
                .header(CONTENT_TYPE, content_type)
                .header(CONTENT_ENCODING, encoding);
            if let Some(headers) = request.headers_mut() {
                headers.extend(self.headers.clone());
            }
            request
                .body(Full::new(body.clone()))
                .map_err(|error| Unsent::not_now(format!("the sink's address is no good: {error}")))
        };
        let place = &self.address.authority;
        // A connection that was open may have been closed by the other side since: then one more try on a new one.
        if let Some(mut sender) = self.open.take()
            && sender.ready().await.is_ok()
            && let Ok(response) = sender.send_request(request()?).await
        {
            let answer = judge(place, response).await;
            self.open = Some(sender);
            return answer;
        }
        let mut sender = connect(&self.address).await?;
        let response = sender.send_request(request()?).await.map_err(|error| {
            Unsent::not_now(format!("the connection to {place} broke: {error}"))
        })?;
        let answer = judge(place, response).await;
        self.open = Some(sender);
        answer
    }
}

async fn connect(address: &HttpAddress) -> Result<SendRequest<Full<Bytes>>, Unsent> {
    let place = &address.authority;
    let connecting = async {
        let stream = TcpStream::connect((address.host.as_str(), address.port))
            .await
            .map_err(|error| Unsent::not_now(format!("cannot connect to {place}: {error}")))?;
        // Small requests are not to wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        if !address.is_tls {
            return handshake(stream, place).await;
        }
        let name = ServerName::try_from(address.host.clone()).map_err(|_| {
            Unsent::not_now(format!("no certificate could name {:?}", address.host))
        })?;
        let stream = tls::connector()
            .await?
            .connect(name, stream)
            .await
            .map_err(|error| Unsent::not_now(format!("no TLS with {place}: {error}")))?;
        handshake(stream, place).await
    };
    match tokio::time::timeout(CONNECT_MAX, connecting).await {
        Ok(done) => done,
        Err(_) => {
            let seconds = CONNECT_MAX.as_secs();
            Err(Unsent::not_now(format!(
                "{place} did not connect within {seconds}s"
            )))
        }
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    place: &str,
) -> Result<SendRequest<Full<Bytes>>, Unsent> {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Unsent::not_now(format!("the connection to {place} broke: {error}")))?;
    // Ends when the sender is dropped, or the other side closes it.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// What an answer means: 400, 413 and 422 are about the records; everything else that is no success is about the
/// receiver, and may be mended.
async fn judge(place: &str, response: Response<hyper::body::Incoming>) -> Result<Bytes, Unsent> {
    let status = response.status();
    let after = retry_after(response.headers());
    let body = read(response).await;
    if status.is_success() {
        return body
            .map_err(|error| Unsent::not_now(format!("the answer of {place} broke off: {error}")));
    }
    let said = cut(&String::from_utf8_lossy(&body.unwrap_or_default()));
    let reason = match said.trim() {
        "" => format!("{place} answered {status}"),
        said => format!("{place} answered {status}: {said}"),
    };
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Err(Unsent::Refused(reason)),
        _ => Err(Unsent::NotNow { reason, after }),
    }
}

/// The seconds of a `Retry-After`. A date is left to the sink's own delays.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

async fn read(response: Response<hyper::body::Incoming>) -> Result<Bytes, hyper::Error> {
    let mut body = response.into_body();
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let room = ANSWER_BYTES_MAX - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
            if read.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
    }
    Ok(read.into())
}
