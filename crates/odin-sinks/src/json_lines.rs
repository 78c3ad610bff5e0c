//! Records as JSON objects, one a line.

use odin_metrics::{Distribution, Kind, Number, Reading};
use odin_model::ValueData;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use crate::record::{hex, number};
use crate::{Body, Record, RunFacts, Snapshot, ValueFacts};

/// How each line begins: `x` is a hexadecimal digit, `9` a decimal one. By it a file is known as one of records, and
/// what a crash left of a line as Odin's to take away.
const HEADS: [&str; 3] = [
    r#"{"record":"value","feed":"xxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xxxxxxxx","#,
    r#"{"record":"run","feed":"xxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xxxxxxxx","#,
    r#"{"record":"metric","at":"9999-99-99T99:99:99"#,
];
/// The longest of them, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 70;
/// How much of a line is there, at least, where it is taken for a record: up to the `feed` or instant.
const HEAD_BYTES_MIN: usize = 24;

/// Whether a file that begins like this holds records. A crash may have cut off its only line.
pub(crate) fn begins_with_record(bytes: &[u8]) -> bool {
    bytes.len() >= HEAD_BYTES_MIN && may_become_record(bytes)
}

/// Whether these are the first bytes of a record's line, as far as they go.
pub(crate) fn may_become_record(bytes: &[u8]) -> bool {
    HEADS.iter().any(|head| {
        let mut pairs = head.bytes().zip(bytes);
        pairs.all(|(wanted, byte)| match wanted {
            b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            b'9' => byte.is_ascii_digit(),
            wanted => wanted == *byte,
        })
    })
}

/// A record's line, without its end. `feed` is the sink's own: token, entry and place, so that a line that came twice
/// is known.
pub(crate) fn line(record: &Record, token: u64) -> String {
    let mut object = Map::new();
    let (entry, index) = record.place;
    let feed = feed_id(token, entry, index);
    let head = match &record.body {
        Body::Value(value) => {
            of_value(&mut object, value);
            format!("{{\"record\":\"value\",\"feed\":\"{feed}\"")
        }
        Body::Run(run) => {
            of_run(&mut object, run);
            format!("{{\"record\":\"run\",\"feed\":\"{feed}\"")
        }
    };
    object.insert("run".to_owned(), record.run.to_string().into());
    object.insert("job".to_owned(), record.job.id.to_string().into());
    object.insert("job_name".to_owned(), record.job.name.clone().into());
    object.insert("owner".to_owned(), record.job.owner.clone().into());
    object.insert("trace".to_owned(), hex(&record.trace.trace).into());
    joined(head, object)
}

/// A line of its head and the other members, of which there are some.
fn joined(mut head: String, others: Map<String, Json>) -> String {
    let others = Json::Object(others).to_string();
    head.push(',');
    head.push_str(&others[1..]);
    head
}

/// A line for each series of a snapshot, without its end.
pub(crate) fn metric_lines(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    for family in &snapshot.families {
        for series in &family.series {
            let labels = series.labels.iter();
            let labels = labels.map(|(name, value)| ((*name).to_owned(), value.clone().into()));
            let mut object = json!({
                "node": snapshot.node,
                "name": family.name,
                "kind": family.kind.word(),
                "labels": labels.collect::<Map<String, Json>>(),
            });
            match &series.reading {
                Reading::Number(Number::Whole(it)) => object["value"] = (*it).into(),
                Reading::Number(Number::Fraction(it)) => object["value"] = fraction(*it),
                Reading::Distribution(it) => {
                    object["count"] = it.count().into();
                    object["sum"] = fraction(it.sum);
                    object["buckets"] = buckets(it);
                }
            }
            if matches!(family.kind, Kind::Counter | Kind::Histogram) {
                object["began_at"] = snapshot.began_at.to_string().into();
            }
            let head = format!("{{\"record\":\"metric\",\"at\":\"{}\"", snapshot.at);
            if let Json::Object(object) = object {
                lines.push(joined(head, object));
            }
        }
    }
    lines
}

/// Each bound with how many observations are at most that large; the last bound is `+Inf`.
pub(crate) fn buckets(of: &Distribution) -> Json {
    let buckets = of.cumulative();
    buckets
        .map(|(bound, count)| json!({"le": fraction(bound), "count": count}))
        .collect()
}

/// What JSON has no number for is its text.
fn fraction(number: f64) -> Json {
    match number.is_finite() {
        true => number.into(),
        false => Number::Fraction(number).to_string().into(),
    }
}

/// Orders as text does for one sink.
pub(crate) fn feed_id(token: u64, entry: u64, index: u32) -> String {
    format!("{token:016x}-{entry:016x}-{index:08x}")
}

fn of_value(object: &mut Map<String, Json>, facts: &ValueFacts) {
    let value = &facts.value;
    object.insert("at".to_owned(), value.at.to_string().into());
    object.insert("kind".to_owned(), value.kind.word().into());
    object.insert("name".to_owned(), value.name.clone().into());
    object.insert("type".to_owned(), value.data.type_word().into());
    object.insert("value".to_owned(), data(&value.data));
    object.insert("attempt".to_owned(), facts.attempt.0.into());
    object.insert("number".to_owned(), facts.number.into());
    for (key, text) in [("status", &value.status), ("unit", &value.unit)] {
        if let Some(text) = text {
            object.insert(key.to_owned(), text.clone().into());
        }
    }
    if let Some(flaw) = &value.flaw {
        object.insert("flaw".to_owned(), flaw.to_string().into());
    }
}

/// Numbers as JSON numbers where JSON has them and no digit is lost, else as their text; `type` tells.
fn data(data: &ValueData) -> Json {
    match data {
        ValueData::Boolean(it) => (*it).into(),
        ValueData::Text(text) => text.clone().into(),
        ValueData::Json(text) => {
            // What was cut is no JSON any more, and what is too deep is not read: then the text.
            serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())
        }
        ValueData::Number(text) => {
            let is_json = serde_json::from_str::<&RawValue>(text).is_ok();
            let whole = text
                .parse::<i64>()
                .map(Json::from)
                .or_else(|_| text.parse::<u64>().map(Json::from));
            match (whole, number(data)) {
                (Ok(whole), _) => whole,
                (Err(_), Some(float)) if is_json && float.is_finite() && !is_long(text) => {
                    float.into()
                }
                _ => text.clone().into(),
            }
        }
    }
}

/// Whether a number has more digits than a 64-bit float keeps.
fn is_long(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() > 17
}

fn of_run(object: &mut Map<String, Json>, run: &RunFacts) {
    let text = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
    let attempts = run.attempts.iter().map(|attempt| {
        json!({
            "attempt": attempt.number.0,
            "span": hex(&attempt.span),
            "node": attempt.node,
            "started_at": text(attempt.started_at),
            "finished_at": attempt.finished_at.to_string(),
            "outcome": attempt.outcome.word(),
            "exit_code": attempt.exit_code,
            "signal": attempt.signal,
            "reason": attempt.reason,
        })
    });
    let cpu = run.usage.known_cpu();
    let fields = json!({
        "at": run.finished_at.to_string(),
        "outcome": run.outcome.word(),
        "cause": run.cause,
        "version": run.version.0,
        "due_at": text(run.due_at),
        "queued_at": run.queued_at.to_string(),
        "started_at": text(run.started_at),
        "finished_at": run.finished_at.to_string(),
        "seconds": run.seconds(),
        "exit_code": run.exit_code,
        "signal": run.signal,
        "reason": run.reason,
        "node": run.node,
        "cpu_user_seconds": cpu.map(|(user, _)| user.as_secs_f64()),
        "cpu_system_seconds": cpu.map(|(_, system)| system.as_secs_f64()),
        "memory_max_bytes": run.usage.known_memory_max_bytes(),
        "attempts": attempts.collect::<Vec<_>>(),
    });
    if let Json::Object(fields) = fields {
        object.extend(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{run, value};
    use crate::snapshot::tests::snapshot;

    #[test]
    fn a_file_of_records_is_known_by_how_it_begins() {
        assert_eq!(HEADS.map(str::len).into_iter().max(), Some(HEAD_BYTES_MAX));
        let mut lines = metric_lines(&snapshot());
        lines.push(line(&run(2), u64::MAX));
        lines.push(line(&value(0, "n", ValueData::Boolean(true)), 1));
        for line in &lines {
            assert!(begins_with_record(line.as_bytes()), "{line}");
            for end in 0..line.len() {
                let half = &line.as_bytes()[..end];
                assert!(may_become_record(half));
                assert_eq!(begins_with_record(half), end >= HEAD_BYTES_MIN);
            }
        }
        for other in [
            "no JSON",
            "{",
            "{\"record\":\"value\"}",
            "\n{\"record\":\"value\",\"feed\":\"0000000000000001-0",
            "{\"record\":\"value\",\"feed\":\"of a farm\",",
            "{\"record\":\"metric\",\"at\":\"noon\"}",
            "{\"at\":\"2026-09-21T14:14:20Z\",\"record\":\"value\",",
        ] {
            assert!(!begins_with_record(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_value_keeps_its_type_and_every_digit() {
        let number = |text: &str| ValueData::Number(text.to_owned());
        for (given, expected) in [
            (number("1"), json!(1)),
            (number("18446744073709551615"), json!(u64::MAX)),
            (number("1.5"), json!(1.5)),
            (
                number("0.12345678901234567890"),
                json!("0.12345678901234567890"),
            ),
            (number("NaN"), json!("NaN")),
            (number("1e999"), json!("1e999")),
            (ValueData::Boolean(true), json!(true)),
            (ValueData::Text("a\n".to_owned()), json!("a\n")),
            (
                ValueData::Json("[1,{\"a\":2}]".to_owned()),
                json!([1, {"a": 2}]),
            ),
            (ValueData::Json("[1,".to_owned()), json!("[1,")),
        ] {
            let text = line(&value(0, "n", given.clone()), 1);
            assert!(!text.contains('\n'));
            let read: Json = serde_json::from_str(&text).unwrap();
            assert_eq!(read["value"], expected, "{given:?}");
            assert_eq!(read["type"], given.type_word());
        }
    }

    #[test]
    fn a_metric_is_a_line_for_each_series() {
        let lines = metric_lines(&snapshot());
        let read: Vec<Json> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            read[0],
            json!({
                "record": "metric", "at": "2026-09-21T14:14:20Z", "node": "a, b", "name": "odin_runs_finished",
                "kind": "counter", "labels": {"outcome": "failed"}, "value": 7, "began_at": "2026-09-21T14:13:20Z",
            })
        );
        let bucket = |le: Json, count: u64| json!({"le": le, "count": count});
        assert_eq!(
            read[3]["buckets"],
            json!([
                bucket(0.5.into(), 1),
                bucket(10.0.into(), 1),
                bucket("+Inf".into(), 2)
            ])
        );
        assert_eq!(
            (&read[3]["count"], &read[3]["sum"]),
            (&json!(2), &json!(20.25))
        );
        // It is older than the server.
        assert_eq!(
            (&read[4]["kind"], read[4].get("began_at")),
            (&json!("counter"), None)
        );
    }

    #[test]
    fn a_run_has_its_attempts() {
        let read: Json = serde_json::from_str(&line(&run(2), 1)).unwrap();
        assert_eq!(read["record"], "run");
        assert_eq!(read["seconds"], 3.0);
        assert_eq!(read["attempts"][0]["span"], "0303030303030303");
        assert_eq!(read["feed"], "0000000000000001-0000000000000007-00000002");
        // Nobody measured it.
        for unknown in ["cpu_user_seconds", "cpu_system_seconds", "memory_max_bytes"] {
            assert_eq!(read.get(unknown), Some(&Json::Null), "{unknown}");
        }
        let mut measured = run(2);
        let Body::Run(facts) = &mut measured.body else {
            unreachable!("it is a run")
        };
        facts.usage = odin_model::Usage {
            cpu_user: std::time::Duration::from_millis(1500),
            cpu_system: std::time::Duration::ZERO,
            memory_max_bytes: 4096,
        };
        let read: Json = serde_json::from_str(&line(&measured, 1)).unwrap();
        assert_eq!(
            (
                &read["cpu_user_seconds"],
                &read["cpu_system_seconds"],
                &read["memory_max_bytes"]
            ),
            (&json!(1.5), &json!(0.0), &json!(4096))
        );
    }
}
