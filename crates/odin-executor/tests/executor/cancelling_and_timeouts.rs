//! A run that is stopped stops whole, and says why.

use std::time::Duration;

use odin_executor::protocol::{CancelScope, RefusalReason, Report, Request};
use odin_model::TimeoutKind;
use odin_model::attempt::Ending;

use crate::executor::{Executor, is_alive, now};

fn cancelled() -> Ending {
    Ending::Cancelled {
        reason: "somebody asked".into(),
    }
}

fn refusal(report: &Report) -> Option<RefusalReason> {
    match report {
        Report::Refused { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[test]
fn a_run_that_is_cancelled_before_its_instant_never_starts() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("echo > evidence");
    launch.not_before = now().plus(Duration::from_secs(3600));
    let again = launch.clone();
    let key = executor.arm(launch);
    executor.cancel(key, CancelScope::BeforeStart);
    let result = executor.wait_finished(key);
    assert_eq!((result.ending, result.started_at), (cancelled(), None));
    executor.arm(again);
    assert_eq!(executor.until(refusal), RefusalReason::AlreadyOver);
    assert!(!executor.directory().join("evidence").exists());
}

#[test]
fn a_run_that_was_cancelled_before_it_was_armed_is_refused() {
    let mut executor = Executor::start();
    let launch = executor.shell("true");
    executor.cancel(launch.key, CancelScope::Always);
    assert_eq!(executor.wait_finished(launch.key).ending, cancelled());
    executor.arm(launch);
    assert_eq!(executor.until(refusal), RefusalReason::AlreadyOver);
}

#[test]
fn a_cancel_before_start_leaves_a_running_one_alone() {
    let mut executor = Executor::start();
    let launch = executor.shell("while [ ! -e go ]; do sleep 0.01; done");
    let key = executor.arm(launch);
    executor.wait_started(key);
    executor.cancel(key, CancelScope::BeforeStart);
    assert_eq!(executor.until(refusal), RefusalReason::AlreadyStarted);
    std::fs::write(executor.directory().join("go"), "").unwrap();
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
}

#[test]
fn a_cancelled_tree_is_ended_though_it_ignores_term() {
    let mut executor = Executor::start();
    let mut launch = executor.shell(
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & \
         while :; do sleep 1; done",
    );
    launch.kill_grace = Duration::from_millis(200);
    let key = executor.arm(launch);
    let first = executor.wait_started(key);
    let second = executor.wait_for_file("pid");
    executor.cancel(key, CancelScope::Always);
    assert_eq!(executor.wait_finished(key).ending, cancelled());
    assert!(!is_alive(&first.to_string()) && !is_alive(&second));
}

#[test]
fn a_job_may_clean_up_after_a_term() {
    let mut executor = Executor::start();
    let launch = executor.shell(
        "trap 'echo cleaned > evidence; exit 3' TERM; echo > ready; while :; do sleep 0.01; done",
    );
    let key = executor.arm(launch);
    executor.wait_for_file("ready");
    executor.cancel(key, CancelScope::Always);
    assert_eq!(executor.wait_finished(key).ending, cancelled());
    assert_eq!(executor.wait_for_file("evidence"), "cleaned");
}

#[test]
fn a_timeout_ends_the_whole_tree_and_says_how() {
    let mut executor = Executor::start();
    for (line, after_kill) in [
        ("sleep 1000 & sleep 1000", "signal 15"),
        (
            "trap 'exit 7' TERM; while :; do sleep 0.01; done",
            "exit code 7",
        ),
        ("trap '' TERM; while :; do sleep 0.01; done", "signal 9"),
    ] {
        let mut launch = executor.shell(line);
        launch.timeouts.run = Some(Duration::from_millis(200));
        launch.kill_grace = Duration::from_millis(300);
        let expected = Ending::TimedOut {
            timeout: TimeoutKind::Run,
            after: Duration::from_millis(200),
            after_kill: Some(after_kill.into()),
        };
        assert_eq!(executor.run(launch).ending, expected, "{line}");
    }
}

#[test]
fn a_timeout_holds_without_a_server() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("sleep 1000");
    launch.timeouts.run = Some(Duration::from_millis(300));
    let key = executor.arm(launch);
    let pid = executor.wait_started(key);
    executor.disconnect();
    crate::executor::wait_until(|| (!is_alive(&pid.to_string())).then_some(()));
    executor.connect();
    assert!(matches!(
        executor.wait_finished(key).ending,
        Ending::TimedOut { .. }
    ));
}

#[test]
fn a_draining_executor_takes_nothing_and_goes_when_it_is_done() {
    let mut executor = Executor::start();
    let launch = executor.shell("while [ ! -e go ]; do sleep 0.01; done");
    let key = executor.arm(launch);
    executor.wait_started(key);
    executor.send([Request::Drain]);
    executor.until(|report| matches!(report, Report::Draining { attempts: 1 }).then_some(()));
    let late = executor.shell("true");
    executor.arm(late);
    assert_eq!(executor.until(refusal), RefusalReason::Draining);
    std::fs::write(executor.directory().join("go"), "").unwrap();
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
    while executor.next().is_some() {}
    executor.connect();
}
