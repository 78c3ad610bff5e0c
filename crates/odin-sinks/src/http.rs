//! Requests to receivers that speak HTTP, and what their answers mean for records.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use odin_outbound::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use odin_outbound::{Answer, Bounds, Ending, HttpAddress, HttpClient, OutboundError, StatusCode};

use crate::Unsent;

/// A receiver.
pub(crate) struct HttpReceiver {
    client: HttpClient,
    /// What stands before the path of every request.
    base: String,
}

impl HttpReceiver {
    pub(crate) fn new(address: HttpAddress, bounds: Bounds) -> Self {
        let base = address.path().trim_end_matches('/').to_owned();
        Self {
            client: HttpClient::new(address, bounds),
            base,
        }
    }

    /// Sends a header with every request.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.client.set(name, value);
    }

    /// Sends a header whose value no debugging text shows.
    ///
    /// # Errors
    /// When no header can hold it.
    pub(crate) fn set_secret(&mut self, name: HeaderName, value: &[u8]) -> Result<(), Unsent> {
        Ok(self.client.set_secret(name, value)?)
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
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        let path = match format!("{}{path}", self.base) {
            root if root.is_empty() => "/".to_owned(),
            path => path,
        };
        let answer = self.client.post(&path, headers, body.into()).await?;
        judge(&self.client.address().place(), answer)
    }
}

impl From<OutboundError> for Unsent {
    /// Whatever keeps a receiver from answering may be mended.
    fn from(error: OutboundError) -> Self {
        Self::not_now(error.to_string())
    }
}

/// What an answer means: 400, 413 and 422 are about the records; everything else that is no success is about the
/// receiver, and may be mended.
fn judge(place: &str, answer: Answer) -> Result<Bytes, Unsent> {
    let status = answer.status;
    if status.is_success() {
        // A proxy's or a console's page: whoever says that has kept nothing.
        if answer.content_type.as_deref().is_some_and(is_web_page) {
            return Err(Unsent::not_now(format!(
                "{place} answered {status} with a web page, so it is no receiver of records: look at the sink's \
                 address, its port and its path"
            )));
        }
        return match answer.ending {
            // What a receiver says beyond the bound is not worth sending everything again.
            Ending::Whole | Ending::Cut => Ok(answer.body),
            Ending::Broken(how) => Err(Unsent::not_now(format!(
                "the answer of {place} broke off: {how}"
            ))),
        };
    }
    let said = String::from_utf8_lossy(&answer.body);
    let mut reason = match said.trim() {
        "" => format!("{place} answered {status}"),
        said => format!("{place} answered {status}: {said}"),
    };
    if status.is_redirection() {
        let to = answer.location.as_deref().unwrap_or("nowhere");
        reason = format!(
            "{place} answered {status} to {to}: redirects are not followed; set the sink to where it is now"
        );
    }
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Err(Unsent::Refused(reason)),
        _ => Err(Unsent::NotNow {
            reason,
            after: answer.retry_after,
        }),
    }
}

/// Whether a `Content-Type` is that of a page for people.
fn is_web_page(content_type: &str) -> bool {
    let (kind, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    let kind = kind.trim().to_ascii_lowercase();
    kind == "text/html" || kind == "application/xhtml+xml"
}
