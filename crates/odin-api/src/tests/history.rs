use expect_test::{Expect, expect};
use jiff::{SignedDuration, Timestamp};
use odin_model::attempt::{AttemptEventKind, Ending};
use odin_model::clock::Clock;
use odin_model::command::{Earlier, Fire, FireItem};
use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};
use odin_model::{Command, NodeId, Reply, Revision};

use crate::test_bed::{TestBed, ann, job_file, request};

#[tokio::test]
async fn a_finished_run_is_shown_in_full() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let run = bed.run_of(&ann(), &job).await;
    bed.backend.report(
        run,
        AttemptEventKind::Started {
            at: bed.backend.wall(),
            pid: 7,
        },
    );
    let chunk = |stream, text: &str| OutputChunk {
        stream,
        at: bed.backend.wall(),
        bytes: text.into(),
    };
    let output = OutputSummary {
        stdout_bytes: 6,
        stderr_bytes: 1,
        dropped_bytes: 0,
        kept: OutputKept::Inline(vec![
            chunk(Stream::Stdout, "hello\n"),
            chunk(Stream::Stderr, "!"),
        ]),
    };
    bed.backend.finish(run, Ending::Exited { code: 3 }, output);
    let answer = bed.get(&ann(), &format!("/api/v1/runs/{run}")).await;
    expect![[r#"
        {
          "attempt": 1,
          "attempts": [
            {
              "attempt": 1,
              "cpu_system_ms": 0,
              "cpu_user_ms": 0,
              "exit_code": 3,
              "finished_at": "2026-11-21T08:00:01Z",
              "late_report": null,
              "memory_max_bytes": null,
              "node": "master-node",
              "outcome": "failed",
              "reason": "exit code 3",
              "signal": null,
              "started_at": "2026-11-21T08:00:00Z",
              "stderr_bytes": 1,
              "stdout_bytes": 6
            }
          ],
          "by": "ann",
          "cancel_requested": null,
          "catch_up": false,
          "cause": "manual",
          "cause_run": null,
          "cpu_system_ms": 0,
          "cpu_user_ms": 0,
          "dropped_bytes": 0,
          "due_at": null,
          "exit_code": 3,
          "finished_at": "2026-11-21T08:00:01Z",
          "id": "r0000000006000",
          "job": "a37b187f7b52",
          "job_name": "greet",
          "memory_max_bytes": null,
          "node": "master-node",
          "outcome": "failed",
          "queued_at": "2026-11-21T08:00:00Z",
          "ready_at": "2026-11-21T08:00:00Z",
          "reason": "exit code 3",
          "retry_at": null,
          "root_cause": null,
          "root_run": null,
          "signal": null,
          "started_at": "2026-11-21T08:00:00Z",
          "state": "finished",
          "stderr_bytes": 1,
          "stdout_bytes": 6,
          "version": 1,
          "waits_for": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&answer.json()).unwrap());
    let answer = bed.get(&ann(), &format!("/api/v1/runs/{run}/output")).await;
    expect![[r#"{"dropped_bytes":0,"next":null,"only_end":false,"output":[{"at":"2026-11-21T08:00:00Z","stream":"stdout","text":"hello\n"},{"at":"2026-11-21T08:00:00Z","stream":"stderr","text":"!"}]}"#]].assert_eq(&answer.json().to_string());
    let answer = bed
        .get(&ann(), &format!("/api/v1/runs/{run}/output?after=1.4.0"))
        .await;
    assert_eq!(answer.json()["output"][0]["text"], "o\n");
    for (query, expected) in [("tail=3", "o\n"), ("from=6", "!")] {
        let path = format!("/api/v1/runs/{run}/output?{query}");
        let answer = bed.get(&ann(), &path).await;
        assert_eq!(answer.json()["output"][0]["text"], expected, "{query}");
    }
    assert_eq!(
        bed.ask(
            &ann(),
            request("POST", &format!("/api/v1/runs/{run}/cancel"))
        )
        .await
        .outcome(),
        "409 run/over"
    );
    let answer = bed.get(&ann(), &format!("/api/v1/jobs/{job}")).await;
    assert_eq!(answer.json()["last_outcome"], "failed");
}

#[tokio::test]
async fn of_a_large_output_that_is_gone_the_end_is_left() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let run = bed.run_of(&ann(), &job).await;
    let tail = vec![OutputChunk {
        stream: Stream::Stdout,
        at: bed.backend.wall(),
        bytes: b"the end".to_vec(),
    }];
    let output = OutputSummary {
        stdout_bytes: 9000,
        kept: OutputKept::Segments { tail },
        ..OutputSummary::default()
    };
    bed.backend.finish(run, Ending::Exited { code: 0 }, output);
    let path = format!("/api/v1/runs/{run}/output");
    let answer = bed.get(&ann(), &path).await.json();
    assert_eq!(
        (
            &answer["output"][0]["text"],
            &answer["only_end"],
            &answer["next"]
        ),
        (&"the end".into(), &true.into(), &().into())
    );
    let answer = bed.get(&ann(), &format!("{path}?tail=3")).await.json();
    assert_eq!(
        (&answer["output"][0]["text"], &answer["only_end"]),
        (&"end".into(), &true.into())
    );

    let page = OutputChunk {
        stream: Stream::Stdout,
        at: bed.backend.wall(),
        bytes: b"all of it".to_vec(),
    };
    bed.backend.printed.lock().unwrap().push(page);
    let answer = bed.get(&ann(), &path).await.json();
    assert_eq!(
        (&answer["output"][0]["text"], &answer["only_end"]),
        (&"all of it".into(), &false.into())
    );
    for (query, expected) in [
        ("from=4", "of it"),
        ("tail=2", "it"),
        ("tail=100", "all of it"),
        ("from=0", "all of it"),
    ] {
        let answer = bed.get(&ann(), &format!("{path}?{query}")).await.json();
        assert_eq!(answer["output"][0]["text"], expected, "{query}");
    }
    let answer = bed.get(&ann(), &format!("{path}?from=99")).await.json();
    assert_eq!(answer["output"], serde_json::json!([]));
    assert_eq!(
        bed.get(&ann(), &format!("{path}?from=1&tail=1"))
            .await
            .outcome(),
        "400 request/bad-query"
    );
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A job due every hour: started at 09:00, then down until 14:30, when the latest is started for all.
async fn with_ledger() -> (TestBed, String) {
    let bed = TestBed::new();
    let text = job_file("greet", "").replace("every day at 09:00", "every hour");
    let id = bed.deploy(&ann(), "", &text).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let item = |due: &str, listed: &[&str], next: &str, earlier| FireItem {
        job: id.parse().unwrap(),
        revision: Revision(2),
        due: at(due),
        earlier,
        listed: listed.iter().map(|text| at(text)).collect(),
        next_due: Some(at(next)),
        node: Some(NodeId(1)),
        calendars: 0,
    };
    let nine = item(
        "2026-11-21T09:00:00Z",
        &["2026-11-21T09:00:00Z"],
        "2026-11-21T10:00:00Z",
        None,
    );
    let earlier = Earlier {
        from: at("2026-11-21T10:00:00Z"),
        to: at("2026-11-21T13:00:00Z"),
        count: 4,
    };
    let later = item(
        "2026-11-21T10:00:00Z",
        &["2026-11-21T14:00:00Z"],
        "2026-11-21T15:00:00Z",
        Some(earlier),
    );
    for (item, proposed_at) in [
        (nine, "2026-11-21T09:00:00Z"),
        (later, "2026-11-21T14:30:00Z"),
    ] {
        let reply = bed.backend.apply(&Command::Fire(Fire {
            items: vec![item],
            proposed_at: at(proposed_at),
        }));
        assert!(matches!(reply, Reply::Fired(_)), "{reply:?}");
    }
    bed.backend.advance(SignedDuration::from_mins(6 * 60 + 30));
    (bed, id)
}

async fn check_why(asked: &str, expected: Expect) {
    let (bed, id) = with_ledger().await;
    let answer = bed
        .get(&ann(), &format!("/api/v1/ledger?job={id}&at={asked}"))
        .await;
    let json = answer.json();
    let seen = match answer.status.is_success() {
        true => format!(
            "{} {} {}: {}",
            json["due_at"], json["outcome"], json["count"], json["reason"]
        ),
        false => format!("{} {}", json["code"], json["help"]),
    };
    expected.assert_eq(&seen.replace('"', ""));
}

#[tokio::test]
async fn why_answers_for_every_due_time() {
    check_why(
        "2026-11-21T09:00:00Z",
        expect!["2026-11-21T09:00:00Z started 1: on time"],
    )
    .await;
    check_why("2026-11-21T12:00:00%2B01:00", expect!["2026-11-21T11:00:00Z coalesced 1: missed, and r0000000008000 answers it too: `missed: once`"]).await;
    check_why("2026-11-21T12:00:00Z", expect!["2026-11-21T12:00:00Z coalesced 1: missed, and r0000000008000 answers it too: `missed: once`"]).await;
    check_why(
        "2026-11-21T14:00:00Z",
        expect!["2026-11-21T14:00:00Z started 1: missed, and started late as `missed` asks"],
    )
    .await;
}

#[tokio::test]
async fn why_tells_what_was_not_due_from_what_is_not_decided() {
    check_why("2026-11-21T12:30:00Z", expect!["ledger/not-due By its present schedule it is due at 2026-11-21T12:00:00Z and at 2026-11-21T13:00:00Z."]).await;
    check_why("2026-11-21T16:00:00Z", expect!["ledger/not-yet null"]).await;
    check_why("2026-11-21T16:00:01Z", expect!["ledger/not-due By its present schedule it is due at 2026-11-21T16:00:00Z and at 2026-11-21T17:00:00Z."]).await;
}

#[tokio::test]
async fn the_ledger_is_listed_in_pages() {
    let (bed, id) = with_ledger().await;
    let mut seen = Vec::new();
    let mut from = String::new();
    loop {
        let page = bed
            .get(&ann(), &format!("/api/v1/ledger?job={id}&limit=1{from}"))
            .await
            .json();
        for row in page["ledger"].as_array().unwrap() {
            seen.push(format!(
                "{} {} {} {}",
                row["due_at"], row["to"], row["count"], row["outcome"]
            ));
        }
        match page["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => break,
        }
    }
    expect![[r#"
        "2026-11-21T09:00:00Z" "2026-11-21T09:00:00Z" 1 "started"
        "2026-11-21T10:00:00Z" "2026-11-21T13:00:00Z" 4 "coalesced"
        "2026-11-21T14:00:00Z" "2026-11-21T14:00:00Z" 1 "started""#]]
    .assert_eq(&seen.join("\n"));
}

#[tokio::test]
async fn schedules_are_explained_and_calculated_as_they_fire() {
    let bed = TestBed::new();
    for (path, expected) in [
        (
            "explain?text=EVERY+monday+at+9:30",
            expect![[
                r#"{"schedule":"every Monday at 09:30","timezone":"UTC","warnings":[],"words":"Runs every Monday at 09:30. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time."}"#
            ]],
        ),
        (
            "next?text=every+hour&count=2",
            expect![[
                r#"{"occurrences":["2026-11-21T09:00:00Z","2026-11-21T10:00:00Z"],"timezone":"UTC"}"#
            ]],
        ),
        (
            "next?text=never",
            expect![[r#"{"occurrences":[],"timezone":"UTC"}"#]],
        ),
        (
            "next?text=every+day+at+01:30&timezone=Europe/Dublin&from=2026-03-28T12:00:00Z&count=1",
            expect![[r#"{"occurrences":["2026-03-29T01:00:00Z"],"timezone":"Europe/Dublin"}"#]],
        ),
    ] {
        let answer = bed.get(&ann(), &format!("/api/v1/schedule/{path}")).await;
        expected.assert_eq(&answer.json().to_string());
    }
    let answer = bed.get(&ann(), "/api/v1/nodes").await;
    expect![[r#"{"next":null,"nodes":[{"http":"127.0.0.1:3939","id":1,"name":"master-node","pid":42,"raft":"","role":"leader","state":"up","timezone":"UTC","up_since":"2026-11-21T08:00:00Z","version":"0.1.0"}]}"#]].assert_eq(&answer.json().to_string());
}
