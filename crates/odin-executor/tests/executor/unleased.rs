//! A node of a cluster that hears nothing any more ends what another node may start again, and nothing else.

use std::time::Duration;

use odin_executor::protocol::{
    AfterLease, AttemptKey, CancelScope, Launch, ListedState, NumberedEvent, Request,
};
use odin_model::attempt::{AttemptEventKind, Ending};
use odin_model::on_cancel::HookCommand;
use odin_model::{OnCancel, Unleased};

use crate::executor::{Executor, is_alive, now, wait_until};

const SOON: Duration = Duration::from_millis(200);
/// Never reached: a test that does waits until its patience ends.
const LONG: Duration = Duration::from_secs(3600);

fn give_lease(executor: &Executor, length: Duration, then: AfterLease) {
    let until = now().plus(length);
    executor.send([Request::Lease { until, then }]);
}

/// A launch that does not overlap with another node's.
fn exclusive(executor: &mut Executor, line: &str) -> Launch {
    let mut launch = executor.shell(line);
    launch.unleased = Some(Unleased {
        end_after: SOON,
        gone_after: SOON * 2,
    });
    launch
}

/// Arms it and gives leases until its process exists; its process.
fn started(executor: &mut Executor, launch: Launch, then: AfterLease) -> (AttemptKey, u32) {
    let key = executor.arm(launch);
    while !is_running(executor, key) {
        give_lease(executor, SOON * 5, then);
    }
    (key, executor.wait_started(key))
}

/// Something that takes longer than a run may go on without a lease, as the executor itself measures it.
fn wait_for_longer(executor: &mut Executor, then: AfterLease) {
    let mut launch = executor.shell("sleep 1000");
    launch.timeouts.run = Some(SOON * 10);
    let (key, _) = started(executor, launch, then);
    let ended = executor.wait_finished(key).ending;
    assert!(matches!(ended, Ending::TimedOut { .. }), "{ended:?}");
}

fn is_running(executor: &mut Executor, key: AttemptKey) -> bool {
    let list = executor.list();
    list.iter()
        .any(|it| it.key == key && it.state == ListedState::Running)
}

/// That it is lost for want of a lease; how its process ended.
#[track_caller]
fn check_ended(executor: &mut Executor, key: AttemptKey) -> String {
    how_ended(executor.wait_finished(key).ending)
}

#[track_caller]
fn how_ended(ending: Ending) -> String {
    let Ending::Lost { reason } = ending else {
        panic!("{ending:?}");
    };
    let how = reason
        .strip_prefix("no word from the cluster came for 200ms ")
        .and_then(|rest| rest.split_once(", by "))
        .map(|(_, how)| how.to_owned());
    how.unwrap_or(reason)
}

#[test]
fn a_run_that_may_not_overlap_is_ended_while_no_server_is_there() {
    let mut executor = Executor::start_without_lease();
    let may_overlap = executor.shell("while ! test -e go; do sleep 0.1; done");
    let (may_overlap, _) = started(&mut executor, may_overlap, AfterLease::RunsEnd);
    let launch = exclusive(&mut executor, "sleep 1000");
    let (key, pid) = started(&mut executor, launch, AfterLease::RunsEnd);
    executor.disconnect();
    wait_until(|| (!is_alive(&pid.to_string())).then_some(()));
    executor.connect();
    assert_eq!(check_ended(&mut executor, key), "signal 15");
    std::fs::write(executor.directory().join("go"), "").unwrap();
    let ending = executor.wait_finished(may_overlap).ending;
    assert_eq!(ending, Ending::Exited { code: 0 });
}

#[test]
fn leases_that_follow_each_other_keep_it_running() {
    let mut executor = Executor::start_without_lease();
    let launch = exclusive(&mut executor, "sleep 1000");
    let (key, _) = started(&mut executor, launch, AfterLease::RunsEnd);
    give_lease(&executor, LONG, AfterLease::RunsEnd);
    wait_for_longer(&mut executor, AfterLease::RunsEnd);
    assert!(is_running(&mut executor, key));
}

#[test]
fn neither_a_long_grace_nor_a_long_command_before_it_keeps_such_a_run_alive() {
    let mut executor = Executor::start_without_lease();
    let mut stubborn = exclusive(
        &mut executor,
        "trap '' TERM; (echo > stubborn; setsid sleep 1000) & while :; do sleep 1; done",
    );
    stubborn.kill_grace = LONG;
    let mut asks_first = exclusive(&mut executor, "sleep 1000");
    asks_first.on_cancel = Some(OnCancel {
        command: HookCommand::Shell("sleep 1000".into()),
        timeout: LONG,
    });
    let mut ending = exclusive(
        &mut executor,
        "trap '' TERM; echo > ending; while :; do sleep 1; done",
    );
    ending.kill_grace = LONG;
    let (stubborn, _) = started(&mut executor, stubborn, AfterLease::RunsEnd);
    let (asks_first, _) = started(&mut executor, asks_first, AfterLease::RunsEnd);
    let (ending, _) = started(&mut executor, ending, AfterLease::RunsEnd);
    for ready in ["stubborn", "ending"] {
        while !executor.directory().join(ready).exists() {
            give_lease(&executor, SOON * 5, AfterLease::RunsEnd);
            executor.list();
        }
    }
    executor.cancel(ending, CancelScope::Always);
    let (mut lost, mut cancelled) = (Vec::new(), None);
    while lost.len() < 2 || cancelled.is_none() {
        let NumberedEvent { number, event } = executor.next_event();
        executor.ack(number);
        match event.kind {
            AttemptEventKind::Finished(result) if event.run == ending.run => {
                cancelled = Some(result.ending);
            }
            AttemptEventKind::Finished(result) => lost.push((event.run, how_ended(result.ending))),
            AttemptEventKind::Started { .. } => {}
        }
    }
    lost.sort();
    let runs: Vec<_> = lost.iter().map(|(run, _)| *run).collect();
    assert_eq!(runs, [stubborn.run, asks_first.run]);
    assert_eq!(lost[0].1, "signal 9");
    // It ignores signal 15, and has an hour before 9 comes for the cancel.
    assert!(
        matches!(cancelled, Some(Ending::Cancelled { .. })),
        "{cancelled:?}"
    );
}

#[test]
fn a_node_that_decides_alone_lets_its_runs_go_on_until_it_no_longer_does() {
    let mut executor = Executor::start_without_lease();
    let launch = exclusive(&mut executor, "sleep 1000");
    let (key, _) = started(&mut executor, launch, AfterLease::RunsGoOn);
    wait_for_longer(&mut executor, AfterLease::RunsGoOn);
    assert!(is_running(&mut executor, key));
    // The node is one of several from now on.
    give_lease(&executor, SOON * 10, AfterLease::RunsEnd);
    let ending = executor.wait_finished(key).ending;
    assert_eq!(how_ended(ending), "signal 15");
}
