use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use odin_model::attempt::{AttemptEventKind, Ending};
use odin_model::clock::Clock;
use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};
use serde_json::Value;

use crate::test_bed::{TestBed, ann, bob, request};

/// One server-sent event.
#[derive(Debug)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

/// Reads events from a stream as they come.
struct Events {
    body: Body,
    text: String,
}

impl Events {
    async fn open(bed: &TestBed, who: &odin_model::Principal, request: Request<Body>) -> Self {
        let response = bed.send(who, request).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let value = event.lines().find_map(|line| line.strip_prefix(name));
                    value.unwrap_or_default().trim_start().to_owned()
                };
                let event = Event {
                    kind: field("event:"),
                    id: field("id:"),
                    data: serde_json::from_str(&field("data:")).unwrap_or_default(),
                };
                self.text = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            self.text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
    }
}

fn resumed(path: &str, id: &str) -> Request<Body> {
    let mut request = request("GET", path);
    request
        .headers_mut()
        .insert("last-event-id", id.parse().unwrap());
    request
}

#[tokio::test]
async fn changes_of_ones_own_runs_arrive_and_others_do_not() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let mut of_ann = Events::open(&bed, &ann(), request("GET", "/api/v1/events")).await;
    let mut of_bob = Events::open(&bed, &bob(), request("GET", "/api/v1/events")).await;
    let run = bed.run_of(&ann(), &job).await;
    let event = of_ann.next().await.unwrap();
    assert_eq!(
        (event.kind.as_str(), &event.data["id"]),
        ("run", &run.to_string().into())
    );
    bed.backend
        .finish(run, Ending::Exited { code: 0 }, OutputSummary::default());
    let over = of_ann.next().await.unwrap();
    assert_eq!(over.data["outcome"], "succeeded");

    // Whoever resumes gets what came after, and nothing twice.
    let mut again = Events::open(&bed, &ann(), resumed("/api/v1/events", &event.id)).await;
    assert_eq!(again.next().await.unwrap().data["outcome"], "succeeded");
    let mut lost = Events::open(&bed, &ann(), resumed("/api/v1/events", "1234-7")).await;
    assert_eq!(lost.next().await.unwrap().kind, "lagged");

    bed.api.stop();
    for mut events in [of_ann, again, lost] {
        assert!(events.next().await.is_none());
    }
    assert!(of_bob.next().await.is_none());
}

#[tokio::test]
async fn output_is_followed_until_the_run_is_over() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let run = bed.run_of(&ann(), &job).await;
    let path = format!("/api/v1/runs/{run}/output?follow=1");
    let mut events = Events::open(&bed, &ann(), request("GET", &path)).await;
    let chunk = |text: &str| OutputChunk {
        stream: Stream::Stdout,
        at: bed.backend.wall(),
        bytes: text.into(),
    };
    bed.backend.report(
        run,
        AttemptEventKind::Started {
            at: bed.backend.wall(),
            pid: 7,
        },
    );
    bed.backend.printed.lock().unwrap().push(chunk("one\n"));
    let first = events.next().await.unwrap();
    assert_eq!(
        (first.kind.as_str(), &first.data["text"]),
        ("chunk", &"one\n".into())
    );
    bed.backend.printed.lock().unwrap().push(chunk("two\n"));
    assert_eq!(events.next().await.unwrap().data["text"], "two\n");

    // The result now holds all of it; who resumes goes on at the same byte.
    let kept = OutputKept::Inline(vec![chunk("one\ntwo\nthree\n")]);
    let output = OutputSummary {
        stdout_bytes: 14,
        kept,
        ..OutputSummary::default()
    };
    bed.backend.finish(run, Ending::Exited { code: 0 }, output);
    assert_eq!(events.next().await.unwrap().data["text"], "three\n");
    let end = events.next().await.unwrap();
    assert_eq!(
        (end.kind.as_str(), &end.data["outcome"]),
        ("end", &"succeeded".into())
    );
    assert!(events.next().await.is_none());

    let mut again = Events::open(&bed, &ann(), resumed(&path, &first.id)).await;
    assert_eq!(again.next().await.unwrap().data["text"], "two\nthree\n");
    assert_eq!(again.next().await.unwrap().kind, "end");
}

#[tokio::test]
async fn a_waiting_request_is_answered_when_the_run_is_over() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let run = bed.run_of(&ann(), &job).await;
    let path = format!("/api/v1/runs/{run}?wait=60");
    let who = ann();
    let mut waiting = Box::pin(bed.get(&who, &path));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("the run is not over"),
        () = tokio::task::yield_now() => {}
    }
    bed.backend
        .finish(run, Ending::Exited { code: 0 }, OutputSummary::default());
    assert_eq!(waiting.await.json()["outcome"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_is_answered_when_its_time_is_over() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let run = bed.run_of(&ann(), &job).await;
    let answer = bed
        .get(&ann(), &format!("/api/v1/runs/{run}?wait=60"))
        .await;
    assert_eq!(answer.json()["state"], "assigned");
}
