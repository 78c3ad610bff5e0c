//! `kill -9` and SIGTERM of the server: a job that runs goes on, and so does what was decided for it.
#![allow(clippy::unwrap_used)]

mod faults;

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use faults::{Place, assert_no_line_twice, let_it_last, lives, signal, wait_for, wait_until_gone};
use rustix::process::Signal;

/// Prints, then waits for the test, then prints the rest and fails in its own way.
const WAITS: &str = "echo $$ > $HERE/pid; echo first
until [ -e $HERE/go ]; do sleep 0.02; done
echo second; echo third >&2; echo over >> $HERE/over; exit 7\n";

#[test]
fn a_job_that_runs_goes_on_and_its_end_is_there_once() {
    let mut place = Place::new();
    place.deploy("waits", "never", "", WAITS);
    let run = place.run("waits");
    let pid = place.wait_for_evidence("pid").trim().parse().unwrap();
    let executor = place.executor();

    place.server.kill();
    assert!(lives(pid));
    // Its end comes while no server lives.
    std::fs::write(place.path("go"), "").unwrap();
    place.wait_for_evidence("over");
    wait_until_gone(pid);
    place.server.restart();

    assert_eq!(place.executor(), executor, "the executor stays");
    let ended = place.ended("waits", &run);
    assert_eq!(ended["outcome"], "failed", "{ended}");
    assert_eq!(ended["exit_code"], 7, "{ended}");
    assert_eq!(ended["attempt"], 1, "{ended}");
    let output = String::from_utf8(place.output(&run)).unwrap();
    let mut lines: Vec<_> = output.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["first", "second", "third"]);
    assert_eq!(place.runs("waits").len(), 1);
    assert_eq!(place.evidence("over"), "over\n");
}

#[test]
fn armed_launches_start_while_no_server_lives_and_none_of_them_twice() {
    let mut place = Place::new();
    let code = "echo $ODIN_DUE_AT >> $HERE/starts\n";
    place.deploy("ticks", "every second", "", code);
    place.wait_for_evidence("starts");
    place.server.kill();
    let before = place.evidence("starts").lines().count();
    // At least two that were decided and had not started.
    wait_for("launches without a server", || {
        (place.evidence("starts").lines().count() >= before + 2).then_some(())
    });
    place.server.restart();
    let last = place.evidence("starts").lines().last().unwrap().to_owned();
    place.server.wait_for("the runs after it", |_| {
        let now = place.evidence("starts");
        (now.lines().filter(|&due| due > last.as_str()).count() >= 2).then_some(())
    });
    place.server.json(["pause", "-i", "ticks"]);
    let runs = place.server.wait_for("the end of all runs", |_| {
        let runs = place.runs("ticks");
        runs.iter()
            .all(|run| run["state"] == "finished")
            .then_some(runs)
    });

    let starts = place.evidence("starts");
    assert_no_line_twice(&starts);
    let mut started: Vec<_> = starts.lines().collect();
    started.sort_unstable();
    let mut listed: Vec<_> = runs
        .iter()
        .filter(|run| run["outcome"] == "succeeded")
        .map(|run| run["due_at"].as_str().unwrap())
        .collect();
    listed.sort_unstable();
    assert_eq!(started, listed, "the files and the history tell the same");
}

#[test]
fn a_timeout_holds_without_a_server() {
    let mut place = Place::new();
    let code =
        "trap '' TERM; sleep 300 & echo $$ $! > $HERE/pids; wait; while :; do sleep 0.05; done\n";
    place.deploy("hangs", "never", "  timeout: 1s\n", code);
    let run = place.run("hangs");
    let pids = place.wait_for_evidence("pids");
    place.server.kill();
    // It ignores TERM: KILL comes after the kill grace of 10 s.
    for pid in pids.split_whitespace() {
        wait_until_gone(pid.parse().unwrap());
    }
    place.server.restart();
    let ended = place.ended("hangs", &run);
    assert_eq!(ended["outcome"], "timed_out", "{ended}");
}

#[test]
fn sigterm_ends_a_server_with_nothing_to_do_and_its_executor() {
    let mut place = Place::new();
    let executor = place.executor();
    let status = place.server.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(!place.server.socket.exists(), "the socket is gone");
    wait_until_gone(executor);
    let list = place.server.odin(["list"]);
    assert_eq!(list.status.code(), Some(3), "{list:?}");
}

#[test]
fn sigterm_leaves_a_busy_executor_to_the_next_server() {
    let mut place = Place::new();
    place.deploy("waits", "never", "", WAITS);
    let run = place.run("waits");
    place.wait_for_evidence("pid");
    let executor = place.executor();

    let status = place.server.terminate();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
    assert!(lives(executor));
    place.server.restart();
    assert_eq!(place.executor(), executor);
    assert_eq!(place.one_run("waits", &run)["state"], "running");
    std::fs::write(place.path("go"), "").unwrap();
    assert_eq!(place.ended("waits", &run)["exit_code"], 7);
}

#[test]
fn a_server_that_was_frozen_beyond_its_lease_comes_back_and_makes_up_for_it() {
    let place = Place::new();
    let code = "echo $ODIN_DUE_AT >> $HERE/starts\n";
    place.deploy("ticks", "every second", "", code);
    place.deploy("waits", "never", "", WAITS);
    let run = place.run("waits");
    place.wait_for_evidence("pid");
    place.wait_for_evidence("starts");

    signal(place.server.pid(), Signal::STOP);
    // Lease and margin are 6 s.
    let_it_last(Duration::from_secs(8));
    signal(place.server.pid(), Signal::CONT);
    let before = place.evidence("starts").lines().count();
    wait_for("what was due meanwhile, and what comes", || {
        (place.evidence("starts").lines().count() >= before + 6).then_some(())
    });
    assert_no_line_twice(&place.evidence("starts"));
    std::fs::write(place.path("go"), "").unwrap();
    assert_eq!(place.ended("waits", &run)["exit_code"], 7);
    assert_eq!(place.evidence("over"), "over\n");
}
