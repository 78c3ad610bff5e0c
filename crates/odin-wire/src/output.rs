//! What a run printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use odin_model::output as model;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which stream a process printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

impl From<model::Stream> for Stream {
    fn from(stream: model::Stream) -> Self {
        match stream {
            model::Stream::Stdout => Self::Stdout,
            model::Stream::Stderr => Self::Stderr,
        }
    }
}

/// Bytes that were printed together: exactly one of `text` and `base64` is there.
///
/// Chunks end where the process stopped printing, which may be inside a line or a character: put the bytes of
/// neighbouring chunks of a stream together before reading them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputChunk {
    /// Where it was printed.
    pub stream: Stream,
    /// When it was read from the process: the node's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The bytes, when they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes in base64, when they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl OutputChunk {
    /// The chunk of some bytes.
    #[must_use]
    pub fn new(stream: Stream, at: Timestamp, bytes: Vec<u8>) -> Self {
        let (text, base64) = match String::from_utf8(bytes) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
        };
        Self {
            stream,
            at,
            text,
            base64,
        }
    }

    /// The bytes. `None` when `base64` is not base64 or both are missing, which no server sends.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.text, &self.base64) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(base64)) => BASE64.decode(base64).ok(),
            (None, None) => None,
        }
    }
}

impl From<model::OutputChunk> for OutputChunk {
    fn from(chunk: model::OutputChunk) -> Self {
        Self::new(chunk.stream.into(), chunk.at, chunk.bytes)
    }
}

/// A run's output, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputList {
    /// The chunks.
    pub output: Vec<OutputChunk>,
    /// What to send as `after` for more, which may come as long as the run goes on. `null`: there is no more.
    pub next: Option<String>,
    /// Bytes that were printed and not kept, because the cap was reached or the disk was full.
    pub dropped_bytes: u64,
    /// Only the end is here: the rest is on a node that does not answer, or was removed.
    pub only_end: bool,
}

/// What `/runs/{id}/output` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct OutputQuery {
    /// Go on where an earlier answer's `next` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Begin after so many bytes of the attempt's output, both streams counted together, instead of at its beginning; at
    /// its present end, if that comes before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Begin so many bytes before the present end of the attempt's output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail: Option<u64>,
    /// `1`: server-sent events until the run is over: `chunk` with an output chunk, then `end` with the run.
    /// A `Last-Event-ID` resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<u8>,
    /// Only what this attempt printed, from 1. Default: the latest one; with `follow`, all of them in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_text_travel_in_base64() {
        for (bytes, json) in [
            (
                &b"fast\n"[..],
                r#"{"stream":"stderr","at":"2026-01-01T00:00:00.5Z","text":"fast\n"}"#,
            ),
            (
                &b"\xff\x00"[..],
                r#"{"stream":"stderr","at":"2026-01-01T00:00:00.5Z","base64":"/wA="}"#,
            ),
        ] {
            let at = "2026-01-01T00:00:00.5Z".parse().unwrap();
            let chunk = OutputChunk::new(Stream::Stderr, at, bytes.to_vec());
            assert_eq!(serde_json::to_string(&chunk).unwrap(), json);
            let back: OutputChunk = serde_json::from_str(json).unwrap();
            assert_eq!(back.bytes().unwrap(), bytes);
        }
    }
}
