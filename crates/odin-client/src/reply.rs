//! Answers: their bodies within bounds, and problems as errors.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use odin_wire::{PROBLEM_CONTENT_TYPE, Problem};
use tokio::time::timeout;

use crate::error::{CarriedOut, ClientError};
use crate::exchange::innermost;

/// The largest answer in JSON. A list of 1,000 jobs with long descriptions stays below it.
pub(crate) const JSON_BYTES_MAX: usize = 64 << 20;
/// How long an answer may pause in the middle of its body.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How much of an answer that is not Odin's is repeated.
const EXCERPT_CHARS_MAX: usize = 100;

/// The body of an answer.
pub(crate) async fn body(
    place: &str,
    answer: Response<Incoming>,
    bytes_max: usize,
) -> Result<Bytes, ClientError> {
    let mut body = answer.into_body();
    let mut bytes = BytesMut::new();
    loop {
        let Ok(frame) = timeout(SILENCE_MAX, body.frame()).await else {
            return Err(ClientError::TimedOut {
                place: place.to_owned(),
                after: SILENCE_MAX,
                carried_out: CarriedOut::Perhaps,
            });
        };
        let Some(frame) = frame else {
            return Ok(bytes.freeze());
        };
        let frame = frame.map_err(|error| ClientError::Lost {
            place: place.to_owned(),
            detail: innermost(&error),
            carried_out: CarriedOut::Perhaps,
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > bytes_max {
                return Err(ClientError::TooLarge {
                    place: place.to_owned(),
                    bytes_max,
                });
            }
            bytes.extend_from_slice(data);
        }
    }
}

/// The answer when it is a success, else its problem as an error.
pub(crate) async fn success(
    place: &str,
    answer: Response<Incoming>,
) -> Result<Response<Incoming>, ClientError> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let is_problem = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_CONTENT_TYPE.as_bytes()));
    let body = body(place, answer, JSON_BYTES_MAX).await?;
    if is_problem && let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
        return Err(ClientError::Refused(Box::new(problem)));
    }
    let excerpt = excerpt(&body);
    Err(ClientError::NotOdin {
        place: place.to_owned(),
        detail: format!("it answered {status} {excerpt}")
            .trim_end()
            .to_owned(),
    })
}

/// A JSON answer as its type.
pub(crate) fn json<T: serde::de::DeserializeOwned>(
    place: &str,
    body: &[u8],
) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::NotOdin {
        place: place.to_owned(),
        detail: format!("its answer cannot be read ({error}): {}", excerpt(body)),
    })
}

/// The beginning of a body, on one line and without control characters.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * EXCERPT_CHARS_MAX)]);
    text.chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT_CHARS_MAX)
        .collect()
}
