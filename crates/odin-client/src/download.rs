//! An answer that is too large for memory, piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::error::{CarriedOut, ClientError};
use crate::exchange::innermost;

/// How long the server may send nothing.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// An answer on its way. It counts only once [`next`](Self::next) has said that it is at its end.
#[derive(Debug)]
pub struct Download {
    place: String,
    body: Incoming,
}

impl Download {
    pub(crate) fn new(place: String, answer: Response<Incoming>) -> Self {
        Self {
            place,
            body: answer.into_body(),
        }
    }

    /// The next piece. `None`: that was all of it.
    ///
    /// # Errors
    /// The connection broke, or the server could not go on.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Ok(frame) = timeout(SILENCE_MAX, self.body.frame()).await else {
                return Err(ClientError::TimedOut {
                    place: self.place.clone(),
                    after: SILENCE_MAX,
                    carried_out: CarriedOut::No,
                });
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => {
                    return Err(ClientError::Lost {
                        place: self.place.clone(),
                        detail: innermost(&error),
                        carried_out: CarriedOut::No,
                    });
                }
            }
        }
    }
}
