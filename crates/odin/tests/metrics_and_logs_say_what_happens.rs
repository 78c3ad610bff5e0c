//! A server that ran jobs, seen through `/metrics` and through its log.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "promtool is a process")]

mod faults;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use faults::{ODIN, Place, get, text};
use odin_testbed::{Server, sealed};
use serde_json::Value;

/// Each family's type and labels, `le` aside.
fn families(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((sample, _)) = line.split_once('{') {
            let labels = &line[line.find('{').unwrap() + 1..line.rfind('}').unwrap()];
            let names = labels.split(',').filter_map(|label| label.split_once('='));
            let names: Vec<_> = names
                .map(|(name, _)| name.to_owned())
                .filter(|it| it != "le")
                .collect();
            let family = families
                .iter_mut()
                .filter(|(name, _)| sample.starts_with(name.as_str()))
                .max_by_key(|(name, _)| name.len());
            family
                .unwrap_or_else(|| panic!("{line} has no type"))
                .1
                .1
                .extend(names);
        }
    }
    families
}

/// What Prometheus' own linter says of the older text: nothing.
fn accepted_by_promtool(text: &str) {
    let mut promtool = Command::new("/usr/bin/promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: apt-get install prometheus");
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let said = promtool.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success() && words.is_empty(), "{words}\n{text}");
}

/// How the guide's rules about the disk behave, minute by minute.
const DISK_RULES: &str = "\
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  # A first backup, or whatever else a new server writes in its first hour: no trend yet.
  - interval: 1m
    input_series:
      - {series: 'odin_disk_free_bytes{job=\"odin\"}', values: '100000000000-200000000x60'}
    alert_rule_test:
      - {eval_time: 20m, alertname: OdinDiskFills, exp_alerts: []}
      - {eval_time: 59m, alertname: OdinDiskFills, exp_alerts: []}
  # Full in a day, hour after hour.
  - interval: 1m
    input_series:
      - {series: 'odin_disk_free_bytes{job=\"odin\"}', values: '100000000000-70000000x400'}
    alert_rule_test:
      - {eval_time: 179m, alertname: OdinDiskFills, exp_alerts: []}
      - {eval_time: 215m, alertname: OdinDiskFills, exp_alerts: [{exp_labels: {job: odin}}]}
  # Full now.
  - interval: 1m
    input_series:
      - {series: 'odin_disk_free_bytes{job=\"odin\"}', values: '900000000+0x20'}
    alert_rule_test:
      - {eval_time: 4m, alertname: OdinDiskLow, exp_alerts: []}
      - {eval_time: 6m, alertname: OdinDiskLow, exp_alerts: [{exp_labels: {job: odin}}]}
";

#[test]
fn the_guides_alert_rules_are_right_and_wait_for_enough_data() {
    let guide = include_str!("../../../docs/guides/monitoring.md");
    let (_, rules) = guide.split_once("```yaml\ngroups:").unwrap();
    let (rules, _) = rules.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yml"), format!("groups:{rules}")).unwrap();
    std::fs::write(folder.path().join("test.yml"), DISK_RULES).unwrap();
    for arguments in [
        ["check", "rules", "rules.yml"],
        ["test", "rules", "test.yml"],
    ] {
        let done = Command::new("/usr/bin/promtool")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("promtool is installed: apt-get install prometheus");
        assert!(done.status.success(), "{done:?}");
    }
}

/// The page's table: names with type and labels.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let page = include_str!("../../../docs/reference/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        // The words in code before a colon or a comma; those after a colon are a label's values.
        let labels = cells[3]
            .split('`')
            .enumerate()
            .filter(|(place, _)| place % 2 == 1);
        let mut seen_colon = false;
        let mut names = BTreeSet::new();
        for (place, word) in labels {
            if !seen_colon {
                names.insert(word.to_owned());
            }
            let after = cells[3].split('`').nth(place + 1).unwrap_or_default();
            seen_colon = match after.trim_start().chars().next() {
                Some(':') => true,
                _ if after.contains(';') => false,
                _ => seen_colon,
            };
        }
        (
            cells[1].trim_matches('`').to_owned(),
            (cells[2].to_owned(), names),
        )
    })
    .collect()
}

#[test]
fn every_metric_is_on_the_page_and_has_what_happened() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Server::try_start(Path::new(ODIN), &data, &[]).unwrap();
    let place = Place { server, directory };
    place.deploy("good", "never", "", "true\n");
    place.deploy("bad", "never", "", "exit 3\n");
    place.deploy("ticks", "every second", "", "true\n");
    let nowhere = place.path("nowhere/odin.jsonl");
    let set = [
        "sink",
        "set",
        "archive",
        "--file",
        nowhere.to_str().unwrap(),
    ];
    place.server.json(set);
    for job in ["good", "good", "bad"] {
        let run = place.run(job);
        place.ended(job, &run);
    }
    place.server.wait_for("a tick", |server| {
        let runs = server.json(["runs", "-i", "ticks"]);
        let mut runs = runs["runs"].as_array().unwrap().iter();
        runs.any(|run| run["outcome"] == "succeeded").then_some(())
    });
    let file = place.directory.path().join("b.tar.zst");
    place.server.json([Path::new("backup"), &file]);

    let http = place.server.http.clone();
    let (head, _) = get(&http, "/metrics", "");
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    let token = place.authorization();
    let (head, body) = get(&http, "/metrics", &token);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.to_ascii_lowercase()
            .contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let seen = text(&body);
    for sample in [
        "odin_runs_finished_total{outcome=\"failed\"} 1",
        "odin_runs_created_total{cause=\"manual\"} 3",
        "odin_run_duration_seconds_count{outcome=\"failed\"} 1",
        "odin_backups_total{result=\"sent\"} 1",
        "odin_jobs 3",
        "odin_leader 1",
        "odin_executors_connected 1",
        "odin_open_runs{state=\"unreachable\"} 0",
    ] {
        assert!(
            seen.lines().any(|line| line == sample),
            "{sample} is not in {seen}"
        );
    }
    assert!(
        seen.contains("odin_occurrences_decided_total{outcome=\"started\"}"),
        "{seen}"
    );
    accepted_by_promtool(&seen);
    let (mut seen, documented) = (families(&seen), documented());
    // An info is a gauge in the older text.
    let build = seen.get_mut("odin_build_info").unwrap();
    assert_eq!(std::mem::replace(&mut build.0, "info".to_owned()), "gauge");
    assert_eq!(seen, documented);
    let (head, body) = get(
        &http,
        "/metrics",
        &format!("{token}Accept: application/openmetrics-text\r\n"),
    );
    assert!(head.contains("application/openmetrics-text"), "{head}");
    assert!(text(&body).contains("# EOF"));
}

#[test]
fn open_metrics_need_no_token_and_nothing_else_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Server::try_start(Path::new(ODIN), &data, &["--metrics-open"]).unwrap();
    let (head, body) = get(&server.http, "/metrics", "");
    assert!(
        head.starts_with("HTTP/1.1 200") && body.contains("odin_ready"),
        "{head}"
    );
    let (head, _) = get(&server.http, "/api/v1/jobs", "");
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
}

#[test]
fn every_line_of_a_json_log_about_a_run_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let arguments = ["--log-format", "json", "--log-level", "debug"];
    let server = Server::try_start(Path::new(ODIN), &data, &arguments).unwrap();
    let mut place = Place { server, directory };
    place.deploy("bad", "never", "", "exit 3\n");
    let run = place.run("bad");
    let job = place.ended("bad", &run)["job"].as_str().unwrap().to_owned();
    place.server.terminate();
    let mut about_it = Vec::new();
    for line in place.evidence("data.stderr").lines() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let at: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(at.as_second() > 0);
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG"].contains(&line["level"].as_str().unwrap()),
            "{line}"
        );
        assert!(line["fields"]["message"].is_string(), "{line}");
        if line["fields"]["run"] == run {
            assert_eq!(line["fields"]["job"], job, "{line}");
            about_it.push(line["fields"]["message"].as_str().unwrap().to_owned());
            if line["fields"]["message"] == "a run is over" {
                assert_eq!(line["fields"]["outcome"], "failed", "{line}");
                assert_eq!(line["level"], "INFO", "{line}");
            }
        }
    }
    assert!(
        about_it.contains(&"a run is over".to_owned()),
        "{about_it:?}"
    );
}

#[test]
fn a_filter_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let output = sealed(Path::new(ODIN))
        .args(["server", "--data-dir"])
        .arg(directory.path().join("data"))
        .args(["--http", ":0"])
        .env("ODIN_LOG", "info,=what=")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("server/bad-log-filter"));
}
