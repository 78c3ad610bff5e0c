//! Server-sent events, as the HTML standard defines them, as far as Odin sends them.

use std::time::Duration;

use hyper::Response;
use hyper::body::Incoming;

use crate::download::Download;
use crate::error::ClientError;

/// The largest event. An output chunk has at most 64 KiB before JSON writes it.
const EVENT_BYTES_MAX: usize = 4 << 20;
/// How long the server may say nothing, not even that it is there.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerEvent {
    /// Names the event: `last_event_id` of a stream that goes on after it. `None`: it has none.
    pub id: Option<String>,
    /// What it is about: the words of `odin_wire::EventKind`; `message` where the server names none.
    pub name: String,
    /// What it says.
    pub data: String,
}

/// A stream of events.
#[derive(Debug)]
pub struct EventStream {
    pieces: Download,
    parser: Parser,
}

impl EventStream {
    pub(crate) fn new(place: String, answer: Response<Incoming>) -> Self {
        Self {
            pieces: Download::new(place, answer, SILENCE_MAX),
            parser: Parser::default(),
        }
    }

    /// The next event. `None`: the server ended the stream. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection breaks, falls silent, or an event is too large. A stream can be taken up again with the
    /// id of its last event.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>, ClientError> {
        loop {
            if let Some(event) = self.parser.take() {
                return Ok(Some(event));
            }
            if self.parser.pending.len() > EVENT_BYTES_MAX {
                return Err(ClientError::TooLarge {
                    place: self.pieces.place().to_owned(),
                    bytes_max: EVENT_BYTES_MAX,
                });
            }
            match self.pieces.next().await? {
                None => return Ok(None),
                Some(piece) => self.parser.pending.extend_from_slice(&piece),
            }
        }
    }
}

/// Cuts bytes into events.
#[derive(Debug, Default)]
struct Parser {
    pending: Vec<u8>,
}

impl Parser {
    /// The first whole event, if there is one.
    fn take(&mut self) -> Option<ServerEvent> {
        loop {
            let end = self.pending.windows(2).position(|two| two == b"\n\n")? + 2;
            let block: Vec<u8> = self.pending.drain(..end).collect();
            if let Some(event) = parse_block(&String::from_utf8_lossy(&block)) {
                return Some(event);
            }
        }
    }
}

/// One event of its lines. `None` for a block of comments, which keeps the connection alive.
fn parse_block(block: &str) -> Option<ServerEvent> {
    let mut event = ServerEvent::default();
    let mut data: Option<String> = None;
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = Some(value.to_owned()),
            "event" => event.name = value.to_owned(),
            "data" => match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            },
            // Comments begin with a colon; other fields are not ours.
            _ => {}
        }
    }
    event.data = data?;
    if event.name.is_empty() {
        event.name = "message".to_owned();
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], expected: &[(Option<&str>, &str, &str)]) {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for piece in pieces {
            parser.pending.extend_from_slice(piece.as_bytes());
            while let Some(event) = parser.take() {
                found.push(event);
            }
        }
        let expected: Vec<_> = expected
            .iter()
            .map(|(id, name, data)| ServerEvent {
                id: id.map(str::to_owned),
                name: (*name).to_owned(),
                data: (*data).to_owned(),
            })
            .collect();
        assert_eq!(found, expected, "{pieces:?}");
    }

    #[test]
    fn events_are_cut_at_empty_lines_however_they_arrive() {
        let one = &[(Some("7"), "run", "{}")][..];
        check(&["id: 7\nevent: run\ndata: {}\n\n"], one);
        check(&["id: 7\nev", "ent: run\ndata: {", "}\n", "\n"], one);
        check(
            &[":\n\n", ": keep-alive\n\nid:7\nevent:run\ndata:{}\n\n"],
            one,
        );
        check(&["data: a\ndata: b\n\n"], &[(None, "message", "a\nb")]);
        check(&["event: run\n\n"], &[]);
        check(&["data: unfinished\n"], &[]);
        check(
            &["data: 1\n\ndata: 2\n\n"],
            &[(None, "message", "1"), (None, "message", "2")],
        );
    }
}
