//! When a run is over, nothing of it is left, wherever it hid.

use std::time::Duration;

use odin_executor::protocol::CancelScope;
use odin_model::attempt::Ending;

use crate::executor::{Executor, is_alive};

/// Runs `line`, which leaves behind processes whose pids it writes to `pids`, and expects them gone.
fn check(line: &str) {
    let mut executor = Executor::start();
    let mut launch = executor.shell(line);
    launch.kill_grace = Duration::from_millis(300);
    assert_eq!(
        executor.run(launch).ending,
        Ending::Exited { code: 0 },
        "{line}"
    );
    let pids = std::fs::read_to_string(executor.directory().join("pids")).unwrap();
    assert!(pids.lines().count() > 0);
    for pid in pids.lines() {
        assert!(!is_alive(pid), "{pid} of `{line}` is alive");
    }
}

#[test]
fn a_child_in_the_background_is_ended() {
    check("sleep 1000 >/dev/null 2>&1 & echo $! > pids");
}

#[test]
fn a_child_that_holds_the_output_is_ended() {
    check("sleep 1000 & echo $! > pids");
}

#[test]
fn a_child_that_ignores_term_is_ended() {
    check("(trap '' TERM; while :; do sleep 1; done) >/dev/null 2>&1 & echo $! > pids");
}

#[test]
fn a_child_that_left_the_session_is_ended() {
    check(
        "setsid sh -c 'echo $$ > pids; sleep 1000' >/dev/null 2>&1 & while [ ! -s pids ]; do sleep 0.01; done",
    );
}

#[test]
fn a_child_that_left_the_session_and_hides_its_environment_is_ended() {
    check(
        "env -i setsid sh -c 'echo $$ > pids; sleep 1000' >/dev/null 2>&1 & while [ ! -s pids ]; do sleep 0.01; done",
    );
}

#[test]
fn a_daemon_with_children_of_its_own_is_ended() {
    check(
        "setsid sh -c 'setsid sh -c \"echo \\$\\$ >> pids; sleep 1000\" & echo $$ >> pids; sleep 1000' \
         >/dev/null 2>&1 & while [ \"$(cat pids 2>/dev/null | wc -l)\" -lt 2 ]; do sleep 0.01; done",
    );
}

#[test]
fn a_stopped_child_is_ended() {
    check("sleep 1000 >/dev/null 2>&1 & kill -STOP $!; echo $! > pids");
}

#[test]
fn a_process_that_forks_and_ends_over_and_over_is_caught() {
    // Each of them lives for a moment, in a session of its own, and ignores what it can. It comes to an end by itself, for
    // the case that whoever runs the test ends it halfway.
    let comet = "import os, signal, time\n\
        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
        end = time.monotonic() + 120\n\
        while time.monotonic() < end:\n    if os.fork(): os._exit(0)\n    os.setsid()\n";
    let mut executor = Executor::start();
    executor.use_runs_of_its_own();
    for line in [
        "exec python3 comet.py",
        "env -i python3 comet.py & env -i python3 comet.py & wait",
    ] {
        std::fs::write(executor.directory().join("comet.py"), comet).unwrap();
        let mut launch = executor.shell(line);
        launch.kill_grace = Duration::from_millis(200);
        assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
        let directory = executor.directory();
        let left = crate::executor::processes_in(&directory);
        assert_eq!(left, Vec::<u32>::new(), "{line}");
    }
}

#[test]
fn many_processes_that_ignore_term_are_ended_at_once() {
    let mut executor = Executor::start();
    let mut launch = executor.shell(
        "trap '' TERM; for i in $(seq 200); do (setsid sh -c 'while :; do sleep 100; done' &) ; done; \
         echo > ready; while :; do sleep 100; done",
    );
    launch.kill_grace = Duration::from_millis(200);
    let key = executor.arm(launch);
    executor.wait_for_file("ready");
    executor.cancel(key, CancelScope::Always);
    executor.wait_finished(key);
    let left = crate::executor::processes_in(&executor.directory());
    assert_eq!(left, Vec::<u32>::new());
}

#[test]
fn a_daemon_of_one_run_outlives_the_end_of_another() {
    let mut executor = Executor::start();
    let launch = executor.shell(
        "env -i setsid sh -c 'echo $$ > pids; exec sleep 1000' >/dev/null 2>&1 & \
         while [ ! -e go ]; do sleep 0.01; done; kill -0 $(cat pids)",
    );
    let long = executor.arm(launch);
    let daemon = executor.wait_for_file("pids");
    assert_eq!(executor.ending_of("true"), Ending::Exited { code: 0 });
    assert!(is_alive(&daemon));
    std::fs::write(executor.directory().join("go"), "").unwrap();
    assert_eq!(
        executor.wait_finished(long).ending,
        Ending::Exited { code: 0 }
    );
    assert!(!is_alive(&daemon));
}
