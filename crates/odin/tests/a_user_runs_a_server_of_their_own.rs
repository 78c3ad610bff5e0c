//! A server that is not root's: what works there as on root's, and what is refused. Needs root, to become another user.
#![allow(clippy::unwrap_used)]

mod faults;

use faults::{Place, signal, wait_for, wait_until_gone};
use rustix::process::Signal;

/// `daemon`: every Linux has it, and it may do nothing special.
const DAEMON: u32 = 1;

fn output(place: &Place, run: &str) -> String {
    String::from_utf8(place.output(run)).unwrap()
}

#[test]
fn a_job_is_deployed_and_runs_and_its_server_and_executor_may_die() {
    let mut place = Place::of_user(DAEMON);
    let code = "id -u; ulimit -n; touch $HERE/began; until [ -e $HERE/go ]; do sleep 0.02; done\n";
    place.deploy("mine", "never", "  limits: {open_files: 64}\n", code);
    let run = place.run("mine");
    wait_for("the run's beginning", || {
        place.path("began").exists().then_some(())
    });
    place.server.kill();
    place.server.restart();
    assert_eq!(place.one_run("mine", &run)["state"], "running");
    std::fs::write(place.path("go"), "").unwrap();
    let ended = place.ended("mine", &run);
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(output(&place, &run), "1\n64\n");

    std::fs::remove_file(place.path("go")).unwrap();
    std::fs::remove_file(place.path("began")).unwrap();
    let lost = place.run("mine");
    wait_for("the run's beginning", || {
        place.path("began").exists().then_some(())
    });
    let executor = place.executor();
    signal(executor, Signal::KILL);
    let ended = place.ended("mine", &lost);
    assert_eq!(ended["outcome"], "lost", "{ended}");
}

#[test]
fn a_cancel_ends_the_whole_tree_with_what_left_its_session_and_ignores_term() {
    let place = Place::of_user(DAEMON);
    let code = "trap '' TERM
setsid sh -c 'echo $$ > $HERE/left; while :; do sleep 1; done' &
(echo $BASHPID > $HERE/child; while :; do sleep 1; done) &
echo $$ > $HERE/first
while :; do sleep 1; done\n";
    place.deploy("stubborn", "never", "  kill_grace: 300ms\n", code);
    let run = place.run("stubborn");
    let pids = ["left", "child", "first"].map(|name| {
        let text = place.wait_for_evidence(name);
        text.trim().parse().unwrap()
    });
    place.server.json(["cancel", "-i", &run]);
    let ended = place.ended("stubborn", &run);
    assert_eq!(ended["outcome"], "cancelled", "{ended}");
    for pid in pids {
        wait_until_gone(pid);
    }
}

#[test]
fn a_limit_that_needs_roots_control_groups_is_refused_in_clear_words_or_best_effort() {
    let place = Place::of_user(DAEMON);
    let limits = "  limits: {memory: 64MiB}\n";
    let file = place.write_job("limited", "never", limits, "true\n");
    let refused = place.server.odin(["deploy", "-f", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    for word in ["memory", "best_effort", "Delegate=yes"] {
        assert!(said.contains(word), "{said}");
    }
    let settings = "  limits: {memory: 64MiB, processes: 500, best_effort: true}\n";
    place.deploy("lenient", "never", settings, "ulimit -u\n");
    let run = place.run("lenient");
    assert_eq!(place.ended("lenient", &run)["outcome"], "succeeded");
    assert_eq!(output(&place, &run), "500\n");
}
