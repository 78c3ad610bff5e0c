//! What a run leaves behind, when it is told to keep it.

use odin_executor::protocol::CancelScope;
use odin_model::Children;
use odin_model::attempt::Ending;

use crate::executor::{Executor, is_alive, wait_until};

/// Ends what a test kept.
struct Kept(String);

impl Drop for Kept {
    fn drop(&mut self) {
        let pid = self.0.parse().ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

fn keeping(executor: &mut Executor, line: &str) -> Kept {
    let mut launch = executor.shell(line);
    launch.children = Children::Keep;
    assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
    Kept(executor.wait_for_file("pid"))
}

#[test]
fn children_that_are_kept_outlive_their_run_and_the_ends_of_others() {
    let mut executor = Executor::start();
    for line in [
        "sleep 1000 >/dev/null 2>&1 & echo $! > pid",
        // Nothing says whose it is.
        "env -i setsid sh -c 'echo $$ > pid; exec sleep 1000' >/dev/null 2>&1 & while [ ! -s pid ]; do sleep 0.01; done",
    ] {
        let kept = keeping(&mut executor, line);
        // Ends a tree of its own, for which all orphans are looked at.
        let other = executor.ending_of("setsid sleep 1000 >/dev/null 2>&1 & true");
        assert_eq!(other, Ending::Exited { code: 0 });
        assert!(is_alive(&kept.0), "{line}");
        std::fs::remove_file(executor.directory().join("pid")).unwrap();
    }
}

#[test]
fn a_run_that_keeps_its_children_is_cancelled_whole() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("sleep 1000 & echo $! > pid; while :; do sleep 1; done");
    launch.children = Children::Keep;
    let key = executor.arm(launch);
    let child = executor.wait_for_file("pid");
    executor.cancel(key, CancelScope::Always);
    executor.wait_finished(key);
    assert!(!is_alive(&child));
}

#[test]
fn an_executor_with_nothing_but_kept_children_goes_and_they_stay() {
    let mut executor = Executor::start();
    let kept = keeping(&mut executor, "sleep 1000 >/dev/null 2>&1 & echo $! > pid");
    let pid = executor.pid().to_string();
    executor.disconnect();
    wait_until(|| (!is_alive(&pid)).then_some(()));
    executor.connect();
    executor.give_lease();
    assert_eq!(executor.ending_of("true"), Ending::Exited { code: 0 });
    assert!(is_alive(&kept.0));
}
