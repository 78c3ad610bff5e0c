//! Each of the four timeouts ends what it is about, says which it was, and leaves others alone.

use std::time::Duration;

use odin_executor::protocol::LaunchProgram;
use odin_model::TimeoutKind;
use odin_model::attempt::Ending;

use crate::executor::Executor;

const SHORT: Duration = Duration::from_millis(200);
/// Never reached: a test that does waits until its patience ends.
const LONG: Duration = Duration::from_secs(3600);

fn timed_out(timeout: TimeoutKind, after_kill: Option<&str>) -> Ending {
    Ending::TimedOut {
        timeout,
        after: SHORT,
        after_kill: after_kill.map(str::to_owned),
    }
}

#[test]
fn a_launch_that_waits_too_long_for_its_start_ends_without_a_process() {
    let mut executor = Executor::start_without_lease();
    let mut launch = executor.shell("echo > evidence");
    launch.timeouts.queue = Some(SHORT);
    let key = executor.arm(launch);
    let result = executor.wait_finished(key);
    assert_eq!(result.ending, timed_out(TimeoutKind::Queue, None));
    assert_eq!(result.started_at, None);
    let mut waited_before = executor.shell("echo > evidence");
    waited_before.timeouts.queue = Some(SHORT);
    waited_before.ready_at = odin_model::Boottime(Duration::ZERO);
    assert_eq!(
        executor.run(waited_before).ending,
        timed_out(TimeoutKind::Queue, None)
    );
    executor.give_lease();
    let mut launch = executor.shell("true");
    launch.timeouts.queue = Some(LONG);
    assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
    assert!(!executor.directory().join("evidence").exists());
}

#[test]
fn a_process_that_gives_no_sign_of_life_is_ended_by_its_start_timeout() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("sleep 1000; echo too late");
    launch.timeouts.start = Some(SHORT);
    let expected = timed_out(TimeoutKind::Start, Some("signal 15"));
    assert_eq!(executor.run(launch).ending, expected);
}

#[test]
fn output_or_a_hello_is_a_sign_of_life() {
    let mut executor = Executor::start();
    let program = "import os, socket, sys, time\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.connect(os.environ['ODIN_SOCKET'])\n\
        s.sendall(b'{\"hello\":1,\"token\":\"' + os.environ['ODIN_RUN_TOKEN'].encode() + b'\"}\\n')\n\
        s.recv(100)\n\
        time.sleep(1)\n";
    let said = LaunchProgram::Argv(vec!["python3".into(), "-c".into(), program.into()]);
    let printed = LaunchProgram::Shell {
        line: "echo here; sleep 1".into(),
        args: vec![],
    };
    for program in [said, printed] {
        let mut launch = executor.launch(program);
        // Python itself takes its time to start.
        launch.timeouts.start = Some(Duration::from_millis(900));
        assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
    }
}

#[test]
fn a_process_that_falls_silent_is_ended_and_one_that_goes_on_talking_is_not() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("echo one; echo two; sleep 1000");
    launch.timeouts.silence = Some(SHORT);
    let expected = timed_out(TimeoutKind::Silence, Some("signal 15"));
    assert_eq!(executor.run(launch).ending, expected);
    let mut launch = executor.shell("for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.2; done");
    launch.timeouts.silence = Some(Duration::from_millis(1500));
    assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
}

#[test]
fn a_process_that_closes_its_output_is_silent() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("exec >&- 2>&-; sleep 1000");
    launch.timeouts.silence = Some(SHORT);
    let expected = timed_out(TimeoutKind::Silence, Some("signal 15"));
    assert_eq!(executor.run(launch).ending, expected);
}

#[test]
fn of_several_timeouts_the_first_to_pass_is_named() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("sleep 1000");
    launch.timeouts.start = Some(LONG);
    launch.timeouts.run = Some(SHORT);
    launch.timeouts.silence = Some(LONG);
    let expected = timed_out(TimeoutKind::Run, Some("signal 15"));
    assert_eq!(executor.run(launch).ending, expected);
}
