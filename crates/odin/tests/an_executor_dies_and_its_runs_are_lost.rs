//! `kill -9` of the executor: what ran is `lost`, said so, and not run again.
#![allow(clippy::unwrap_used)]

mod faults;

use std::time::Duration;

use faults::{Place, assert_no_line_twice, let_it_last, signal, wait_for, wait_until_gone};
use rustix::process::Signal;

const WAITS: &str = "echo $$ >> $HERE/pids
until [ -e $HERE/go ]; do sleep 0.02; done; echo over >> $HERE/over\n";

#[test]
fn its_runs_are_lost_with_a_reason_and_the_next_executor_takes_over() {
    let place = Place::new();
    place.deploy("waits", "never", "", WAITS);
    place.deploy(
        "ticks",
        "every second",
        "",
        "echo $ODIN_DUE_AT >> $HERE/starts\n",
    );
    let run = place.run("waits");
    let pid = place.wait_for_evidence("pids").trim().parse().unwrap();
    let executor = place.executor();

    signal(executor, Signal::KILL);
    let ended = place.ended("waits", &run);
    assert_eq!(ended["outcome"], "lost", "{ended}");
    assert!(
        ended["reason"].as_str().unwrap().contains("executor"),
        "{ended}"
    );
    // Its pipes are gone: the next executor ends it.
    wait_until_gone(pid);
    assert_ne!(place.executor(), executor);

    let starts = place.evidence("starts").lines().count();
    wait_for("further occurrences", || {
        (place.evidence("starts").lines().count() >= starts + 2).then_some(())
    });
    assert_no_line_twice(&place.evidence("starts"));
    // The same job runs again when it is asked to, and not before.
    assert_eq!(place.evidence("pids").lines().count(), 1);
    std::fs::write(place.path("go"), "").unwrap();
    let again = place.run("waits");
    assert_eq!(place.ended("waits", &again)["outcome"], "succeeded");
    assert_eq!(place.evidence("over"), "over\n");
}

#[test]
fn server_and_executor_that_die_together_lose_only_what_ran() {
    let mut place = Place::new();
    place.deploy("waits", "never", "", WAITS);
    place.deploy("quick", "never", "", "echo kept\n");
    let quick = place.run("quick");
    place.ended("quick", &quick);
    let run = place.run("waits");
    let pid = place.wait_for_evidence("pids").trim().parse().unwrap();

    let executor = place.executor();
    place.server.kill();
    signal(executor, Signal::KILL);
    wait_until_gone(executor);
    place.server.restart();

    let ended = place.ended("waits", &run);
    assert_eq!(ended["outcome"], "lost", "{ended}");
    wait_until_gone(pid);
    assert_eq!(place.output(&quick), b"kept\n");
    assert_eq!(place.evidence("pids").lines().count(), 1);
}

#[test]
fn a_frozen_executor_starts_what_was_due_when_it_goes_on_and_nothing_twice() {
    let place = Place::new();
    place.deploy(
        "ticks",
        "every second",
        "",
        "echo $ODIN_DUE_AT >> $HERE/starts\n",
    );
    place.wait_for_evidence("starts");
    let executor = place.executor();
    signal(executor, Signal::STOP);
    // Beyond its lease, of 5 s.
    let_it_last(Duration::from_secs(7));
    signal(executor, Signal::CONT);
    let before = place.evidence("starts").lines().count();
    wait_for("what was due meanwhile, and what comes", || {
        (place.evidence("starts").lines().count() >= before + 8).then_some(())
    });
    place.server.json(["pause", "-i", "ticks"]);
    let starts = place.evidence("starts");
    assert_no_line_twice(&starts);
    assert_eq!(place.executor(), executor);
    let lost = |run: &&serde_json::Value| run["outcome"] == "lost";
    assert_eq!(place.runs("ticks").iter().filter(lost).count(), 0);
}
