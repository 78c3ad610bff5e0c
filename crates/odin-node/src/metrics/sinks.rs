//! How sinks get on: what `odin sink status` shows, as numbers.

use jiff::Timestamp;
use odin_metrics::{Family, Kind, Label, Number};
use odin_model::sink::Sink;

use crate::sinks::{Failures, Part};

/// Of each sink. It costs the same however far one is behind.
pub(super) fn families(sinks: &[Sink], failures: &Failures, now: Timestamp) -> [Family; 5] {
    let mut behind = Vec::new();
    let mut age = Vec::new();
    let mut records = Vec::new();
    let mut failed = Vec::new();
    let mut up = Vec::new();
    for sink in sinks {
        let spec = &sink.spec;
        let counts = [
            ("values", spec.values, sink.behind.values),
            ("runs", spec.runs, sink.behind.runs),
        ];
        for (record, _, count) in counts.into_iter().filter(|(_, goes, _)| *goes) {
            behind.push((labels(sink, [("record", record)]), Number::Whole(count)));
        }
        let has_records = spec.values || spec.runs;
        if has_records {
            let oldest = sink.behind.since;
            // The clock of the node where it happened may be ahead.
            let seconds = oldest.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
            age.push((labels(sink, []), Number::Fraction(seconds)));
            for (result, count) in [
                ("sent", sink.sent),
                ("skipped", sink.skipped),
                ("dropped", sink.dropped),
            ] {
                records.push((labels(sink, [("result", result)]), Number::Whole(count)));
            }
        }
        let has_metrics = spec.metrics_every_seconds.is_some();
        for (word, part, _, is_failing) in [
            ("feed", Part::Feed, has_records, sink.failing.is_some()),
            (
                "metrics",
                Part::Metrics,
                has_metrics,
                sink.metrics_failing.is_some(),
            ),
        ]
        .into_iter()
        .filter(|(_, _, goes, _)| *goes)
        {
            let count = failures.of(sink, part);
            failed.push((labels(sink, [("part", word)]), Number::Whole(count)));
            let is_up = Number::Whole((!is_failing).into());
            up.push((labels(sink, [("part", word)]), is_up));
        }
    }
    [
        Family::of(
            "odin_sink_behind_records",
            "Records that wait for a sink, before its choice of kinds and jobs",
            Kind::Gauge,
            behind,
        ),
        Family::of(
            "odin_sink_behind_age_seconds",
            "How long ago the oldest record happened that waits for a sink; 0: none waits",
            Kind::Gauge,
            age,
        ),
        Family::of(
            "odin_sink_records",
            "Records that a sink is done with since it was made, by what became of them",
            Kind::LastingCounter,
            records,
        ),
        Family::of(
            "odin_sink_failed_attempts",
            "Attempts of this node at which a sink's receiver took nothing",
            Kind::Counter,
            failed,
        ),
        Family::of(
            "odin_sink_up",
            "Whether the last attempt went well, of values and runs, and of metrics",
            Kind::Gauge,
            up,
        ),
    ]
}

fn labels<const N: usize>(sink: &Sink, more: [(&'static str, &str); N]) -> Vec<Label> {
    let own = [
        ("sink", sink.name.as_str()),
        ("kind", sink.spec.target.word()),
    ];
    let all = own.into_iter().chain(more);
    all.map(|(name, value)| (name, value.to_owned())).collect()
}
