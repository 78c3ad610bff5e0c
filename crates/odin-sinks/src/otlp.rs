//! OpenTelemetry: a run is a trace, with its attempts below it and the spans that its program reports below those; a
//! number is a point of a gauge; the end of a run, and what it reports besides numbers, are log records.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use odin_model::{Outcome, SecretValue, ValueData, ValueKind};
use odin_outbound::header::{AUTHORIZATION, HeaderName};
use prost::Message;

use crate::http::HttpReceiver;
use crate::otlp_messages::{
    Any, AnyValue, ExportResponse, Gauge, KeyValue, LogRecord, LogsRequest, Metric, MetricsRequest,
    Point, PointValue, Resource, ResourceLogs, ResourceMetrics, ResourceSpans, Scope, ScopeLogs,
    ScopeMetrics, ScopeSpans, Span, Status, TracesRequest,
};
use crate::record::{integer, nanos, number};
use crate::{AttemptFacts, Body, Record, RunFacts, Snapshot, Unsent, ValueFacts, otlp_metrics};

const PROTOBUF: &str = "application/x-protobuf";
const INTERNAL: i32 = 1;
const OK: i32 = 1;
const ERROR: i32 = 2;

/// A receiver of OTLP over HTTP.
pub(crate) struct Otlp {
    client: HttpReceiver,
}

impl Otlp {
    pub(crate) fn new(
        mut client: HttpReceiver,
        header: Option<&str>,
        secret: Option<&SecretValue>,
    ) -> Result<Self, Unsent> {
        if let Some(secret) = secret {
            match header {
                Some(header) => {
                    let name = HeaderName::from_bytes(header.as_bytes()).map_err(|_| {
                        Unsent::not_now(format!("no header has the name {header:?}"))
                    })?;
                    client.set_secret(name, secret.expose())?;
                }
                None => {
                    let value = [b"Bearer ", secret.expose()].concat();
                    client.set_secret(AUTHORIZATION, &value)?;
                }
            }
        }
        Ok(Self { client })
    }

    pub(crate) async fn send(&mut self, records: &[Record]) -> Result<(), Unsent> {
        let messages = Messages::of(records);
        let (spans, metrics, logs) = (messages.spans, messages.metrics, messages.logs);
        let mut rejected = (0, String::new());
        if !spans.is_empty() {
            let request = TracesRequest {
                resource_spans: vec![ResourceSpans {
                    resource: Some(resource()),
                    scope_spans: vec![ScopeSpans {
                        scope: Some(scope()),
                        spans,
                    }],
                }],
            };
            self.post("/v1/traces", &request, &mut rejected).await?;
        }
        if !metrics.is_empty() {
            let request = MetricsRequest {
                resource_metrics: vec![ResourceMetrics {
                    resource: Some(resource()),
                    scope_metrics: vec![ScopeMetrics {
                        scope: Some(scope()),
                        metrics: metrics.into_values().collect(),
                    }],
                }],
            };
            self.post("/v1/metrics", &request, &mut rejected).await?;
        }
        if !logs.is_empty() {
            let request = LogsRequest {
                resource_logs: vec![ResourceLogs {
                    resource: Some(resource()),
                    scope_logs: vec![ScopeLogs {
                        scope: Some(scope()),
                        log_records: logs,
                    }],
                }],
            };
            self.post("/v1/logs", &request, &mut rejected).await?;
        }
        whole(rejected)
    }

    pub(crate) async fn send_metrics(&mut self, snapshot: &Snapshot) -> Result<(), Unsent> {
        let mut rejected = (0, String::new());
        let request = otlp_metrics::request(snapshot);
        self.post("/v1/metrics", &request, &mut rejected).await?;
        whole(rejected)
    }

    async fn post(
        &mut self,
        path: &str,
        message: &impl Message,
        rejected: &mut (u64, String),
    ) -> Result<(), Unsent> {
        let body = message.encode_to_vec();
        let answer: Bytes = self.client.post_gzip(path, PROTOBUF, &body).await?;
        // An answer that is no such message has nothing to add to its status.
        let partial = ExportResponse::decode(answer)
            .ok()
            .and_then(|it| it.partial_success);
        if let Some(partial) = partial.filter(|it| it.rejected > 0) {
            rejected.0 += partial.rejected.unsigned_abs();
            rejected.1 = format!("{path}: {}", partial.error_message);
        }
        Ok(())
    }
}

/// Whether everything was taken: how much was not, and why.
fn whole((rejected, reason): (u64, String)) -> Result<(), Unsent> {
    match rejected {
        0 => Ok(()),
        rejected => Err(Unsent::Partly { rejected, reason }),
    }
}

pub(crate) fn resource() -> Resource {
    Resource {
        attributes: vec![KeyValue::text("service.name", "odin")],
    }
}

pub(crate) fn scope() -> Scope {
    Scope {
        name: "odin".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What a batch comes to.
#[derive(Default)]
struct Messages {
    spans: Vec<Span>,
    /// By name and unit.
    metrics: BTreeMap<(&'static str, String), Metric>,
    logs: Vec<LogRecord>,
}

impl Messages {
    fn of(records: &[Record]) -> Self {
        let mut messages = Self::default();
        for record in records {
            match &record.body {
                Body::Value(value) => messages.add_value(record, value),
                Body::Run(run) => messages.add_run(record, run),
            }
        }
        messages
    }

    fn add_value(&mut self, record: &Record, facts: &ValueFacts) {
        let value = &facts.value;
        if value.kind == ValueKind::Span
            && let Some(span) = reported_span(record, facts)
        {
            self.spans.push(span);
            return;
        }
        let mut attributes = of_job(record);
        // What a result says would make a series of every run.
        let name = value.series_name().to_owned();
        attributes.push(KeyValue::text("odin.value.name", name));
        attributes.push(KeyValue::text("odin.value.kind", value.kind.word()));
        let point = match &value.data {
            ValueData::Boolean(it) => Some(PointValue::Integer(i64::from(*it))),
            data => integer(data)
                .map(PointValue::Integer)
                .or_else(|| number(data).map(PointValue::Double)),
        };
        if let Some(point) = point {
            let unit = value.unit.clone().unwrap_or_default();
            self.gauge("odin.value", unit, value.at, attributes, point);
            return;
        }
        attributes.push(KeyValue::text("odin.run.id", record.run.to_string()));
        self.logs.push(LogRecord {
            time_unix_nano: time(value.at),
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: text(&format!("{}: {}", value.name, value.data.text())),
            attributes,
            trace_id: record.trace.trace.to_vec(),
            span_id: facts.span.to_vec(),
        });
    }

    fn gauge(
        &mut self,
        name: &'static str,
        unit: String,
        at: Timestamp,
        attributes: Vec<KeyValue>,
        value: PointValue,
    ) {
        let metric = self
            .metrics
            .entry((name, unit.clone()))
            .or_insert_with(|| Metric {
                name: name.to_owned(),
                description: String::new(),
                unit,
                gauge: Some(Gauge::default()),
                ..Metric::default()
            });
        let gauge = metric.gauge.get_or_insert_default();
        gauge.data_points.push(Point {
            start_time_unix_nano: 0,
            time_unix_nano: time(at),
            attributes,
            value: Some(value),
        });
    }

    fn add_run(&mut self, record: &Record, run: &RunFacts) {
        let mut attributes = of_job(record);
        attributes.push(KeyValue::text("odin.run.id", record.run.to_string()));
        attributes.push(KeyValue::text("odin.run.cause", run.cause));
        attributes.push(KeyValue::text("odin.run.outcome", run.outcome.word()));
        attributes.push(KeyValue::integer("odin.job.version", run.version.0.into()));
        if let Some(code) = run.exit_code {
            attributes.push(KeyValue::integer("process.exit.code", code.into()));
        }
        let began = run.started_at.or(run.due_at).unwrap_or(run.queued_at);
        self.spans.push(Span {
            trace_id: record.trace.trace.to_vec(),
            span_id: record.trace.run.to_vec(),
            parent_span_id: Vec::new(),
            name: record.job.name.clone(),
            kind: INTERNAL,
            start_time_unix_nano: time(began.min(run.finished_at)),
            end_time_unix_nano: time(run.finished_at),
            attributes: attributes.clone(),
            status: Some(status(run.outcome, run.reason.as_deref())),
        });
        for attempt in &run.attempts {
            self.spans.push(attempt_span(record, attempt));
        }
        for (name, seconds) in [
            ("odin.run.duration", run.seconds()),
            ("odin.run.wait", run.waited_seconds()),
        ] {
            if let Some(seconds) = seconds {
                let mut few = of_job(record);
                few.push(KeyValue::text("odin.run.outcome", run.outcome.word()));
                let point = PointValue::Double(seconds);
                self.gauge(name, "s".to_owned(), run.finished_at, few, point);
            }
        }
        let (severity_number, severity_text) = match run.outcome {
            Outcome::Succeeded => (9, "INFO"),
            Outcome::Warning | Outcome::Cancelled => (13, "WARN"),
            _ => (17, "ERROR"),
        };
        let reason = run.reason.as_ref().map(|it| format!(": {it}"));
        let said = format!(
            "run {} of {} {}{}",
            record.run,
            record.job.name,
            run.outcome.word(),
            reason.unwrap_or_default()
        );
        self.logs.push(LogRecord {
            time_unix_nano: time(run.finished_at),
            severity_number,
            severity_text: severity_text.to_owned(),
            body: text(&said),
            attributes,
            trace_id: record.trace.trace.to_vec(),
            span_id: record.trace.run.to_vec(),
        });
    }
}

fn of_job(record: &Record) -> Vec<KeyValue> {
    vec![
        KeyValue::text("odin.job.name", record.job.name.clone()),
        KeyValue::text("odin.job.id", record.job.id.to_string()),
        KeyValue::text("odin.job.owner", record.job.owner.clone()),
    ]
}

fn attempt_span(record: &Record, attempt: &AttemptFacts) -> Span {
    let began = attempt.started_at.unwrap_or(attempt.finished_at);
    Span {
        trace_id: record.trace.trace.to_vec(),
        span_id: attempt.span.to_vec(),
        parent_span_id: record.trace.run.to_vec(),
        name: format!("attempt {}", attempt.number),
        kind: INTERNAL,
        start_time_unix_nano: time(began.min(attempt.finished_at)),
        end_time_unix_nano: time(attempt.finished_at),
        attributes: vec![
            KeyValue::text("odin.run.id", record.run.to_string()),
            KeyValue::integer("odin.attempt", attempt.number.0.into()),
            KeyValue::text("host.name", attempt.node.clone()),
        ],
        status: Some(status(attempt.outcome, attempt.reason.as_deref())),
    }
}

/// A span that a program reported, by the form of Odin's SDKs: `id`, `parent`, `trace`, `start`, `seconds`, `error`.
/// `None`: it is of another form.
fn reported_span(record: &Record, facts: &ValueFacts) -> Option<Span> {
    let ValueData::Json(json) = &facts.value.data else {
        return None;
    };
    let json: serde_json::Value = serde_json::from_str(json).ok()?;
    let text = |key: &str| json.get(key).and_then(serde_json::Value::as_str);
    let id = bytes_of(text("id")?).filter(|it| it.len() == 8)?;
    let parent = text("parent").and_then(bytes_of).filter(|it| it.len() == 8);
    let trace = text("trace").and_then(bytes_of).filter(|it| it.len() == 16);
    let start: Timestamp = text("start")?.parse().ok()?;
    let seconds = json.get("seconds")?.as_f64().filter(|it| *it >= 0.0)?;
    let length = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    let error = text("error");
    Some(Span {
        trace_id: trace.unwrap_or_else(|| record.trace.trace.to_vec()),
        span_id: id,
        parent_span_id: parent.unwrap_or_else(|| facts.span.to_vec()),
        name: facts.value.name.clone(),
        kind: INTERNAL,
        start_time_unix_nano: time(start),
        end_time_unix_nano: time(start.checked_add(length).ok()?),
        attributes: vec![KeyValue::text("odin.run.id", record.run.to_string())],
        status: error.map(|message| Status {
            message: message.to_owned(),
            code: ERROR,
        }),
    })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |it: u8| {
        char::from(it)
            .to_digit(16)
            .and_then(|it| u8::try_from(it).ok())
    };
    digits
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

fn status(outcome: Outcome, reason: Option<&str>) -> Status {
    Status {
        message: reason.unwrap_or_default().to_owned(),
        code: match outcome {
            Outcome::Succeeded | Outcome::Warning => OK,
            _ => ERROR,
        },
    }
}

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue {
        value: Some(Any::Text(text.to_owned())),
    })
}

pub(crate) fn time(at: Timestamp) -> u64 {
    nanos(at).max(0).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{run, value};

    #[test]
    fn a_run_is_a_trace_with_its_attempts_and_its_programs_spans_below() {
        let reported = format!(
            r#"{{"id":"0a0a0a0a0a0a0a0a","parent":"{}","trace":"{}","start":"2026-09-21T00:00:00Z","seconds":0.5,"error":null}}"#,
            "03".repeat(8),
            "01".repeat(16)
        );
        let mut span = value(0, "load", ValueData::Json(reported));
        if let Body::Value(facts) = &mut span.body {
            facts.value.kind = ValueKind::Span;
        }
        let messages = Messages::of(&[span, run(1)]);
        let [load, root, attempt] = messages.spans.as_slice() else {
            panic!("{:?}", messages.spans);
        };
        assert_eq!(load.trace_id, root.trace_id);
        assert_eq!(load.parent_span_id, attempt.span_id);
        assert_eq!(
            load.end_time_unix_nano - load.start_time_unix_nano,
            500_000_000
        );
        assert_eq!(attempt.parent_span_id, root.span_id);
        assert_eq!(root.parent_span_id, Vec::<u8>::new());
        assert_eq!(root.status.as_ref().unwrap().code, ERROR);
        assert_eq!(messages.logs.len(), 1);
        let names: Vec<_> = messages.metrics.keys().map(|(name, _)| *name).collect();
        assert_eq!(names, ["odin.run.duration", "odin.run.wait"]);
    }

    #[test]
    fn numbers_are_points_and_the_rest_is_a_log() {
        let number = |index, text: &str| value(index, "n", ValueData::Number(text.to_owned()));
        let records = [
            number(0, "1"),
            number(1, "1.5"),
            value(2, "ok", ValueData::Boolean(true)),
            value(3, "said", ValueData::Text("hello".to_owned())),
            value(4, "doc", ValueData::Json("[1]".to_owned())),
        ];
        let messages = Messages::of(&records);
        let points: Vec<_> = messages
            .metrics
            .values()
            .flat_map(|it| &it.gauge.as_ref().unwrap().data_points)
            .map(|it| it.value.clone().unwrap())
            .collect();
        use PointValue::{Double, Integer};
        assert_eq!(points, [Integer(1), Double(1.5), Integer(1)]);
        assert_eq!(messages.logs.len(), 2);
    }
}
