//! Two runs side by side, in text.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_wire::{Run, Value};

use super::Comparison;
use super::facts::{Measure, Unit};
use super::values::ValuePair;
use crate::commands::describe_run::size;
use crate::commands::diff;
use crate::run_reason;
use crate::table::{Cell, Column, render};
use crate::terminal::visible;
use crate::times;

/// How many lines of the output's difference are shown.
const LINES_MAX: usize = 200;

pub(super) fn text(comparison: &Comparison, zone: &TimeZone, width: Option<usize>) -> String {
    let Comparison {
        before,
        after,
        measures,
        values,
        version,
        output,
    } = comparison;
    let columns = [
        Column::flexible(" ", 8),
        Column::flexible(before.id.to_string(), 10),
        Column::flexible(after.id.to_string(), 10),
        Column::flexible("DIFFERENCE", 10),
    ];
    let mut rows = told(before, after, zone);
    rows.extend(measures.iter().map(measure_row));
    rows.extend(values.iter().map(|pair| value_row(pair, values)));
    let mut text = render(&columns, &rows, width);
    if let Some(version) = version {
        let _ = write!(text, "\n{}", diff::text(version));
    } else if before.job == after.job && before.version != after.version {
        let _ = write!(
            text,
            "\nWhat differs between version {} and version {} is no longer kept.\n",
            before.version, after.version
        );
    }
    text.push('\n');
    let compared = match output.is_cut {
        true => " (only the beginning of it was compared)",
        false => "",
    };
    if output.diff.is_empty() {
        let same = match output.is_same {
            true => "Both printed the same",
            false => "What they printed differs only in bytes that are no text",
        };
        let _ = writeln!(text, "{same}{compared}.");
        return text;
    }
    let _ = writeln!(text, "What they printed differs{compared}:");
    let lines = output.diff.lines().count();
    for line in output.diff.lines().take(LINES_MAX) {
        let _ = writeln!(text, "  {}", visible(line));
    }
    if let Some(more @ 1..) = lines.checked_sub(LINES_MAX) {
        let _ = writeln!(text, "  … {more} more lines; --json has all of them");
    }
    text
}

fn row(name: &str, before: impl Into<Cell>, after: impl Into<Cell>, differs: &str) -> Vec<Cell> {
    vec![name.into(), before.into(), after.into(), differs.into()]
}

/// What is told in words: shown where both runs have something of it to say, and marked where it differs.
fn told(before: &Run, after: &Run, zone: &TimeZone) -> Vec<Vec<Cell>> {
    let instant = |at: Option<Timestamp>| at.map(|at| times::in_zone(at, zone));
    let of = |run: &Run| {
        [
            (
                "job",
                (before.job != after.job).then(|| format!("{} ({})", run.job_name, run.job)),
            ),
            ("state", Some(run.state.word().to_owned())),
            ("outcome", run.outcome.map(|it| it.word().to_owned())),
            ("because", run_reason::of_run(run)),
            ("cause", Some(run.cause.word().replace('_', "-"))),
            ("due", instant(run.due_at)),
            ("started", instant(run.started_at)),
            ("node", run.node.clone()),
            ("version", Some(run.version.to_string())),
        ]
    };
    let rows = of(before).into_iter().zip(of(after));
    rows.filter(|((_, old), (_, new))| old.is_some() || new.is_some())
        .map(|((name, old), (_, new))| {
            // Instants always differ.
            let is_marked = old != new && !matches!(name, "job" | "due" | "started");
            let shown = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
            row(
                name,
                shown(old),
                shown(new),
                if is_marked { "differs" } else { "" },
            )
        })
        .collect()
}

fn measure_row(measure: &Measure) -> Vec<Cell> {
    let amount = |number: i64| match measure.unit {
        Unit::Milliseconds => times::duration(SignedDuration::from_millis(number)),
        Unit::Bytes => size(number.unsigned_abs()),
        Unit::Count => number.to_string(),
    };
    let shown = |side: Option<i64>| side.map_or_else(|| "-".to_owned(), amount);
    let difference = measure.difference.filter(|it| *it != 0).map(|it| {
        let sign = if it < 0 { "-" } else { "+" };
        format!("{sign}{}", amount(it.saturating_abs()))
    });
    row(
        measure.name,
        shown(measure.before),
        shown(measure.after),
        &with_per_cent(difference, measure.per_cent),
    )
}

fn with_per_cent(difference: Option<String>, per_cent: Option<f64>) -> String {
    match (difference, per_cent) {
        (None, _) => String::new(),
        (Some(difference), Some(per_cent)) => format!("{difference} ({per_cent:+} %)"),
        (Some(difference), None) => difference,
    }
}

fn value_row(pair: &ValuePair, all: &[ValuePair]) -> Vec<Cell> {
    let namesakes = all.iter().filter(|other| other.name == pair.name).count();
    let name = match namesakes {
        _ if pair.kind == odin_wire::ValueKind::Result => pair.kind.word().to_owned(),
        1 => pair.name.clone(),
        _ => format!("{} ({})", pair.name, pair.kind.word()),
    };
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), in_words);
    let difference = match (&pair.difference, pair.is_same) {
        // Of one status, and they say different things.
        (Some(difference), false)
            if difference == "0" && pair.kind == odin_wire::ValueKind::Result =>
        {
            "differs".to_owned()
        }
        (Some(difference), _) if difference == "0" => String::new(),
        (Some(difference), _) => {
            let sign = if difference.starts_with('-') { "" } else { "+" };
            with_per_cent(Some(format!("{sign}{difference}")), pair.per_cent)
        }
        (None, true) => String::new(),
        (None, false) => "differs".to_owned(),
    };
    row(&name, shown(&pair.before), shown(&pair.after), &difference)
}

/// A value with its unit or its status; a result in its own words.
fn in_words(value: &Value) -> String {
    let text = value.text();
    if value.kind == odin_wire::ValueKind::Result {
        let status = value.status.as_ref().unwrap_or(&text);
        return format!("{} (status {status})", value.name);
    }
    match (&value.unit, &value.status) {
        (Some(unit), _) => format!("{text} {unit}"),
        (None, Some(status)) => format!("{text} (status {status})"),
        (None, None) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::compare::output::OutputDifference;
    use crate::commands::compare::{facts, values};
    use crate::commands::diff::Difference;
    use crate::commands::samples;
    use crate::file_diff;
    use crate::settings_diff::SettingChange;
    use expect_test::{Expect, expect};
    use odin_model::{AttemptNumber, ValueData, ValueKind};
    use odin_wire::{Cause, Outcome};

    fn reported(run: &Run, values: Vec<(&str, ValueKind, ValueData)>) -> Vec<Value> {
        let value = |(name, kind, data): (&str, ValueKind, ValueData)| {
            let value = odin_model::Value {
                at: "2026-11-21T15:00:01Z".parse().unwrap(),
                kind,
                name: name.to_owned(),
                data,
                status: None,
                unit: (kind == ValueKind::Metric).then(|| "rows".to_owned()),
                flaw: None,
            };
            Value::new(run.id, AttemptNumber::FIRST, 0, &value)
        };
        values.into_iter().map(value).collect()
    }

    fn two_runs() -> (Run, Run) {
        let before = samples::run();
        let after = Run {
            id: "r0000000040000".parse().unwrap(),
            version: 3,
            cause: Cause::Manual,
            due_at: None,
            outcome: Some(Outcome::Failed),
            exit_code: Some(75),
            reason: Some("exit code 75".into()),
            finished_at: Some("2026-11-21T15:01:30.002Z".parse().unwrap()),
            cpu_user_ms: 10,
            memory_max_bytes: None,
            ..samples::run()
        };
        (before, after)
    }

    fn compared() -> Comparison {
        let (before, after) = two_runs();
        let number = |text: &str| ValueData::Number(text.to_owned());
        let text = |text: &str| ValueData::Text(text.to_owned());
        let (yes, no) = (ValueData::Boolean(true), ValueData::Boolean(false));
        let url = text("https://a.example\u{1b}[2J");
        let old = vec![
            ("7 rows", ValueKind::Result, number("200")),
            ("has rows", ValueKind::Condition, yes),
            ("price", ValueKind::Metric, number("100.1")),
            ("price", ValueKind::Watch, number("1")),
            ("url", ValueKind::Watch, url.clone()),
        ];
        let new = vec![
            ("8 rows", ValueKind::Result, number("200")),
            ("has rows", ValueKind::Condition, no),
            ("new", ValueKind::Watch, number("7")),
            ("price", ValueKind::Metric, number("101.5")),
            ("price", ValueKind::Watch, number("1")),
            ("url", ValueKind::Watch, url),
        ];
        Comparison {
            measures: facts::measures(&before, &after),
            values: values::pairs(reported(&before, old), reported(&after, new)),
            version: Some(Difference {
                job: after.job,
                name: after.job_name.clone(),
                from: Some(2),
                to: Some(3),
                settings: vec![SettingChange {
                    name: "timeout".into(),
                    before: Some("1m30s".into()),
                    after: Some("5m".into()),
                }],
                files: Vec::new(),
            }),
            output: OutputDifference {
                is_same: false,
                diff: file_diff::lines("same\nold\n", "same\nnew \u{1b}[2J\n"),
                is_cut: false,
            },
            before,
            after,
        }
    }

    fn check(comparison: &Comparison, width: Option<usize>, expected: &Expect) {
        expected.assert_eq(&text(comparison, &times::zone("Europe/Dublin"), width));
    }

    #[test]
    fn two_runs_stand_side_by_side_with_what_differs() {
        check(
            &compared(),
            None,
            &expect![[r#"
                                r0000000030000               r0000000040000               DIFFERENCE
                state           finished                     finished
                outcome         succeeded                    failed                       differs
                because         -                            exit status 75               differs
                cause           schedule                     manual                       differs
                due             2026-11-21 15:00:00 GMT      -
                started         2026-11-21 15:00:00.002 GMT  2026-11-21 15:00:00.002 GMT
                node            master-node                  master-node
                version         2                            3                            differs
                late by         2 ms                         4.0 s                        +4.0 s (+200000 %)
                took            1.3 s                        1 min 30 s                   +1 min 28 s (+6616.4 %)
                processor       20 ms                        10 ms                        -10 ms (-50 %)
                in the kernel   5 ms                         5 ms
                memory          9.0 MiB                      -
                stdout          12 B                         12 B
                stderr          0 B                          0 B
                attempts        1                            1
                result          7 rows (status 200)          8 rows (status 200)          differs
                has rows        true                         false                        differs
                new             -                            7                            differs
                price (metric)  100.1 rows                   101.5 rows                   +1.4 (+1.4 %)
                price (watch)   1                            1
                url             https://a.example\u{1b}[2J   https://a.example\u{1b}[2J

                check_stocks (a37b187f5930): version 2 → version 3
                  timeout: 1m30s → 5m

                What they printed differs:
                  @@ -1,2 +1,2 @@
                   same
                  -old
                  +new \u{1b}[2J
            "#]],
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_texts_and_no_row() {
        let mut comparison = compared();
        comparison.version = None;
        comparison.output.is_cut = true;
        check(
            &comparison,
            Some(72),
            &expect![[r#"
                               r0000000030000      r0000000040000     DIFFERENCE
                state          finished            finished
                outcome        succeeded           failed             differs
                because        -                   exit status 75     differs
                cause          schedule            manual             differs
                due            2026-11-21 15:00:0… -
                started        2026-11-21 15:00:0… 2026-11-21 15:00:…
                node           master-node         master-node
                version        2                   3                  differs
                late by        2 ms                4.0 s              +4.0 s (+200000 %)
                took           1.3 s               1 min 30 s         +1 min 28 s (+661…
                processor      20 ms               10 ms              -10 ms (-50 %)
                in the kernel  5 ms                5 ms
                memory         9.0 MiB             -
                stdout         12 B                12 B
                stderr         0 B                 0 B
                attempts       1                   1
                result         7 rows (status 200) 8 rows (status 20… differs
                has rows       true                false              differs
                new            -                   7                  differs
                price (metric) 100.1 rows          101.5 rows         +1.4 (+1.4 %)
                price (watch)  1                   1
                url            https://a.example\… https://a.example…

                What differs between version 2 and version 3 is no longer kept.

                What they printed differs (only the beginning of it was compared):
                  @@ -1,2 +1,2 @@
                   same
                  -old
                  +new \u{1b}[2J
            "#]],
        );
    }

    #[test]
    fn runs_of_two_jobs_are_named_and_a_run_that_goes_on_has_no_duration() {
        let (before, after) = two_runs();
        let after = Run {
            job: "f0aedde327f3".parse().unwrap(),
            job_name: "mail".into(),
            state: odin_wire::RunState::Running,
            outcome: None,
            reason: None,
            exit_code: None,
            finished_at: None,
            ..after
        };
        let comparison = Comparison {
            measures: facts::measures(&before, &after),
            values: Vec::new(),
            version: None,
            output: OutputDifference {
                is_same: true,
                diff: String::new(),
                is_cut: false,
            },
            before,
            after,
        };
        check(
            &comparison,
            None,
            &expect![[r#"
                           r0000000030000               r0000000040000               DIFFERENCE
            job            check_stocks (a37b187f5930)  mail (f0aedde327f3)
            state          finished                     running                      differs
            outcome        succeeded                    -                            differs
            cause          schedule                     manual                       differs
            due            2026-11-21 15:00:00 GMT      -
            started        2026-11-21 15:00:00.002 GMT  2026-11-21 15:00:00.002 GMT
            node           master-node                  master-node
            version        2                            3                            differs
            late by        2 ms                         4.0 s                        +4.0 s (+200000 %)
            took           1.3 s                        -
            processor      20 ms                        -
            in the kernel  5 ms                         -
            memory         9.0 MiB                      -
            stdout         12 B                         -
            stderr         0 B                          -
            attempts       1                            1

            Both printed the same.
        "#]],
        );
    }

    #[test]
    fn a_long_difference_of_output_is_told_in_part() {
        let lines = |word: &str| {
            (0..300)
                .map(|n| format!("{word} {n}\n"))
                .collect::<String>()
        };
        let mut comparison = compared();
        comparison.output.diff = file_diff::lines(&lines("old"), &lines("new"));
        let text = text(&comparison, &TimeZone::UTC, None);
        assert!(
            text.ends_with("  … 401 more lines; --json has all of them\n"),
            "{text}"
        );
    }
}
