//! Families as text.

use std::fmt::Write;

use crate::{Family, Kind, Label};

/// OpenMetrics 1.0.
#[must_use]
pub fn openmetrics(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        describe(&mut text, family.name, family.kind.word(), family.help);
        write_samples(&mut text, family);
    }
    text.push_str("# EOF\n");
    text
}

/// Prometheus' older text, version 0.0.4: there, the family of a counter or an info has the name of its sample, an info is
/// a gauge, and nothing marks the end.
#[must_use]
pub fn plain(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let (ending, word) = match family.kind {
            kind @ (Kind::Counter | Kind::LastingCounter) => ("_total", kind.word()),
            Kind::Info => ("_info", Kind::Gauge.word()),
            kind @ (Kind::Gauge | Kind::Histogram) => ("", kind.word()),
        };
        let name = format!("{}{ending}", family.name);
        describe(&mut text, &name, word, family.help);
        write_samples(&mut text, family);
    }
    text
}

fn describe(text: &mut String, name: &str, word: &str, help: &str) {
    text.extend(["# HELP ", name, " "]);
    escape(text, help, false);
    text.extend(["\n# TYPE ", name, " ", word, "\n"]);
}

fn write_samples(text: &mut String, family: &Family) {
    for sample in family.samples() {
        text.push_str(&sample.name);
        write_labels(text, &sample.labels);
        let _ = writeln!(text, " {}", sample.value);
    }
}

fn write_labels(text: &mut String, labels: &[Label]) {
    let mut opening = '{';
    for (name, value) in labels {
        text.push(opening);
        text.extend([name, "=\""]);
        escape(text, value, true);
        text.push('"');
        opening = ',';
    }
    if !labels.is_empty() {
        text.push('}');
    }
}

/// The older text knows no `\"` in a help.
fn escape(text: &mut String, of: &str, is_quoted: bool) {
    for c in of.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if is_quoted => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{Counters, Histograms, Number};

    fn families() -> Vec<Family> {
        let runs = Counters::new("runs", "Runs", ["outcome"]);
        runs.add(["failed"], 7);
        let took = Histograms::new("took_seconds", "Time", ["kind"], &[0.5, 10.0]);
        took.observe(["a"], 0.25);
        took.observe(["a"], 20.0);
        let odd = vec![("node", "a \"b\\c\"\nd".to_owned())];
        vec![
            runs.family(),
            Family::info("build", "Build", odd),
            Family::gauge("age_seconds", "Age", Number::Fraction(0.0)),
            took.family(),
        ]
    }

    #[test]
    fn openmetrics_names_a_family_without_its_endings() {
        expect![[r#"
            # HELP runs Runs
            # TYPE runs counter
            runs_total{outcome="failed"} 7
            # HELP build Build
            # TYPE build info
            build_info{node="a \"b\\c\"\nd"} 1
            # HELP age_seconds Age
            # TYPE age_seconds gauge
            age_seconds 0.0
            # HELP took_seconds Time
            # TYPE took_seconds histogram
            took_seconds_bucket{kind="a",le="0.5"} 1
            took_seconds_bucket{kind="a",le="10.0"} 1
            took_seconds_bucket{kind="a",le="+Inf"} 2
            took_seconds_sum{kind="a"} 20.25
            took_seconds_count{kind="a"} 2
            # EOF
        "#]]
        .assert_eq(&openmetrics(&families()));
    }

    #[test]
    fn the_older_text_names_counters_and_infos_by_their_samples() {
        expect![[r#"
            # HELP runs_total Runs
            # TYPE runs_total counter
            runs_total{outcome="failed"} 7
            # HELP build_info Build
            # TYPE build_info gauge
            build_info{node="a \"b\\c\"\nd"} 1
        "#]]
        .assert_eq(&plain(&families()[..2]));
    }
}
