//! Counts of a period as people read them.

use std::fmt::Write as _;

use jiff::SignedDuration;
use odin_wire::{Percentiles, Statistics};

use crate::times;

/// Lines of what was counted, each behind `indent`; none where nothing was.
pub(crate) fn lines(counted: &Statistics, period: &str, indent: &str) -> String {
    let due = &counted.due;
    if counted.runs == 0 && due.total() == 0 {
        return String::new();
    }
    let runs = match counted.runs {
        1 => "1 run".to_owned(),
        several => format!("{several} runs"),
    };
    let mut text = format!("{indent}{period} {runs} ended");
    if let Some(percent) = counted.success_percent {
        let _ = write!(text, ", {percent} % well");
    }
    let _ = write!(
        text,
        "; {} of {} due times started",
        due.started,
        due.total()
    );
    for (count, word) in [
        (due.skipped, "skipped"),
        (due.coalesced, "coalesced"),
        (due.misfired, "misfired"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {word}");
        }
    }
    text.push('\n');
    for (label, durations) in [("took", &counted.duration), ("late", &counted.lateness)] {
        if let Some(words) = in_words(durations) {
            let _ = writeln!(
                text,
                "{indent}{:width$} {label} {words}",
                "",
                width = period.len()
            );
        }
    }
    text
}

fn in_words(durations: &Percentiles) -> Option<String> {
    let shown = |ms: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of years fit")]
        let duration = SignedDuration::from_millis(ms.round() as i64);
        times::duration(duration)
    };
    Some(format!(
        "half within {}, 90 % {}, 99 % {}, at most {}",
        shown(durations.p50_ms?),
        shown(durations.p90_ms?),
        shown(durations.p99_ms?),
        shown(durations.max_ms?)
    ))
}
