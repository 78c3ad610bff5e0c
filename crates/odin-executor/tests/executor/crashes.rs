//! Servers and executors come and go; each result is told until it is stored, and no run happens twice.

use std::time::Duration;

use rustix::process::{Pid, Signal};

use odin_executor::protocol::{Launch, ListedState, RefusalReason, Report};
use odin_model::Outcome;
use odin_model::attempt::{AttemptEventKind, Ending};

use crate::executor::{Executor, is_alive, now, wait_until};

#[test]
fn events_are_sent_again_until_they_are_acknowledged_and_not_after() {
    let mut executor = Executor::start();
    let launch = executor.shell("true");
    executor.arm(launch);
    let first = [executor.next_event(), executor.next_event()];
    executor.disconnect();
    executor.connect();
    let again = [executor.next_event(), executor.next_event()];
    assert_eq!(first, again);
    executor.ack(again[0].number);
    executor.list();
    executor.disconnect();
    executor.connect();
    assert_eq!(executor.next_event(), first[1]);
    executor.ack(first[1].number);
    assert_eq!(executor.list(), []);
    executor.disconnect();
    executor.connect();
    // The next event there is, is of the next run.
    let launch = executor.shell("true");
    let key = executor.arm(launch);
    assert_eq!(executor.next_event().event.run, key.run);
}

#[test]
fn armed_launches_start_while_the_server_is_away() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("echo done > evidence");
    launch.not_before = now().plus(Duration::from_millis(300));
    let key = executor.arm(launch);
    executor.list();
    executor.disconnect();
    assert_eq!(executor.wait_for_file("evidence"), "done");
    executor.connect();
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
}

#[test]
fn a_newer_server_takes_the_older_ones_place() {
    let mut executor = Executor::start();
    let launch = executor.shell("true");
    let key = executor.arm(launch);
    executor.wait_started(key);
    executor.connect();
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
}

#[test]
fn what_a_killed_executor_ran_is_ended_and_lost_once() {
    let mut executor = Executor::start();
    let launch = executor.shell(
        "echo started >> evidence; env -u ODIN_RUN_ID sleep 1000 & setsid sleep 1000 & echo $! > escaped; \
         echo $$ > pid; wait",
    );
    let again = launch.clone();
    let key = executor.arm(launch);
    executor.wait_started(key);
    let pids = [
        executor.wait_for_file("pid"),
        executor.wait_for_file("escaped"),
    ];
    let mut later = executor.shell("true");
    later.not_before = now().plus(Duration::from_secs(3600));
    let later = executor.arm(later);
    executor.list();
    executor.kill();
    assert!(pids.iter().all(|pid| is_alive(pid)));

    executor.connect();
    executor.give_lease();
    let lost = executor.wait_finished(key);
    assert_eq!(
        lost.ending,
        Ending::Lost {
            reason: "the executor died while it ran".into()
        }
    );
    assert!(lost.started_at.is_some());
    assert!(pids.iter().all(|pid| !is_alive(pid)));
    // What was armed and not starting is nowhere: the server arms it again from its state.
    assert_eq!(executor.list(), []);
    let _ = later;
    executor.arm(again);
    let refused = executor.until(|report| match report {
        Report::Refused { key, reason } => Some((*key, *reason)),
        _ => None,
    });
    assert_eq!(refused, (key, RefusalReason::AlreadyOver));
    assert_eq!(executor.wait_for_file("evidence"), "started");

    // Acknowledged, it is not told a second time, by no later executor.
    executor.list();
    executor.kill();
    executor.connect();
    assert_eq!(executor.list(), []);
}

/// Two data directories of one machine, as of a restored server beside the one that it is a copy of, have runs of the
/// same ids.
#[test]
fn an_executor_that_begins_ends_nothing_of_another_data_directorys_run_of_the_same_id() {
    let line =
        "setsid sh -c 'while [ ! -e go ]; do sleep 0.05; done' & echo $! > escapee; wait; exit 7";
    let mut both = [Executor::start(), Executor::start()];
    both[0].use_runs_of_its_own();
    let launch = both[0].shell(line);
    for executor in &mut both {
        let key = executor.arm(launch.clone());
        executor.wait_started(key);
    }
    let [mut killed, mut other] = both;
    let escapee = |executor: &Executor| {
        let path = executor.directory().join("escapee");
        wait_until(|| {
            let text = std::fs::read_to_string(&path).ok()?;
            text.strip_suffix('\n').map(str::to_owned)
        })
    };
    let (own, foreign) = (escapee(&killed), escapee(&other));
    killed.kill();
    killed.connect();
    let ending = killed.wait_finished(launch.key).ending;
    assert_eq!(ending.outcome(), Outcome::Lost);
    assert!(!is_alive(&own), "what the killed one left is ended");
    assert!(is_alive(&foreign), "it is another's");
    std::fs::write(other.directory().join("go"), "").unwrap();
    let ending = other.wait_finished(launch.key).ending;
    assert_eq!(ending, Ending::Exited { code: 7 });
}

#[test]
fn results_outlive_a_killed_executor() {
    let mut executor = Executor::start();
    let launch = executor.shell("echo kept; exit 5");
    let key = executor.arm(launch);
    let numbers = loop {
        let event = executor.next_event();
        if let AttemptEventKind::Finished(_) = event.event.kind {
            break event.number;
        }
    };
    executor.kill();
    executor.connect();
    assert_eq!(executor.list()[0].state, ListedState::Finished);
    let result = executor.wait_finished(key);
    assert_eq!(result.ending, Ending::Exited { code: 5 });
    assert_eq!(
        crate::executor::inline(&result, odin_model::output::Stream::Stdout),
        "kept\n"
    );
    // Numbers are not used again.
    executor.give_lease();
    let launch = executor.shell("true");
    executor.arm(launch);
    assert!(executor.next_event().number > numbers);
}

#[test]
fn an_executor_without_work_and_without_a_server_goes() {
    let mut executor = Executor::start();
    let pid = executor.pid();
    executor.disconnect();
    wait_until(|| (!is_alive(&pid.to_string())).then_some(()));
    assert!(!executor.dir.control_socket().exists());
}

#[test]
fn a_signal_ends_an_idle_executor_and_a_busy_one_takes_more_work() {
    let mut executor = Executor::start();
    let launch = executor.shell("while [ ! -e go ]; do sleep 0.01; done; exit 4");
    let key = executor.arm(launch);
    executor.wait_started(key);
    let pid = Pid::from_raw(i32::try_from(executor.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    assert_eq!(executor.list()[0].state, ListedState::Running);
    std::fs::write(executor.directory().join("go"), "").unwrap();
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 4 }
    );
    let launch = executor.shell("exit 5");
    let key = executor.arm(launch);
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 5 }
    );
    executor.ack(u64::MAX);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    while executor.next().is_some() {}
    executor.connect();
}

/// The executor is killed after each number of events in turn, in the middle of due runs. Every run has one outcome
/// then, and the jobs' own evidence says that none was started twice.
#[test]
fn no_run_starts_twice_whenever_the_executor_dies() {
    let mut executor = Executor::start();
    let mut launches = Vec::new();
    let mut outcomes = std::collections::BTreeMap::new();
    // New ones each time: on a busy machine a kill may come before any process of those that are armed so far.
    let arm_more = |executor: &mut Executor, launches: &mut Vec<Launch>| {
        for _ in 0..6 {
            launches.push(executor.shell("echo $ODIN_RUN_ID >> evidence"));
        }
        for launch in &*launches {
            executor.arm(launch.clone());
        }
    };
    for events_before_kill in [0, 1, 2, 5, 11, 17, 60] {
        arm_more(&mut executor, &mut launches);
        for _ in 0..events_before_kill {
            if outcomes.len() == launches.len() {
                break;
            }
            let event = executor.next_event();
            if let AttemptEventKind::Finished(result) = event.event.kind {
                let outcome = result.ending.outcome();
                let before = outcomes.insert(event.event.run, outcome);
                // Told again, since nothing is acknowledged; told the same.
                assert!(before.is_none_or(|before| before == outcome));
            }
        }
        executor.kill();
        executor.connect();
        executor.give_lease();
    }
    arm_more(&mut executor, &mut launches);
    while outcomes.len() < launches.len() {
        let event = executor.next_event();
        if let AttemptEventKind::Finished(result) = event.event.kind {
            outcomes.insert(event.event.run, result.ending.outcome());
        }
    }
    let evidence = std::fs::read_to_string(executor.directory().join("evidence")).unwrap();
    let mut lines: Vec<&str> = evidence.lines().collect();
    lines.sort_unstable();
    assert!(
        lines.windows(2).all(|pair| pair[0] != pair[1]),
        "started twice: {evidence}"
    );
    for (run, outcome) in outcomes {
        let ran = lines.contains(&run.to_string().as_str());
        match outcome {
            Outcome::Succeeded => assert!(ran, "{run} succeeded and left no evidence"),
            Outcome::Lost => {}
            other => panic!("{run} is {other:?}"),
        }
    }
}
