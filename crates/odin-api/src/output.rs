//! What a run printed: in pages, or followed until it is over.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use odin_model::output::{OutputChunk, OutputKept};
use odin_model::{AttemptNumber, Principal, RunId};
use odin_wire as wire;
use odin_wire::{EventKind, OutputList, OutputQuery, Problem};

use crate::api::{Api, StreamTurn};
use crate::backend::{OutputFault, OutputPage, OutputPosition};
use crate::events;
use crate::extract::{Caller, Params, RunInPath};
use crate::failure::Failure;
use crate::runs::{changed, is_over};
use crate::seen::{self, SeenRun};

/// How often a follower asks for more while the run goes on: output has no other signal.
const POLL: Duration = Duration::from_millis(200);

/// Beyond any output: whoever adds to a position need not think of overflow.
pub(crate) const PLACE_MAX: u64 = 1 << 60;

/// Where a reader of a run's output is, as text `attempt.bytes.hint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cursor {
    /// Whose output; 0 before the first attempt.
    attempt: u32,
    position: OutputPosition,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let OutputPosition { bytes, hint } = self.position;
        write!(f, "{}.{bytes}.{hint}", self.attempt)
    }
}

impl std::str::FromStr for Cursor {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let refused = || {
            Failure::new(
                "request/bad-query",
                "`after` is not a `next` that this server gave",
            )
        };
        let numbers: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[attempt, bytes, hint]) if bytes < PLACE_MAX && hint < PLACE_MAX => Ok(Self {
                attempt: u32::try_from(attempt).map_err(|_| refused())?,
                position: OutputPosition { bytes, hint },
            }),
            _ => Err(refused()),
        }
    }
}

/// A page of a run's output, and where it ends.
struct Piece {
    chunks: Vec<OutputChunk>,
    /// Where each chunk ends.
    ends: Vec<Cursor>,
    next: Cursor,
    more: bool,
    only_end: bool,
}

/// What a run printed, oldest first; with `follow=1`, as it is printed: server-sent events `chunk` and at last `end`.
#[utoipa::path(get, path = "/api/v1/runs/{id}/output", tag = "runs", operation_id = "get_output",
    params(("id" = String, Path, description = "the run's id"), OutputQuery, ("Last-Event-ID" = Option<String>, Header, description = "resumes after this event")),
    responses((status = 200, body = OutputList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Caller(caller): Caller,
    RunInPath(id): RunInPath,
    Params(query): Params<OutputQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let follow = match query.follow {
        None | Some(0) => false,
        Some(1) => true,
        Some(_) => return Err(Failure::new("request/bad-query", "`follow` is 0 or 1")),
    };
    let resumed = events::last_event_id(&headers).filter(|_| follow);
    let cursor = match resumed.or(query.after.as_deref()) {
        Some(text) => text.parse()?,
        None => Cursor::default(),
    };
    let seen = seen::run(&api, &caller, id).await?;
    let only = query.attempt.map(AttemptNumber);
    if let Some(asked) = only
        && !(AttemptNumber::FIRST..=seen.run.attempt.unwrap_or(AttemptNumber::FIRST))
            .contains(&asked)
    {
        return Err(Failure::new(
            "request/bad-query",
            format!("run {id} has no attempt {asked}"),
        ));
    }
    let cursor = if resumed.is_some() {
        cursor
    } else {
        begin(&api, &seen, &query, cursor).await?
    };
    if follow {
        let turn = api.stream_turn()?;
        return Ok(events::answer(stream(api, caller, id, (cursor, only), turn)).into_response());
    }
    let attempt = only.or(seen.run.attempt);
    let over = is_over(&seen) || attempt.is_some_and(|attempt| seen.past(attempt).is_some());
    let mut piece = piece(&api, &seen, cursor, attempt).await?;
    if piece.only_end
        && let Some(tail) = query.tail
    {
        piece.chunks = last(&piece.chunks, tail);
    }
    let has_next = piece.more || !over;
    Ok(Json(OutputList {
        output: piece
            .chunks
            .into_iter()
            .map(wire::OutputChunk::from)
            .collect(),
        next: has_next.then(|| piece.next.to_string()),
        dropped_bytes: seen.run.output.dropped_bytes,
        only_end: piece.only_end,
    })
    .into_response())
}

/// Where the query says to begin; it may say it in one way only.
async fn begin(
    api: &Api,
    seen: &SeenRun,
    query: &OutputQuery,
    cursor: Cursor,
) -> Result<Cursor, Failure> {
    let attempt = query.attempt.map(AttemptNumber).or(seen.run.attempt);
    let attempt = attempt.unwrap_or(AttemptNumber::FIRST);
    let at_byte = |bytes: u64| Cursor {
        attempt: attempt.0,
        position: OutputPosition {
            bytes: bytes.min(PLACE_MAX - 1),
            hint: 0,
        },
    };
    match (&query.after, query.from, query.tail) {
        (_, None, None) => Ok(cursor),
        (None, Some(bytes), None) => Ok(at_byte(bytes)),
        (None, None, Some(tail)) => {
            let end = end_of(api, seen, attempt).await?;
            Ok(at_byte(end.saturating_sub(tail)))
        }
        _ => Err(Failure::new(
            "request/bad-query",
            "`after`, `from` and `tail` each say where to begin: give one of them",
        )),
    }
}

/// How many bytes an attempt has printed and kept so far.
async fn end_of(api: &Api, seen: &SeenRun, attempt: AttemptNumber) -> Result<u64, Failure> {
    let past = seen.past(attempt);
    let output = past.map_or(&seen.run.output, |past| &past.output);
    match &output.kept {
        OutputKept::Inline(chunks) if past.is_some() || is_over(seen) => Ok(length(chunks)),
        OutputKept::Inline(_) | OutputKept::Segments { .. } => {
            match api.backend().output_end(&seen.run, attempt).await {
                Ok(end) => Ok(end),
                // Its end in the result is all there is, or nothing was printed yet.
                Err(OutputFault::NotHere) => Ok(0),
                Err(fault) => Err(fault.into()),
            }
        }
    }
}

fn length(chunks: &[OutputChunk]) -> u64 {
    chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum()
}

/// The last bytes of chunks.
fn last(chunks: &[OutputChunk], bytes: u64) -> Vec<OutputChunk> {
    let skip = OutputPosition {
        bytes: length(chunks).saturating_sub(bytes),
        hint: 0,
    };
    after(chunks, skip).chunks
}

/// An attempt's output after `cursor`: out of the result when that has all of it, else from the backend.
async fn piece(
    api: &Api,
    seen: &SeenRun,
    cursor: Cursor,
    attempt: Option<AttemptNumber>,
) -> Result<Piece, Failure> {
    let Some(attempt) = attempt else {
        return Ok(Piece {
            chunks: Vec::new(),
            ends: Vec::new(),
            next: cursor,
            more: false,
            only_end: false,
        });
    };
    // Another attempt's output begins at its beginning.
    let position = if cursor.attempt == attempt.0 {
        cursor.position
    } else {
        OutputPosition::default()
    };
    let past = seen.past(attempt);
    let is_over = past.is_some() || is_over(seen);
    let output = past.map_or(&seen.run.output, |past| &past.output);
    match &output.kept {
        OutputKept::Inline(chunks) if is_over => {
            Ok(piece_of(attempt, position, after(chunks, position), false))
        }
        kept => match api.backend().output(&seen.run, attempt, position).await {
            Ok(page) => Ok(piece_of(attempt, position, page, false)),
            Err(OutputFault::NotHere) if is_over => match kept {
                // The end is better than nothing. It has no place among all bytes, so it is sent once.
                OutputKept::Segments { tail } if position == OutputPosition::default() => {
                    Ok(piece_of(attempt, position, whole(tail), true))
                }
                OutputKept::Segments { .. } | OutputKept::Inline(_) => Ok(piece_of(
                    attempt,
                    position,
                    OutputPage {
                        next: position,
                        ..OutputPage::default()
                    },
                    true,
                )),
            },
            // Not printed anything yet, or on a node that does not answer.
            Err(OutputFault::NotHere) => Ok(piece_of(
                attempt,
                position,
                OutputPage {
                    next: position,
                    ..OutputPage::default()
                },
                false,
            )),
            Err(fault) => Err(fault.into()),
        },
    }
}

fn piece_of(
    attempt: AttemptNumber,
    from: OutputPosition,
    page: OutputPage,
    only_end: bool,
) -> Piece {
    let cursor = |position| Cursor {
        attempt: attempt.0,
        position,
    };
    let mut bytes = from.bytes;
    let mut ends: Vec<_> = page
        .chunks
        .iter()
        .map(|chunk| {
            bytes = bytes.saturating_add(chunk.bytes.len() as u64);
            cursor(OutputPosition { bytes, hint: 0 })
        })
        .collect();
    if let Some(last) = ends.last_mut() {
        *last = cursor(page.next);
    }
    Piece {
        chunks: page.chunks,
        ends,
        next: cursor(page.next),
        more: page.more,
        only_end,
    }
}

/// What of these chunks lies after a position.
fn after(chunks: &[OutputChunk], position: OutputPosition) -> OutputPage {
    let mut skip = usize::try_from(position.bytes).unwrap_or(usize::MAX);
    let mut kept = Vec::new();
    for chunk in chunks {
        let skipped = skip.min(chunk.bytes.len());
        skip -= skipped;
        if skipped < chunk.bytes.len() {
            kept.push(OutputChunk {
                bytes: chunk.bytes[skipped..].to_vec(),
                ..chunk.clone()
            });
        }
    }
    let added: usize = kept.iter().map(|chunk| chunk.bytes.len()).sum();
    let bytes = position.bytes.saturating_add(added as u64);
    OutputPage {
        chunks: kept,
        next: OutputPosition { bytes, hint: 0 },
        more: false,
    }
}

fn whole(chunks: &[OutputChunk]) -> OutputPage {
    after(chunks, OutputPosition::default())
}

struct Follower {
    api: Api,
    caller: Principal,
    id: RunId,
    cursor: Cursor,
    /// The one attempt that is asked for.
    only: Option<AttemptNumber>,
    pending: VecDeque<Event>,
    ended: bool,
    _turn: StreamTurn,
}

fn stream(
    api: Api,
    caller: Principal,
    id: RunId,
    (cursor, only): (Cursor, Option<AttemptNumber>),
    turn: StreamTurn,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let follower = Follower {
        api,
        caller,
        id,
        cursor,
        only,
        pending: VecDeque::new(),
        ended: false,
        _turn: turn,
    };
    unfold(follower, async |mut follower| {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    })
}

impl Follower {
    /// The next event. `None`: the run is over and all was sent, the server stops, or the output cannot be read.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.ended || self.api.stopping().is_cancelled() {
                return None;
            }
            self.step().await.ok()?;
        }
    }

    /// Whose output comes next: every attempt's in turn, unless one was asked for.
    fn attempt(&self, seen: &SeenRun) -> Option<AttemptNumber> {
        let latest = seen.run.attempt?;
        let at = AttemptNumber(self.cursor.attempt.max(1)).min(latest);
        Some(self.only.unwrap_or(at))
    }

    async fn step(&mut self) -> Result<(), Failure> {
        let changes_after = self.api.feed().now();
        // The state is read before the output: a run that was over then has printed everything.
        let seen = seen::run(&self.api, &self.caller, self.id).await?;
        let attempt = self.attempt(&seen);
        let piece = piece(&self.api, &seen, self.cursor, attempt).await?;
        let printed = !piece.chunks.is_empty();
        for (chunk, end) in piece.chunks.into_iter().zip(piece.ends) {
            let chunk = wire::OutputChunk::from(chunk);
            self.pending
                .push_back(events::event(EventKind::Chunk, &chunk).id(end.to_string()));
        }
        self.cursor = piece.next;
        let is_past = attempt.is_some_and(|attempt| seen.past(attempt).is_some());
        let follows = is_past && self.only.is_none() && attempt < seen.run.attempt;
        if follows {
            if !piece.more {
                self.cursor = Cursor {
                    attempt: self.cursor.attempt.saturating_add(1),
                    ..Cursor::default()
                };
            }
        } else if is_over(&seen) || (is_past && self.only.is_some()) {
            if !piece.more {
                self.pending.push_back(
                    events::event(EventKind::End, &seen.to_wire()).id(self.cursor.to_string()),
                );
                self.ended = true;
            }
        } else if !printed {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = self.api.stopping().cancelled() => {}
                () = changed(&self.api, self.id, changes_after) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use odin_model::output::Stream::Stdout;

    #[test]
    fn a_reader_goes_on_inside_a_chunk() {
        let chunk = |text: &str| OutputChunk {
            stream: Stdout,
            at: Timestamp::UNIX_EPOCH,
            bytes: text.into(),
        };
        let chunks = [chunk("abc"), chunk("defg")];
        for (bytes, expected) in [
            (0, "abc|defg"),
            (2, "c|defg"),
            (3, "defg"),
            (5, "fg"),
            (7, ""),
            (99, ""),
        ] {
            let page = after(&chunks, OutputPosition { bytes, hint: 0 });
            let texts: Vec<_> = page
                .chunks
                .iter()
                .map(|it| String::from_utf8_lossy(&it.bytes))
                .collect();
            assert_eq!(texts.join("|"), expected, "{bytes}");
            assert_eq!(page.next.bytes, bytes.max(7));
        }
    }

    #[test]
    fn cursors_read_back_and_others_are_refused() {
        let cursor = Cursor {
            attempt: 2,
            position: OutputPosition { bytes: 5, hint: 9 },
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "a.b.c",
            "-1.0.0",
            "4294967296.0.0",
            "1.2.99999999999999999999",
            "1.18446744073709551615.0",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
