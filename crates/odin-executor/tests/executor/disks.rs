//! A disk that takes nothing holds runs up, and loses and doubles none.

use odin_executor::protocol::JournalHealth;
use odin_model::attempt::Ending;
use rustix::process::{Pid, Resource, Rlimit};

use crate::executor::Executor;

/// Lets the executor's files grow up to `bytes`: a full disk that can be emptied.
fn limit_files(executor: &Executor, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(executor.pid()).unwrap());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    rustix::process::prlimit(pid, Resource::Fsize, limit).unwrap();
}

#[test]
fn nothing_starts_that_cannot_be_recorded_and_it_starts_when_it_can() {
    let mut executor = Executor::start();
    assert_eq!(executor.client().welcome().journal, JournalHealth::Writable);
    limit_files(&executor, Some(0));
    let launch = executor.shell("true");
    let key = executor.arm(launch);
    executor.list();
    executor.connect();
    let health = executor.client().welcome().journal.clone();
    assert!(
        matches!(health, JournalHealth::Failing { .. }),
        "{health:?}"
    );
    assert_eq!(executor.list().len(), 1);
    limit_files(&executor, None);
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
    executor.connect();
    assert_eq!(executor.client().welcome().journal, JournalHealth::Writable);
}

#[test]
fn a_result_that_cannot_be_recorded_is_told_when_it_can() {
    let mut executor = Executor::start();
    let launch = executor.shell("while [ ! -e go ]; do sleep 0.01; done; seq 2000");
    let key = executor.arm(launch);
    executor.wait_started(key);
    limit_files(&executor, Some(0));
    std::fs::write(executor.directory().join("go"), "").unwrap();
    crate::executor::wait_until(|| {
        executor.connect();
        let health = executor.client().welcome().journal.clone();
        matches!(health, JournalHealth::Failing { .. }).then_some(())
    });
    limit_files(&executor, None);
    let result = executor.wait_finished(key);
    assert_eq!(result.ending, Ending::Exited { code: 0 });
    // The output had no room, which is counted and costs the run nothing else.
    assert_eq!(result.output.stdout_bytes, 8893);
    assert_eq!(result.output.dropped_bytes, 8893);
}
