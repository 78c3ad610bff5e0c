//! InfluxDB's line protocol. Measurements `odin_values`, `odin_runs` and `odin_metrics`; what has few different texts is a tag, what
//! has many is a field, so that runs do not make series.

use std::collections::BTreeMap;
use std::fmt::Write;

use odin_metrics::{Family, Label};
use odin_model::{SecretValue, ValueData};

use crate::address::in_query;
use crate::http::HttpReceiver;
use crate::record::{hex, integer, nanos, number};
use crate::{Body, Record, RunFacts, Snapshot, Unsent, ValueFacts};

/// The resolution of a record's instant; the digits below it keep records of one instant apart.
const MICRO: i64 = 1_000;

/// A receiver of line protocol.
pub(crate) struct Influx {
    client: HttpReceiver,
    path: String,
}

impl Influx {
    /// The v2 write API.
    pub(crate) fn v2(
        client: HttpReceiver,
        (org, bucket): (&str, &str),
        token: Option<&SecretValue>,
    ) -> Result<Self, Unsent> {
        let path = format!(
            "/api/v2/write?org={}&bucket={}&precision=ns",
            in_query(org),
            in_query(bucket)
        );
        Self::new(client, path, b"Token ", token)
    }

    /// The v3 write API.
    pub(crate) fn v3(
        client: HttpReceiver,
        database: &str,
        token: Option<&SecretValue>,
    ) -> Result<Self, Unsent> {
        let path = format!(
            "/api/v3/write_lp?db={}&precision=nanosecond",
            in_query(database)
        );
        Self::new(client, path, b"Bearer ", token)
    }

    fn new(
        mut client: HttpReceiver,
        path: String,
        scheme: &[u8],
        token: Option<&SecretValue>,
    ) -> Result<Self, Unsent> {
        if let Some(token) = token {
            let value = [scheme, token.expose()].concat();
            client.set_secret(odin_outbound::header::AUTHORIZATION, &value)?;
        }
        Ok(Self { client, path })
    }

    pub(crate) async fn send(&mut self, records: &[Record]) -> Result<(), Unsent> {
        let mut text = String::new();
        for record in records {
            write_line(&mut text, record);
        }
        self.post(&text).await
    }

    pub(crate) async fn send_metrics(&mut self, snapshot: &Snapshot) -> Result<(), Unsent> {
        self.post(&metric_lines(snapshot)).await
    }

    async fn post(&mut self, text: &str) -> Result<(), Unsent> {
        let body = text.as_bytes();
        self.client
            .post_gzip(&self.path, "text/plain; charset=utf-8", body)
            .await?;
        Ok(())
    }
}

/// A line for each set of labels, with everything that has these as its fields.
fn metric_lines(snapshot: &Snapshot) -> String {
    let mut by_labels: BTreeMap<Vec<Label>, Line> = BTreeMap::new();
    for sample in snapshot.families.iter().flat_map(Family::samples) {
        let labels = snapshot.with_node(&sample.labels, "node");
        let number = sample.value.as_f64();
        if number.is_finite() {
            by_labels
                .entry(labels)
                .or_default()
                .float(&sample.name, number);
        }
    }
    let mut text = String::new();
    for (labels, mut line) in by_labels {
        for (name, value) in labels {
            line.tag(name, &value);
        }
        let Line { tags, fields } = line;
        let at = nanos(snapshot.at);
        let _ = writeln!(text, "odin_metrics{tags} {fields} {at}");
    }
    text
}

fn write_line(text: &mut String, record: &Record) {
    let mut line = Line::default();
    let (measurement, at, apart) = match &record.body {
        Body::Value(value) => {
            line.tag("job", &record.job.name);
            line.tag("job_id", &record.job.id.to_string());
            line.tag("kind", value.value.kind.word());
            // What a result says would make a series of every run.
            line.tag("name", value.value.series_name());
            line.tag("owner", &record.job.owner);
            of_value(&mut line, value);
            ("odin_values", value.value.at, value.number)
        }
        Body::Run(run) => {
            line.tag("cause", run.cause);
            line.tag("job", &record.job.name);
            line.tag("job_id", &record.job.id.to_string());
            line.tag("node", run.node.as_deref().unwrap_or_default());
            line.tag("outcome", run.outcome.word());
            line.tag("owner", &record.job.owner);
            of_run(&mut line, run);
            ("odin_runs", run.finished_at, record.run.to_bits())
        }
    };
    line.text("run", &record.run.to_string());
    line.text("trace", &hex(&record.trace.trace));
    let apart = i64::try_from(apart % MICRO.unsigned_abs()).unwrap_or_default();
    let at = (nanos(at) / MICRO * MICRO).saturating_add(apart);
    let Line { tags, fields } = line;
    let _ = writeln!(text, "{measurement}{tags} {fields} {at}");
}

fn of_value(line: &mut Line, facts: &ValueFacts) {
    let value = &facts.value;
    line.integer("attempt", i64::from(facts.attempt.0));
    if value.series_name() != value.name {
        line.text("said", &value.name);
    }
    match &value.data {
        ValueData::Number(text) => {
            match number(&value.data).filter(|it| it.is_finite()) {
                Some(number) => line.float("value", number),
                // The protocol has neither NaN nor infinities.
                None => line.text("text", text),
            }
            if let Some(number) = integer(&value.data) {
                line.integer("integer", number);
            }
        }
        ValueData::Boolean(it) => {
            line.float("value", f64::from(u8::from(*it)));
            line.boolean("boolean", *it);
        }
        ValueData::Text(text) => line.text("text", text),
        ValueData::Json(text) => line.text("json", text),
    }
    let more = [("status", &value.status), ("unit", &value.unit)];
    for (key, text) in more {
        if let Some(text) = text {
            line.text(key, text);
        }
    }
    if let Some(flaw) = &value.flaw {
        line.text("flaw", &flaw.to_string());
    }
}

fn of_run(line: &mut Line, run: &RunFacts) {
    line.integer(
        "attempts",
        i64::try_from(run.attempts.len()).unwrap_or(i64::MAX),
    );
    let seconds = [
        ("seconds", run.seconds()),
        ("waited_seconds", run.waited_seconds()),
    ];
    for (key, number) in seconds {
        if let Some(number) = number {
            line.float(key, number);
        }
    }
    if let Some((user, system)) = run.usage.known_cpu() {
        line.float("cpu_user_seconds", user.as_secs_f64());
        line.float("cpu_system_seconds", system.as_secs_f64());
    }
    if let Some(bytes) = run.usage.known_memory_max_bytes() {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        line.integer("memory_max_bytes", bytes);
    }
    line.integer("version", i64::from(run.version.0));
    for (key, code) in [("exit_code", run.exit_code), ("signal", run.signal)] {
        if let Some(code) = code {
            line.integer(key, i64::from(code));
        }
    }
    if let Some(reason) = &run.reason {
        line.text("reason", reason);
    }
    if let Some(due) = run.due_at {
        line.text("due_at", &due.to_string());
    }
}

/// A line in the making.
#[derive(Default)]
struct Line {
    tags: String,
    fields: String,
}

impl Line {
    /// Tags in the order of their keys are taken fastest. An empty one would be a mistake in the protocol.
    fn tag(&mut self, key: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let _ = write!(self.tags, ",{key}=");
        for c in text.chars() {
            match c {
                ',' | '=' | ' ' => self.tags.extend(['\\', c]),
                // A tag ends at a line's end, and has no escape for it; a backslash at its end would escape what follows.
                c if c.is_control() => self.tags.push(char::REPLACEMENT_CHARACTER),
                '\\' => self.tags.push('\u{29f5}'),
                c => self.tags.push(c),
            }
        }
    }

    fn key(&mut self, key: &str) {
        let comma = if self.fields.is_empty() { "" } else { "," };
        let _ = write!(self.fields, "{comma}{key}=");
    }

    fn integer(&mut self, key: &str, number: i64) {
        self.key(key);
        let _ = write!(self.fields, "{number}i");
    }

    fn float(&mut self, key: &str, number: f64) {
        self.key(key);
        let _ = write!(self.fields, "{number:?}");
    }

    fn boolean(&mut self, key: &str, it: bool) {
        self.key(key);
        let _ = write!(self.fields, "{it}");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.fields.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                self.fields.push('\\');
            }
            self.fields.push(c);
        }
        self.fields.push('"');
    }
}

#[cfg(test)]
mod tests {
    use odin_model::ValueKind;

    use super::*;
    use crate::record::tests::{run, value};
    use crate::snapshot::tests::snapshot;

    #[track_caller]
    fn check(name: &str, data: ValueData, expected: &str) {
        let mut text = String::new();
        write_line(&mut text, &value(3, name, data));
        let line = text.strip_suffix('\n').unwrap();
        let head = r"odin_values,job=nightly\,\ all,job_id=0000000000ab,kind=watch,name=";
        let rest = line.strip_prefix(head).unwrap_or_else(|| panic!("{line}"));
        let (seen, tail) = rest.split_once(",run=").unwrap();
        assert_eq!(seen, expected);
        assert!(tail.ends_with(" 1790000001000000003"), "{tail}");
    }

    #[test]
    fn types_are_kept_and_names_may_be_anything() {
        let number = |text: &str| ValueData::Number(text.to_owned());
        check(
            "a",
            number("1"),
            "a,owner=ann attempt=1i,value=1.0,integer=1i",
        );
        check("a", number("1.5"), "a,owner=ann attempt=1i,value=1.5");
        check("a", number("1e300"), "a,owner=ann attempt=1i,value=1e300");
        check("a", number("NaN"), r#"a,owner=ann attempt=1i,text="NaN""#);
        check(
            "a",
            number("9223372036854775807"),
            "a,owner=ann attempt=1i,value=9.223372036854776e18,integer=9223372036854775807i",
        );
        check(
            "a",
            ValueData::Boolean(true),
            "a,owner=ann attempt=1i,value=1.0,boolean=true",
        );
        check(
            "a b,c=d",
            ValueData::Text("say \"\\hi\"\nthere".to_owned()),
            "a\\ b\\,c\\=d,owner=ann attempt=1i,text=\"say \\\"\\\\hi\\\"\nthere\"",
        );
        check(
            "a\nb\\",
            number("1"),
            "a\u{fffd}b\u{29f5},owner=ann attempt=1i,value=1.0,integer=1i",
        );
        check(
            "😀",
            number("1"),
            "😀,owner=ann attempt=1i,value=1.0,integer=1i",
        );
    }

    #[test]
    fn what_a_result_says_is_a_field_and_no_tag() {
        let mut record = value(3, "loaded 7 rows", ValueData::Number("200".to_owned()));
        if let Body::Value(facts) = &mut record.body {
            facts.value.kind = ValueKind::Result;
        }
        let mut text = String::new();
        write_line(&mut text, &record);
        let expected = r#",kind=result,owner=ann attempt=1i,said="loaded 7 rows",value=200.0,"#;
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn metrics_of_the_same_labels_share_a_line() {
        let text = metric_lines(&snapshot());
        let expected = r"odin_metrics,le=+Inf,node=a\,\ b odin_log_sync_seconds_bucket=2.0 1790000060000000000
odin_metrics,le=0.5,node=a\,\ b odin_log_sync_seconds_bucket=1.0 1790000060000000000
odin_metrics,le=10.0,node=a\,\ b odin_log_sync_seconds_bucket=1.0 1790000060000000000
odin_metrics,node=a\,\ b odin_jobs=3.0,odin_log_sync_seconds_sum=20.25,odin_log_sync_seconds_count=2.0 1790000060000000000
odin_metrics,node=a\,\ b,outcome=failed odin_runs_finished_total=7.0 1790000060000000000
odin_metrics,node=a\,\ b,sink=db odin_sink_records_total=9.0 1790000060000000000
odin_metrics,node=a\,\ b,version=1 odin_build_info=1.0 1790000060000000000
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_run_has_its_outcome_as_a_tag_and_its_length_as_a_field() {
        let mut text = String::new();
        write_line(&mut text, &run(0));
        for part in [
            "odin_runs,cause=schedule,",
            ",outcome=failed,owner=ann attempts=1i,seconds=3.0,waited_seconds=2.0,",
            ",exit_code=3i,reason=\"exit code 3\",",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        // Nobody measured it.
        assert!(!text.contains("memory") && !text.contains("cpu"), "{text}");
        let mut measured = run(0);
        let Body::Run(facts) = &mut measured.body else {
            unreachable!("it is a run")
        };
        facts.usage.cpu_user = std::time::Duration::from_millis(1500);
        facts.usage.memory_max_bytes = 4096;
        let mut text = String::new();
        write_line(&mut text, &measured);
        let used = ",cpu_user_seconds=1.5,cpu_system_seconds=0.0,memory_max_bytes=4096i,";
        assert!(text.contains(used), "{text}");
    }
}
