//! The stream of runs that change, and of what they report.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use odin_model::{AttemptNumber, Principal};
use odin_store::{Reader, RunPlace, StoreError};
use odin_wire::{EventKind, EventsQuery, Lagged, NewValues, Problem, Run};
use serde::Serialize;

use crate::api::{Api, StreamTurn};
use crate::extract::{Caller, Params};
use crate::failure::Failure;
use crate::feed::{Change, Changes, Gap, Position, Reported};
use crate::seen::{self, Names};
use crate::values::to_wire;

/// How many changes one step of a subscriber takes: what it holds in memory.
const STEP: usize = 256;
/// How many values one event has: of those that came together, the last.
const VALUES_OF_EVENT: u64 = 32;
/// How many bytes of values one step has. Events beyond it only say which values there are.
const VALUE_BYTES_OF_STEP: usize = 1 << 20;
/// How often a stream shows that it lives. Clients and proxies cut off silent ones.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What an earlier stream's last event said of where it was.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .filter(|text| !text.is_empty())
}

/// A stream as an answer.
pub(crate) fn answer<S>(stream: S) -> Sse<axum::response::sse::KeepAliveStream<S>>
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// An event with its data as JSON.
pub(crate) fn event(kind: EventKind, data: &impl Serialize) -> Event {
    let data = serde_json::to_string(data).expect("messages are plain data");
    Event::default().event(kind.word()).data(data)
}

/// Runs that change from now on, or after the event named by `Last-Event-ID`, as server-sent events: `run` with a
/// run, `value` with `NewValues` that a run reported, `lagged` when changes are missing. Several changes of a run close
/// to each other may be one event, and so may several reports.
#[utoipa::path(get, path = "/api/v1/events", tag = "runs", operation_id = "follow_events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "resumes after this event")),
    responses((status = 200, body = Run, content_type = "text/event-stream"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn follow(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<EventsQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    if let Some(job) = query.job {
        seen::job(&api, &caller, job).await?;
    }
    if let Some(run) = query.run {
        seen::run(&api, &caller, run).await?;
    }
    let turn = api.stream_turn()?;
    // An id that is not ours is of before a restart: the gap is told.
    let resumed = last_event_id(&headers).map(|text| text.parse().unwrap_or(Position::UNKNOWN));
    let position = resumed.unwrap_or_else(|| api.feed().now());
    let subscriber = Subscriber {
        api,
        caller,
        query,
        position,
        pending: VecDeque::new(),
        _turn: turn,
    };
    Ok(answer(unfold(subscriber, async |mut subscriber| {
        let event = subscriber.next().await?;
        Some((Ok(event), subscriber))
    })))
}

struct Subscriber {
    api: Api,
    caller: Principal,
    query: EventsQuery,
    position: Position,
    pending: VecDeque<Event>,
    _turn: StreamTurn,
}

impl Subscriber {
    /// The next event. `None`: the server stops, or the state cannot be read.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = self.api.stopping().cancelled() => return None,
                () = self.api.feed().wait(self.position) => {}
            }
            let changes = self.api.feed().after(self.position, STEP);
            self.position = changes.next;
            self.pending = self.events(changes).await.ok()?;
        }
    }

    async fn events(&self, changes: Changes) -> Result<VecDeque<Event>, Failure> {
        let caller = self.caller.clone();
        let query = self.query.clone();
        self.api
            .read(move |reader| {
                let mut names = Names::default();
                let mut events = VecDeque::new();
                let mut room = VALUE_BYTES_OF_STEP;
                if let Some(Gap { missed }) = changes.gap {
                    let start = changes
                        .found
                        .first()
                        .map_or(changes.next, |&(at, _)| at.before());
                    events.push_back(
                        event(EventKind::Lagged, &Lagged { missed }).id(start.to_string()),
                    );
                }
                for (at, change) in changes.found {
                    if !is_asked(&query, &change) {
                        continue;
                    }
                    let told = match change {
                        Change::Run(run) => match reader.run(run)? {
                            Some(run) if query.job.is_none_or(|job| job == run.job) => names
                                .wire_run(reader, &caller, &run)?
                                .map(|run| event(EventKind::Run, &run)),
                            Some(_) | None => None,
                        },
                        Change::Values(reported) => {
                            let is_seen = names.job(reader, &caller, reported.job)?.is_some();
                            match is_seen {
                                true => Some(values_event(reader, &reported, &mut room)?),
                                false => None,
                            }
                        }
                    };
                    events.extend(told.map(|told| told.id(at.to_string())));
                }
                Ok(events)
            })
            .await
    }
}

/// Whether a change is one to tell; of which job a run is, shows in the run.
fn is_asked(query: &EventsQuery, change: &Change) -> bool {
    let is_wanted = match change {
        Change::Run(_) => true,
        Change::Values(reported) => {
            query.values != Some(0) && query.job.is_none_or(|asked| asked == reported.job)
        }
    };
    is_wanted && query.run.is_none_or(|asked| asked == change.run())
}

/// What an attempt reported, with as many of the values as there is room for.
fn values_event(
    reader: &Reader,
    reported: &Reported,
    room: &mut usize,
) -> Result<Event, StoreError> {
    let first = reported
        .from
        .max(reported.to.saturating_sub(VALUES_OF_EVENT));
    let mut values = Vec::new();
    if *room > 0 {
        let limit = usize::try_from(reported.to - first).unwrap_or(0);
        let page =
            reader.values_of_run(reported.run, None, before(reported.attempt, first), limit)?;
        let is_of_it = |it: &&odin_store::KeptValue| it.attempt == reported.attempt;
        for kept in page.values.iter().filter(is_of_it) {
            values.push(to_wire(kept));
            *room = room.saturating_sub(kept.value.name.len() + kept.value.data.text().len());
        }
    }
    let told = NewValues {
        job: reported.job,
        run: reported.run,
        attempt: reported.attempt.0,
        from: reported.from,
        to: reported.to,
        values,
    };
    Ok(event(EventKind::Value, &told))
}

/// The place before a value of an attempt. `None`: it is the first of its run.
fn before(attempt: AttemptNumber, number: u64) -> Option<RunPlace> {
    match number.checked_sub(1) {
        Some(number) => Some(RunPlace { attempt, number }),
        None => Some(AttemptNumber(attempt.0.checked_sub(1)?))
            .filter(|earlier| earlier.0 > 0)
            .map(|earlier| RunPlace {
                attempt: earlier,
                number: i64::MAX.unsigned_abs(),
            }),
    }
}
