//! An answer that is too large for memory, piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::error::{CarriedOut, ClientError};
use crate::exchange::innermost;

/// An answer on its way. It counts only once [`next`](Self::next) has said that it is at its end.
#[derive(Debug)]
pub struct Download {
    place: String,
    body: Incoming,
    silence_max: Duration,
}

impl Download {
    /// `silence_max`: how long the server may send nothing.
    pub(crate) fn new(place: String, answer: Response<Incoming>, silence_max: Duration) -> Self {
        Self {
            place,
            body: answer.into_body(),
            silence_max,
        }
    }

    /// Where the answer is from, for errors.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The next piece. `None`: that was all of it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The connection broke or fell silent, or the server could not go on.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Ok(frame) = timeout(self.silence_max, self.body.frame()).await else {
                return Err(ClientError::TimedOut {
                    place: self.place.clone(),
                    after: self.silence_max,
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
