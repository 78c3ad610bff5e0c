//! A server that was off for a while: each due time of that while has its one outcome, by the job's `missed`.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "a downtime is wall time that passes: the test waits for the clock, as a person would"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use odin_testbed::Server;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// The launches of the next 4 s are decided when a server stops; what comes later is missed.
const DOWN_FOR: SignedDuration = SignedDuration::from_secs(9);

fn wait_until(instant: Timestamp) {
    while Timestamp::now() < instant {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Outcome and reason of a due time. `None`: it is not decided yet.
fn answer(server: &Server, job: &str, due_at: Timestamp) -> Option<(String, String)> {
    let output = server.odin(["why", job, &due_at.to_string(), "--json"]);
    if !output.status.success() {
        return None;
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    Some((text("outcome"), text("reason")))
}

#[test]
fn skip_misfires_once_coalesces_and_all_starts_what_was_missed() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(Path::new(ODIN), &directory.path().join("data"));
    let policies = ["skip", "once", "all"];
    for missed in policies {
        let file = directory.path().join(missed).with_extension("yml");
        let job = format!(
            "job: {{name: {missed}, command: 'true', schedule: every second, grace: 1s, missed: {missed}}}\n"
        );
        std::fs::write(&file, job).unwrap();
        server.json([Path::new("deploy"), Path::new("-f"), &file]);
    }
    let whole = |instant: Timestamp| instant.round(Unit::Second).unwrap();
    let first = whole(Timestamp::now()) + SignedDuration::from_secs(2);
    for job in policies {
        server.wait_for("a run before the downtime", |server| {
            answer(server, job, first)
        });
    }
    server.terminate();
    let stopped = Timestamp::now();
    wait_until(stopped + DOWN_FOR);
    server.restart();
    let last = whole(Timestamp::now()) + SignedDuration::from_secs(1);

    for job in policies {
        server.wait_for("a run after the downtime", |server| {
            answer(server, job, last)
        });
        let seconds =
            std::iter::successors(Some(first), |at| Some(*at + SignedDuration::from_secs(1)));
        let mut missed = Vec::new();
        for due_at in seconds.take_while(|at| *at <= last) {
            let found = answer(&server, job, due_at);
            let (outcome, reason) = found.unwrap_or_else(|| panic!("{job}: nothing of {due_at}"));
            if reason != "on time" {
                missed.push((outcome, reason));
            }
        }
        let late = |(outcome, _): &&(String, String)| outcome == "started";
        let started = missed.iter().filter(late).count();
        let others: BTreeSet<&str> = missed
            .iter()
            .map(|(outcome, _)| outcome.as_str())
            .filter(|outcome| *outcome != "started")
            .collect();
        let others: Vec<&str> = others.into_iter().collect();
        match job {
            "skip" => assert_eq!((started, others), (0, vec!["misfired"]), "{missed:?}"),
            // One start for each range that was missed: a slow machine may miss a second one.
            "once" => {
                assert_eq!(others, ["coalesced"], "{missed:?}");
                assert!((1..missed.len()).contains(&started), "{missed:?}");
            }
            _ => assert_eq!((started, others), (missed.len(), vec![]), "{missed:?}"),
        }
        assert!(missed.len() >= 2, "{job}: {missed:?}");
    }
}
