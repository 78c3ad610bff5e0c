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

impl Events {
    /// The next event of values, whatever runs do in between.
    async fn next_value(&mut self) -> Event {
        loop {
            let event = self.next().await.unwrap();
            match event.kind.as_str() {
                "value" => return event,
                kind => assert_eq!(kind, "run"),
            }
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

/// So many values that a run reports at once, after `from` earlier ones.
fn reported(run: odin_model::RunId, from: u64, count: u64) -> odin_model::Command {
    let value = |number: u64| odin_model::Value {
        at: jiff::Timestamp::UNIX_EPOCH,
        kind: odin_model::ValueKind::Watch,
        name: "rows".to_owned(),
        data: odin_model::ValueData::Number(number.to_string()),
        status: None,
        unit: None,
        flaw: None,
    };
    let part = odin_model::value::ValuesPart {
        run,
        attempt: odin_model::AttemptNumber::FIRST,
        from,
        to: from + count,
        values: (from..from + count).map(value).collect(),
        taken_at: jiff::Timestamp::UNIX_EPOCH,
    };
    odin_model::Command::Values(odin_model::value::ReportValues { parts: vec![part] })
}

#[tokio::test]
async fn what_ones_own_runs_report_arrives_bounded_and_only_where_it_was_asked_for() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let run = bed.run_of(&ann(), &job).await;
    let open = async |who: odin_model::Principal, query: &str| {
        let path = format!("/api/v1/events{query}");
        Events::open(&bed, &who, request("GET", &path)).await
    };
    let mut of_ann = open(ann(), "").await;
    let mut of_run = open(ann(), &format!("?run={run}")).await;
    let mut runs_only = open(ann(), &format!("?job={job}&values=0")).await;
    let mut of_bob = open(bob(), "").await;
    bed.backend.apply(&reported(run, 0, 3));
    // That the run was made may be told first: the stream begins where the feed was.
    let first = of_ann.next_value().await;
    assert_eq!(first.data["job"], job.as_str());
    assert_eq!(first.data["run"], run.to_string());
    assert_eq!(
        (&first.data["from"], &first.data["to"]),
        (&0.into(), &3.into())
    );
    let numbers = |event: &Event| -> Vec<u64> {
        let values = event.data["values"].as_array().unwrap();
        values
            .iter()
            .map(|it| it["value"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(&first), [0, 1, 2]);
    assert_eq!(of_run.next_value().await.data, first.data);
    // More than an event has room for: the last of them, and which there are.
    bed.backend.apply(&reported(run, 3, 100));
    let second = of_ann.next_value().await;
    assert_eq!(
        (&second.data["from"], &second.data["to"]),
        (&3.into(), &103.into())
    );
    assert_eq!(numbers(&second), (71..103).collect::<Vec<_>>());
    // Whoever resumes gets the rest.
    let mut again = Events::open(&bed, &ann(), resumed("/api/v1/events", &first.id)).await;
    assert_eq!(again.next().await.unwrap().data, second.data);
    bed.backend
        .finish(run, Ending::Exited { code: 0 }, OutputSummary::default());
    loop {
        let event = runs_only.next().await.unwrap();
        assert_eq!(event.kind, "run");
        if event.data["state"] == "finished" {
            break;
        }
    }
    bed.api.stop();
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
