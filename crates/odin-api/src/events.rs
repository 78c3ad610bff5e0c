//! The stream of runs that change.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use odin_model::Principal;
use odin_wire::{EventKind, Lagged, Problem, Run};
use serde::Serialize;

use crate::api::{Api, StreamTurn};
use crate::extract::Caller;
use crate::failure::Failure;
use crate::feed::{Changes, Gap, Position};
use crate::seen::Names;

/// How many changes one step of a subscriber takes: what it holds in memory.
const STEP: usize = 256;
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
/// run, `lagged` when changes are missing. Several changes of a run close to each other may be one event.
#[utoipa::path(get, path = "/api/v1/events", tag = "runs", operation_id = "follow_events",
    params(("Last-Event-ID" = Option<String>, Header, description = "resumes after this event")),
    responses((status = 200, body = Run, content_type = "text/event-stream"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn follow(
    State(api): State<Api>,
    Caller(caller): Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let turn = api.stream_turn()?;
    // An id that is not ours is of before a restart: the gap is told.
    let resumed = last_event_id(&headers).map(|text| text.parse().unwrap_or(Position::UNKNOWN));
    let position = resumed.unwrap_or_else(|| api.feed().now());
    let subscriber = Subscriber {
        api,
        caller,
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
        self.api
            .read(move |reader| {
                let mut names = Names::default();
                let mut events = VecDeque::new();
                if let Some(Gap { missed }) = changes.gap {
                    let start = changes
                        .runs
                        .first()
                        .map_or(changes.next, |&(at, _)| at.before());
                    events.push_back(
                        event(EventKind::Lagged, &Lagged { missed }).id(start.to_string()),
                    );
                }
                for (at, id) in changes.runs {
                    let Some(run) = reader.run(id)? else { continue };
                    if let Some(run) = names.wire_run(reader, &caller, &run)? {
                        events.push_back(event(EventKind::Run, &run).id(at.to_string()));
                    }
                }
                Ok(events)
            })
            .await
    }
}
