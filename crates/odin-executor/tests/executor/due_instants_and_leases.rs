//! A process is made at its instant, under a lease, oldest first.

use std::time::Duration;

use odin_executor::protocol::{AfterLease, ListedState, Request};
use odin_model::Boottime;
use odin_model::attempt::{AttemptEventKind, Ending};

use crate::executor::{Executor, now};

#[test]
fn nothing_starts_before_its_instant() {
    let mut executor = Executor::start();
    let at = now().plus(Duration::from_millis(300));
    let mut launch = executor.shell("cat /proc/self/stat > stat; cut -d' ' -f1 /proc/uptime");
    launch.not_before = at;
    let key = executor.arm(launch);
    assert_eq!(executor.list()[0].state, ListedState::Armed);
    executor.wait_started(key);
    assert!(now() >= at);
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
}

#[test]
fn without_a_lease_a_launch_waits_for_one() {
    let mut executor = Executor::start_without_lease();
    let launch = executor.shell("true");
    let key = executor.arm(launch);
    assert_eq!(executor.list()[0].state, ListedState::WaitsForLease);
    executor.send([Request::Lease {
        until: Boottime(Duration::from_nanos(1)),
        then: AfterLease::RunsGoOn,
    }]);
    assert_eq!(executor.list()[0].state, ListedState::WaitsForLease);
    executor.give_lease();
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
}

#[test]
fn a_lease_that_ended_before_the_instant_is_no_lease() {
    let mut executor = Executor::start_without_lease();
    let end = now().plus(Duration::from_millis(200));
    executor.send([Request::Lease {
        until: end,
        then: AfterLease::RunsGoOn,
    }]);
    let mut launch = executor.shell("true");
    launch.not_before = end.plus(Duration::from_millis(1));
    let key = executor.arm(launch);
    crate::executor::wait_until(|| (now() > end.plus(Duration::from_millis(100))).then_some(()));
    assert_eq!(executor.list()[0].state, ListedState::WaitsForLease);
    executor.give_lease();
    executor.wait_finished(key);
}

#[test]
fn what_was_due_first_starts_first() {
    let mut executor = Executor::start_without_lease();
    // One before them, so that the user is known: whoever is looked up first lets later ones go ahead.
    let launch = executor.shell("true");
    let key = executor.arm(launch);
    let mut until = now();
    while !matches!(
        executor.list()[0].state,
        ListedState::Running | ListedState::Finished
    ) {
        until = now().plus(Duration::from_millis(100));
        executor.send([Request::Lease {
            until,
            then: AfterLease::RunsGoOn,
        }]);
    }
    executor.wait_finished(key);
    crate::executor::wait_until(|| (now() > until).then_some(()));
    let mut keys = Vec::new();
    for index in 0..40u64 {
        let mut launch = executor.shell("true");
        // Armed in another order than they are due.
        let place = index * 7 % 40;
        launch.not_before = Boottime(Duration::from_secs(1 + place));
        keys.push((place, executor.arm(launch)));
    }
    keys.sort();
    executor.give_lease();
    let mut started = Vec::new();
    while started.len() < 40 {
        let event = executor.next_event();
        if let AttemptEventKind::Started { at, .. } = event.event.kind {
            started.push((
                at,
                keys.iter()
                    .position(|(_, key)| key.run == event.event.run)
                    .unwrap(),
            ));
        }
    }
    started.sort();
    // Four spawners take what is due in order, one at a time. One that waits for a processor holds up the attempt that
    // it has; so when an attempt starts, at most those of the three others that were due before it are still to come.
    for (position, (_, place)) in started.iter().enumerate() {
        let still_to_start = started[position..]
            .iter()
            .filter(|(_, later)| later < place);
        assert!(still_to_start.count() <= 3, "{started:?}");
    }
}
