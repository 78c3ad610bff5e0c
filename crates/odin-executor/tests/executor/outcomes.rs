//! Every way in which an attempt can end, brought about by a real process, and written down for users.

use std::fmt::Write;
use std::time::Duration;

use expect_test::expect_file;
use odin_executor::protocol::{
    AfterLease, CancelScope, Launch, LaunchProgram, ListedState, Request,
};
use odin_model::Unleased;
use odin_model::attempt::Ending;

use crate::executor::{Executor, now};

const HEAD: &str = "\
# How a run can end

Each of these was brought about with a real process by the test that wrote this table
(`UPDATE_EXPECT=1 cargo test -p odin-executor outcomes`), so the words are those that you will see. `odin runs --json`
has the outcome as `outcome`, and `exit_code`, `signal` and `reason` beside it.

| what happened | outcome | exit code | signal | reason |
| --- | --- | --- | --- | --- |
";

const TAIL: &str = "
- A run that Odin ended, by a cancel or a timeout, is never called `failed` or `signalled`, however its process reacted.
- `out_of_memory` with `limits: {memory: ...}` is told by the control group's own count of kills, whichever process of the run it
  was. Without a limit, a run whose first process died of a KILL that Odin did not send is `out_of_memory` when the kernel's
  log names that process (a root server reads it), or, where the log may not be read, when the kernel's count of such
  kills (`oom_kill` in /proc/vmstat) grew while the run went on: likely then, and not certain. A shell whose child was killed so
  ends with exit code 137.
- A run that is `lost` since its node was cut off had `on_lost: rerun`, or a `concurrency` other than `allow`. It is told
  to end early enough for its `kill_grace` and its `on_cancel`, and nothing of it is left `lost_after` after the end of
  the node's last lease (5 s): a second before the cluster may start what follows it. Other runs go on, and so do all
  runs of a node that is the only voter.
- A helper that is killed for want of memory does not make a run fail that then ends with exit code 0.
- `warning`, and `failed` with exit code 0, come from what the job itself reports as its result.
- A run that ended before its process existed has neither a start time nor an exit code.
- What the executor does about processes that are left is in [the life of a run](../concepts/run-lifecycle.md); how
  limits and timeouts are set is in [limits and timeouts](../guides/limits.md).
";

struct Table(String);

impl Table {
    fn add(&mut self, what: &str, ending: &Ending) {
        let or_nothing = |value: Option<u8>| value.map_or(String::new(), |it| it.to_string());
        writeln!(
            self.0,
            "| {what} | `{}` | {} | {} | {} |",
            ending.outcome().word(),
            or_nothing(ending.exit_code()),
            or_nothing(ending.signal()),
            ending.reason().unwrap_or_default()
        )
        .unwrap();
    }
}

/// What happened, by which line of shell, in a launch that is changed how.
type Case<'a> = (&'a str, &'a str, &'a dyn Fn(&mut Launch));

fn short(mut launch: Launch, change: impl FnOnce(&mut Launch)) -> Launch {
    launch.kill_grace = Duration::from_millis(300);
    change(&mut launch);
    launch
}

#[test]
fn each_outcome_is_distinct_and_documented() {
    let mut executor = Executor::start();
    executor.use_runs_of_its_own();
    let mut table = Table(HEAD.to_owned());
    let limit = Some(Duration::from_millis(200));
    let lines: [Case<'_>; 9] = [
        ("the program ended with 0", "exit 0", &|_| {}),
        ("it ended with another code", "exit 3", &|_| {}),
        (
            "a signal that Odin did not send ended it",
            "kill -9 $$",
            &|_| {},
        ),
        (
            "it used more memory than its limit",
            "exec python3 -c 'x = bytearray(300 << 20)'",
            &|launch| launch.limits.memory_bytes = Some(64 << 20),
        ),
        ("it was not started in time", "true", &|launch| {
            launch.timeouts.queue = limit;
            launch.ready_at = odin_model::Boottime(Duration::ZERO);
        }),
        ("it gave no sign of life in time", "sleep 1000", &|launch| {
            launch.timeouts.start = limit;
        }),
        ("it ran too long", "sleep 1000", &|launch| {
            launch.timeouts.run = limit;
        }),
        (
            "it ran too long, and ignored TERM",
            "trap '' TERM; while :; do sleep 1; done",
            &|launch| {
                launch.timeouts.run = limit;
            },
        ),
        (
            "it was silent for too long",
            "echo hello; sleep 1000",
            &|launch| {
                launch.timeouts.silence = limit;
            },
        ),
    ];
    for (what, line, change) in lines {
        let launch = short(executor.shell(line), change);
        let ending = executor.run(launch).ending;
        table.add(what, &ending);
    }
    let launch = executor.shell("sleep 1000");
    let key = executor.arm(launch);
    executor.wait_started(key);
    executor.cancel(key, CancelScope::Always);
    let ending = executor.wait_finished(key).ending;
    table.add("somebody cancelled it", &ending);
    for (what, launch) in not_startable(&mut executor) {
        let ending = executor.run(launch).ending;
        table.add(what, &ending);
    }
    let launch = executor.shell("while :; do sleep 1; done");
    let key = executor.arm(launch);
    executor.wait_started(key);
    // Another run's start is on disk before its process exists, and with it all that was written before.
    let after = executor.shell("true");
    executor.run(after);
    executor.kill();
    executor.connect();
    let ending = executor.wait_finished(key).ending;
    table.add("its executor died", &ending);
    table.add(
        "its node was cut off, and it must not overlap with another's",
        &cut_off(&mut executor),
    );
    table.0.push_str(TAIL);
    expect_file!["../../../../docs/reference/run-outcomes.md"].assert_eq(&table.0);
}

/// Of a run that may not go on without a lease, after the last one.
fn cut_off(executor: &mut Executor) -> Ending {
    let mut launch = executor.shell("sleep 1000");
    launch.unleased = Some(Unleased {
        end_after: Duration::from_secs(2),
        gone_after: Duration::from_secs(10),
    });
    let key = executor.arm(launch);
    while executor.list()[0].state != ListedState::Running {
        let until = now().plus(Duration::from_millis(500));
        let then = AfterLease::RunsEnd;
        executor.send([Request::Lease { until, then }]);
    }
    executor.wait_finished(key).ending
}

fn not_startable(executor: &mut Executor) -> Vec<(&'static str, Launch)> {
    let interpreted = LaunchProgram::Interpreted {
        interpreter: "cobol".into(),
        configured: vec![],
        file: "main.cob".into(),
        args: vec![],
    };
    let interpreter = executor.launch(interpreted);
    let program = executor.launch(LaunchProgram::Argv(vec!["no-such-program".into()]));
    std::fs::write(executor.directory().join("plain"), "echo hello").unwrap();
    let not_executable = executor.launch(LaunchProgram::Argv(vec!["./plain".into()]));
    let mut directory = executor.shell("true");
    directory.version = directory.version.next();
    let mut user = executor.shell("true");
    user.owner.user = "gone".into();
    let mut uid = executor.shell("true");
    uid.owner.uid = 4242;
    uid.owner.user = "root".into();
    let mut limit = executor.shell("true");
    limit.limits.open_files = Some(u32::MAX);
    vec![
        ("its interpreter is missing", interpreter),
        ("its program is missing", program),
        ("its program may not be executed", not_executable),
        ("its working directory is missing", directory),
        ("its user is gone", user),
        ("its user has another uid now", uid),
        ("a limit is higher than the machine allows", limit),
    ]
}
