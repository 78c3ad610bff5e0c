//! What runs before a run is ended, and what becomes of it.

use std::time::Duration;

use odin_executor::protocol::{CancelScope, Launch};
use odin_model::OnCancel;
use odin_model::attempt::{AttemptResult, Ending};
use odin_model::on_cancel::HookCommand;
use odin_model::output::Stream;

use crate::executor::{Executor, inline, is_alive, processes_in};

const PATIENT: Duration = Duration::from_secs(3600);

fn with(mut launch: Launch, command: HookCommand, timeout: Duration) -> Launch {
    launch.on_cancel = Some(OnCancel { command, timeout });
    launch
}

fn shell(line: &str) -> HookCommand {
    HookCommand::Shell(line.to_owned())
}

/// Arms the launch, waits until its job wrote `ready`, and cancels it.
fn cancel_when_ready(executor: &mut Executor, launch: Launch) -> AttemptResult {
    let key = executor.arm(launch);
    executor.wait_for_file("ready");
    executor.cancel(key, CancelScope::Always);
    executor.wait_finished(key)
}

fn assert_cancelled(result: &AttemptResult) {
    let expected = Ending::Cancelled {
        reason: "somebody asked".into(),
    };
    assert_eq!(result.ending, expected);
}

#[test]
fn the_command_runs_first_where_the_run_does_and_prints_into_its_output() {
    let mut executor = Executor::start();
    let launch = executor.shell(
        "trap 'echo term; exit 1' TERM; echo run; echo > ready; while :; do sleep 0.01; done",
    );
    let key = launch.key;
    let line = "echo \"$ODIN_CANCEL_REASON|$ODIN_RUN_ID|$ODIN_RUN_TOKEN\" | cut -c1-45; pwd; echo err >&2; id -u";
    let result = cancel_when_ready(&mut executor, with(launch, shell(line), PATIENT));
    assert_cancelled(&result);
    let directory = executor.directory().canonicalize().unwrap();
    let expected = format!("somebody asked|{}|", key.run);
    let seen = inline(&result, Stream::Stdout);
    let mut lines = seen.lines();
    assert_eq!(lines.next(), Some("run"));
    let said = lines.next().unwrap();
    assert!(
        said.starts_with(&expected) && said.len() > expected.len(),
        "{said}"
    );
    let uid = rustix::process::getuid().as_raw().to_string();
    let rest: Vec<&str> = lines.collect();
    assert_eq!(rest, [directory.to_str().unwrap(), &uid, "term"]);
    assert!(inline(&result, Stream::Stderr).starts_with("err\n"));
}

#[test]
fn a_program_that_the_command_asks_to_finish_is_not_told_by_a_signal() {
    let mut executor = Executor::start();
    let launch = executor.shell(
        "trap 'echo term; exit 1' TERM; echo $$ > ready; while [ ! -e stop ]; do sleep 0.01; done; echo finished",
    );
    let line =
        "echo > stop; while kill -0 $(cat ready) 2>/dev/null; do sleep 0.01; done; echo seen";
    let launch = with(launch, shell(line), PATIENT);
    let result = cancel_when_ready(&mut executor, launch);
    assert_cancelled(&result);
    let seen = inline(&result, Stream::Stdout);
    assert!(
        seen.contains("finished\n") && seen.contains("seen\n") && !seen.contains("term"),
        "{seen}"
    );
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("echo > ready; while :; do sleep 1; done");
    launch.kill_grace = Duration::from_millis(200);
    let line = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & \
                while :; do sleep 1; done";
    let launch = with(launch, shell(line), Duration::from_millis(700));
    let result = cancel_when_ready(&mut executor, launch);
    assert_cancelled(&result);
    let seen = inline(&result, Stream::Stderr);
    assert!(seen.contains("on_cancel took longer"), "{seen}");
    let left = processes_in(&executor.directory());
    assert_eq!(left, Vec::<u32>::new());
    if let Ok(pid) = std::fs::read_to_string(executor.directory().join("pid")) {
        assert!(!is_alive(pid.trim()));
    }
}

#[test]
fn a_command_that_fails_or_is_missing_is_told_of_and_the_run_is_ended() {
    let mut executor = Executor::start();
    for (command, expected) in [
        (shell("exit 3"), "on_cancel ended with exit code 3"),
        (
            HookCommand::Argv(vec!["no-such-program".into()]),
            "on_cancel could not start: the program `no-such-program` is missing",
        ),
    ] {
        let launch = executor.shell("echo > ready; while :; do sleep 1; done");
        let result = cancel_when_ready(&mut executor, with(launch, command, PATIENT));
        assert_cancelled(&result);
        let seen = inline(&result, Stream::Stderr);
        assert!(seen.contains(expected), "{seen}");
        std::fs::remove_file(executor.directory().join("ready")).unwrap();
    }
}

#[test]
fn a_timeout_is_a_reason_as_well_and_an_end_by_itself_is_none() {
    let mut executor = Executor::start();
    let launch = executor.shell("sleep 1000");
    let mut launch = with(launch, shell("echo \"$ODIN_CANCEL_REASON\""), PATIENT);
    launch.timeouts.run = Some(Duration::from_millis(200));
    let result = executor.run(launch);
    assert!(matches!(result.ending, Ending::TimedOut { .. }));
    let seen = inline(&result, Stream::Stdout);
    assert_eq!(seen, "ran longer than 200ms (timeout `run`)\n");
    let launch = executor.shell("true");
    let launch = with(launch, shell("echo > evidence"), PATIENT);
    assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
    assert!(!executor.directory().join("evidence").exists());
}

#[test]
fn the_command_is_within_the_runs_limits_and_beside_its_processes() {
    let mut executor = Executor::start();
    executor.use_runs_of_its_own();
    // The run has used up what it may have: the command could not fork among its processes.
    let mut launch =
        executor.shell("sleep 1000 & sleep 1000 & sleep 1000 & echo > ready; while :; do :; done");
    launch.limits.processes = Some(4);
    launch.limits.best_effort = rustix::process::getuid().as_raw() != 0;
    let launch = with(launch, shell("echo $(echo forked)"), PATIENT);
    let result = cancel_when_ready(&mut executor, launch);
    assert_cancelled(&result);
    assert!(inline(&result, Stream::Stdout).contains("forked"));
}
