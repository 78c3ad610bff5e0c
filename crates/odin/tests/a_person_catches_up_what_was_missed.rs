//! `odin catch-up`, against a real server that was down for a while.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use odin_testbed::Server;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

fn done(server: &Server, arguments: &[&str]) -> String {
    let output = server.odin(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(server: &Server, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(server, &[arguments, &["--json"]].concat())).unwrap()
}

/// The due times of an answer, with what became of each.
fn states(answer: &Value) -> Vec<(String, String)> {
    let occurrences = answer["occurrences"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    occurrences
        .iter()
        .map(|it| (text(&it["due_at"]), text(&it["state"])))
        .collect()
}

#[test]
fn what_a_pause_left_out_is_started_oldest_first_and_never_twice() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
    let file = directory.path().join("ticks.yml");
    let text = "job: {name: ticks, command: 'echo $ODIN_DUE_AT', schedule: every second, concurrency: forbid}\n";
    std::fs::write(&file, text).unwrap();
    done(&server, &["deploy", "-f", file.to_str().unwrap()]);
    let first = server.wait_for("a run of the schedule", |server| {
        let runs = json(server, &["runs", "-i", "ticks"]);
        let runs = runs["runs"].as_array().unwrap().clone();
        let over = runs.iter().find(|run| run["outcome"] == "succeeded")?;
        Some(over["due_at"].as_str().unwrap().to_owned())
    });
    done(&server, &["pause", "-i", "ticks"]);
    // Once ten seconds have passed since the first run, the pause has due times that nobody decided.
    let from: jiff::Timestamp = first.parse().unwrap();
    let to = (from + jiff::SignedDuration::from_secs(10)).to_string();
    let window = ["catch-up", "-i", "ticks", "--from", &first, "--to", &to];
    let dry = [&window[..], &["--dry-run"]].concat();
    let expected = server.wait_for("the end of the window", |server| {
        let answer = json(server, &dry);
        let seen = states(&answer);
        let last = seen.last().is_some_and(|(due, _)| *due == to);
        last.then_some(seen)
    });
    assert!(expected.iter().all(|(_, state)| state == "would_start"));
    assert!(expected.iter().all(|(due, _)| *due != first));

    let answer = json(&server, &[&window[..], &["--limit", "2"]].concat());
    assert_eq!(answer["more"], true);
    let begun = states(&answer);
    let due =
        |states: &[(String, String)]| states.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    assert_eq!(due(&begun), due(&expected[..2]));
    assert_eq!(begun[0].1, "started");
    json(&server, &window);
    let runs = server.wait_for("the end of all that was asked for", |server| {
        let again = states(&json(server, &window));
        let whole = again.iter().all(|(_, state)| state == "has_run");
        let runs = json(server, &["runs", "-i", "ticks", "--limit", "100"]);
        let runs = runs["runs"].as_array().unwrap().clone();
        let over = runs.iter().all(|run| run["state"] == "finished");
        (whole && over).then_some(runs)
    });
    let mut caught_up: Vec<_> = runs
        .iter()
        .filter(|run| run["cause"] == "catch_up")
        .map(|run| run["due_at"].as_str().unwrap().to_owned())
        .collect();
    caught_up.reverse();
    assert_eq!(caught_up, due(&expected), "each once, oldest first");
    // The run knows for which time it is.
    let log = done(&server, &["log", "-i", runs[0]["id"].as_str().unwrap()]);
    assert!(
        log.ends_with(&format!("{}\n", expected.last().unwrap().0)),
        "{log}"
    );
    let refused = server.odin(["catch-up", "-i", "ticks", "--from", &to, "--to", &first]);
    assert_eq!(refused.status.code(), Some(2));
}
