use jiff::SignedDuration;
use odin_model::RunId;
use odin_model::attempt::{AttemptEventKind, Ending};
use odin_model::clock::Clock;
use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};

use crate::test_bed::{TestBed, ann, bob, root};

fn chunk(bed: &TestBed, text: &str) -> OutputChunk {
    OutputChunk {
        stream: Stream::Stdout,
        at: bed.backend.wall(),
        bytes: text.into(),
    }
}

async fn finished(bed: &TestBed, job: &str, code: u8, text: &str) -> RunId {
    let run = bed.run_of(&ann(), job).await;
    let output = OutputSummary {
        stdout_bytes: text.len() as u64,
        kept: OutputKept::Inline(vec![chunk(bed, text)]),
        ..OutputSummary::default()
    };
    bed.backend.finish(run, Ending::Exited { code }, output);
    bed.backend.advance(SignedDuration::from_mins(1));
    run
}

async fn running(bed: &TestBed, job: &str) -> RunId {
    let run = bed.run_of(&ann(), job).await;
    let at = bed.backend.wall();
    let started = AttemptEventKind::Started { at, pid: 7 };
    bed.backend.report(run, started);
    run
}

/// The ids of one answer, and its `next`.
async fn listed(bed: &TestBed, who: &odin_model::Principal, path: &str) -> (Vec<String>, String) {
    let answer = bed.get(who, &format!("/api/v1{path}")).await;
    assert_eq!(answer.outcome(), "200", "{path}");
    let answer = answer.json();
    assert_eq!(answer["incomplete"], false);
    let id = |run: &serde_json::Value| run["id"].as_str().unwrap().to_owned();
    let ids = answer["runs"].as_array().unwrap().iter().map(id).collect();
    (ids, answer["next"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_list_has_the_runs_that_pass_every_filter() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let good = finished(&bed, &job, 0, "").await;
    let bad = finished(&bed, &job, 1, "").await;
    let open = running(&bed, &job).await;
    for (filters, expected) in [
        ("", vec![open, bad, good]),
        ("outcome=failed", vec![bad]),
        ("outcome=failed,succeeded", vec![bad, good]),
        ("outcome=lost", vec![]),
        ("state=running", vec![open]),
        ("state=finished", vec![bad, good]),
        ("cause=manual", vec![open, bad, good]),
        ("cause=schedule,link", vec![]),
        ("node=master-node", vec![open, bad, good]),
        ("node=nowhere", vec![]),
        ("since=2026-11-21T08:01:00Z", vec![open, bad]),
        ("until=2026-11-21T08:01:00Z", vec![good]),
        ("outcome=failed&until=2026-11-21T08:01:00Z", vec![]),
        ("outcome=failed&node=master-node&cause=manual", vec![bad]),
    ] {
        let expected: Vec<_> = expected.iter().map(RunId::to_string).collect();
        for (who, path) in [
            (ann(), format!("/runs?{filters}")),
            (root(), format!("/runs?{filters}")),
            (ann(), format!("/jobs/{job}/runs?{filters}")),
        ] {
            assert_eq!(listed(&bed, &who, &path).await.0, expected, "{path}");
        }
        let (seen, _) = listed(&bed, &bob(), &format!("/runs?{filters}")).await;
        assert!(seen.is_empty(), "{filters}");
    }
    let (first, next) = listed(&bed, &ann(), "/runs?outcome=failed,succeeded&limit=1").await;
    assert_eq!(first, [bad.to_string()]);
    let path = format!("/runs?outcome=failed,succeeded&limit=1&after={next}");
    assert_eq!(listed(&bed, &ann(), &path).await.0, [good.to_string()]);
}

#[tokio::test]
async fn a_text_is_looked_for_within_a_budget_and_the_next_answer_goes_on() {
    let bed = TestBed::new();
    let job = bed.job_of_ann().await;
    let with = finished(&bed, &job, 0, "a needle in a result").await;
    finished(&bed, &job, 0, "hay").await;
    let open = running(&bed, &job).await;
    let hay = "-".repeat(60);
    for text in [&hay, &format!("{hay}nee"), "dle"] {
        let chunk = chunk(&bed, text);
        bed.backend.printed.lock().unwrap().push(chunk);
    }
    // 123 bytes were read when the budget of 100 was seen to be spent; the text may begin in the last five of them.
    let (found, next) = listed(&bed, &ann(), "/runs?text=needle").await;
    assert_eq!((found, next.as_str()), (vec![], &*format!("{open}.118")));
    let path = format!("/runs?text=needle&after={next}");
    let (found, next) = listed(&bed, &ann(), &path).await;
    assert_eq!(found, [open.to_string(), with.to_string()]);
    assert_eq!(next, "");
    let path = format!("/jobs/{job}/runs?text=Needle&state=finished");
    assert_eq!(listed(&bed, &ann(), &path).await.0, Vec::<String>::new());
}
