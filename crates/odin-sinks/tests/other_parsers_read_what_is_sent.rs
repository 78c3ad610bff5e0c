//! What sinks send, read by parsers that are not ours: OpenTelemetry's own protobuf classes, and a parser of line
//! protocol. `.ci/run` puts them into `target/receivers`.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "the receiver is a process")]

mod samples;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use odin_model::sink::SinkTarget;
use odin_model::{AttemptNumber, Outcome, Usage, ValueData, ValueKind, VersionNumber};
use odin_outbound::Bounds;
use odin_sinks::{AttemptFacts, Body, Record, RunFacts, Sender};
use serde_json::{Value as Json, json};

/// A receiver that ends with the test.
struct Receiver {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    port: u64,
}

impl Receiver {
    fn new() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join("../../target/receivers/bin/python3");
        let process = Command::new(&python)
            .arg(here.join("tests/receiver.py"))
            .stdout(Stdio::piped())
            .spawn();
        let mut process = process
            .unwrap_or_else(|error| panic!("{}: {error}; `.ci/run` makes it", python.display()));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next().expect("the receiver starts").unwrap();
        Self {
            process,
            lines,
            port: port.parse().unwrap(),
        }
    }

    /// What came next: to which path, and what it was understood as.
    fn next(&mut self) -> (String, Json) {
        let line = self
            .lines
            .next()
            .expect("the receiver understands")
            .unwrap();
        let mut seen: Json = serde_json::from_str(&line).unwrap();
        let path = seen["path"].as_str().unwrap().to_owned();
        (path, seen["is"].take())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn sender(target: SinkTarget) -> Sender {
    Sender::new(&samples::sink(target), None, Bounds::default()).unwrap()
}

fn at(second: i64) -> Timestamp {
    "2026-09-21T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

const JOB: &str = "nightly, \"big\" = 1";

fn value(place: u32, kind: ValueKind, name: &str, data: ValueData) -> Record {
    let job = samples::job(JOB);
    samples::value(&job, (place, at(place.into())), kind, name, data)
}

fn run(place: u32) -> Record {
    let facts = RunFacts {
        version: VersionNumber(3),
        cause: "schedule",
        due_at: Some(at(0)),
        queued_at: at(0),
        started_at: Some(at(1)),
        finished_at: at(9),
        outcome: Outcome::Failed,
        exit_code: Some(3),
        signal: None,
        reason: Some("exit code 3: \"no\"\nmore".to_owned()),
        usage: Usage::default(),
        node: Some("worker 1".to_owned()),
        attempts: vec![AttemptFacts {
            number: AttemptNumber::FIRST,
            span: [3; 8],
            node: "worker 1".to_owned(),
            started_at: Some(at(1)),
            finished_at: at(9),
            outcome: Outcome::Failed,
            exit_code: Some(3),
            signal: None,
            reason: Some("exit code 3".to_owned()),
        }],
    };
    samples::record(&samples::job(JOB), place, Body::Run(Box::new(facts)))
}

#[tokio::test]
async fn line_protocol_keeps_every_name_and_text() {
    let mut receiver = Receiver::new();
    let texts = [
        "plain",
        "a, b=c d",
        "\"quoted\"",
        "back\\slash",
        "über 🦀",
        "two\nlines",
        "i",
        "1i",
        "true",
    ];
    let mut records: Vec<Record> = Vec::new();
    for text in texts {
        let place = u32::try_from(records.len()).unwrap();
        let data = ValueData::Text(text.to_owned());
        records.push(value(place, ValueKind::Watch, "said", data));
    }
    for name in ["a, b=c d", "\"quoted\"", "über 🦀", "a=b,c d"] {
        let place = u32::try_from(records.len()).unwrap();
        let data = ValueData::Number("1.5".to_owned());
        records.push(value(place, ValueKind::Watch, name, data));
    }
    for number in ["9223372036854775807", "-0.25", "1e300"] {
        let place = u32::try_from(records.len()).unwrap();
        let data = ValueData::Number(number.to_owned());
        records.push(value(place, ValueKind::Metric, "n", data));
    }
    records.push(run(99));
    let url = format!("http://127.0.0.1:{}", receiver.port);
    for (target, path) in [
        (
            SinkTarget::InfluxV2 {
                url: url.clone(),
                org: "an org".to_owned(),
                bucket: "odin".to_owned(),
            },
            "/api/v2/write?org=an%20org&bucket=odin&precision=ns",
        ),
        (
            SinkTarget::InfluxV3 {
                url: url.clone(),
                database: "odin".to_owned(),
            },
            "/api/v3/write_lp?db=odin&precision=nanosecond",
        ),
    ] {
        let delivered = samples::deliver(&mut sender(target), &records)
            .await
            .unwrap();
        assert_eq!(delivered.sent, records.len() as u64);
        let (seen_path, seen) = receiver.next();
        assert_eq!(seen_path, path);
        let seen = seen.as_array().unwrap();
        assert_eq!(seen.len(), records.len());
        for (line, record) in seen.iter().zip(&records) {
            assert_eq!(line["tags"]["job"], JOB, "{line}");
            let Body::Value(facts) = &record.body else {
                continue;
            };
            assert_eq!(line["measurement"], "odin_values");
            assert_eq!(line["tags"]["name"], facts.value.name, "{line}");
            let nanos = i64::try_from(facts.value.at.as_nanosecond()).unwrap();
            let number = i64::try_from(facts.number).unwrap();
            assert_eq!(line["time"], nanos + number, "{line}");
            match &facts.value.data {
                ValueData::Text(text) => assert_eq!(line["fields"]["text"], *text, "{line}"),
                ValueData::Number(number) => {
                    let number: f64 = number.parse().unwrap();
                    assert_eq!(line["fields"]["value"].as_f64(), Some(number), "{line}");
                }
                other => panic!("{other:?}"),
            }
        }
        let exact = &seen[texts.len() + 4]["fields"];
        assert_eq!(exact["integer"], i64::MAX, "{exact}");
        let last = seen.last().unwrap();
        assert_eq!(last["measurement"], "odin_runs");
        assert_eq!(last["tags"]["outcome"], "failed");
        assert_eq!(last["tags"]["node"], "worker 1");
        assert_eq!(last["fields"]["exit_code"], 3);
        assert_eq!(last["fields"]["reason"], "exit code 3: \"no\"\nmore");
    }
}

fn hex(base64: &Json) -> Vec<u8> {
    let text = base64.as_str().unwrap_or_default();
    STANDARD.decode(text).unwrap()
}

/// The attributes of a thing, by key.
fn attributes(of: &Json) -> Json {
    let list = of["attributes"].as_array().unwrap().iter();
    let pairs = list.map(|it| {
        let value = it["value"].as_object().unwrap().values().next().unwrap();
        (it["key"].as_str().unwrap().to_owned(), value.clone())
    });
    Json::Object(pairs.collect())
}

#[tokio::test]
async fn opentelemetry_reads_runs_as_traces_values_as_metrics_and_ends_as_logs() {
    let mut receiver = Receiver::new();
    let span = json!({
        "id": "0a".repeat(8), "parent": "03".repeat(8), "trace": "01".repeat(16),
        "start": "2026-09-21T00:00:02Z", "seconds": 0.5, "error": null,
    });
    let number = |text: &str| ValueData::Number(text.to_owned());
    let records = [
        value(0, ValueKind::Metric, "price", number("104.25")),
        value(1, ValueKind::Metric, "price", number("9223372036854775807")),
        value(
            2,
            ValueKind::Watch,
            "said",
            ValueData::Text("über 🦀".to_owned()),
        ),
        value(
            3,
            ValueKind::Span,
            "load",
            ValueData::Json(span.to_string()),
        ),
        run(4),
    ];
    let url = format!("http://127.0.0.1:{}", receiver.port);
    let mut sender = sender(SinkTarget::Otlp { url, header: None });
    samples::deliver(&mut sender, &records).await.unwrap();
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..3 {
        let (path, is) = receiver.next();
        assert!(seen.insert(path, is).is_none());
    }

    let traces = &seen["/v1/traces"]["resourceSpans"][0];
    assert_eq!(attributes(&traces["resource"])["service.name"], "odin");
    let spans = traces["scopeSpans"][0]["spans"].as_array().unwrap();
    let named = |name: &str| {
        let found = spans
            .iter()
            .find(|it| it["name"].as_str().unwrap().starts_with(name));
        found.unwrap_or_else(|| panic!("no {name} in {spans:?}"))
    };
    let (load, attempt) = (named("load"), named("attempt 1"));
    let mut roots = spans
        .iter()
        .filter(|it| hex(&it["parentSpanId"]).is_empty());
    let (Some(root), None) = (roots.next(), roots.next()) else {
        panic!("{spans:?}");
    };
    assert!(
        spans.iter().all(|it| hex(&it["traceId"]) == [1; 16]),
        "{spans:?}"
    );
    assert_eq!(
        (hex(&root["spanId"]), hex(&attempt["parentSpanId"])),
        (vec![2; 8], vec![2; 8])
    );
    assert_eq!(
        (hex(&attempt["spanId"]), hex(&load["parentSpanId"])),
        (vec![3; 8], vec![3; 8])
    );
    assert_eq!(hex(&load["spanId"]), [10; 8]);
    let nanos = |at: Timestamp| at.as_nanosecond().to_string();
    assert_eq!(load["startTimeUnixNano"], nanos(at(2)));
    assert_eq!(
        load["endTimeUnixNano"],
        nanos(at(2) + SignedDuration::from_millis(500))
    );
    assert_eq!(root["endTimeUnixNano"], nanos(at(9)));
    assert_eq!(root["status"]["code"], "STATUS_CODE_ERROR");
    assert_eq!(attributes(root)["odin.job.name"], JOB);

    let metrics = &seen["/v1/metrics"]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    let metrics = metrics.as_array().unwrap();
    let points = |name: &str| {
        let found = metrics.iter().find(|it| it["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {metrics:?}"));
        found["gauge"]["dataPoints"].as_array().unwrap().clone()
    };
    let prices = points("odin.value");
    assert_eq!(attributes(&prices[0])["odin.value.name"], "price");
    assert_eq!(prices[0]["asDouble"], 104.25);
    assert_eq!(prices[1]["asInt"], "9223372036854775807");
    assert_eq!(prices[0]["timeUnixNano"], nanos(at(0)));
    assert_eq!(points("odin.run.duration")[0]["asDouble"], 8.0);

    let logs = &seen["/v1/logs"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    let logs = logs.as_array().unwrap();
    let bodies: Vec<_> = logs
        .iter()
        .map(|it| it["body"]["stringValue"].as_str().unwrap())
        .collect();
    assert!(bodies.iter().any(|it| it.contains("über 🦀")), "{bodies:?}");
    let ended = logs
        .iter()
        .find(|it| it["severityText"] == "ERROR")
        .unwrap();
    assert_eq!(
        (hex(&ended["traceId"]), hex(&ended["spanId"])),
        (vec![1; 16], vec![2; 8])
    );
}
