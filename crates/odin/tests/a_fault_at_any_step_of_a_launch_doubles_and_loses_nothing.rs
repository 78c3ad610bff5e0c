//! The server and the executor are killed and frozen at every step from due to reported: what the job itself wrote
//! and what the server says agree, and what a living executor had been given starts without the server.
#![allow(clippy::unwrap_used)]

mod faults;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use faults::{
    ODIN, Place, assert_no_line_twice, is_stopped, let_it_last, lives, signal, wait_for,
    wait_until_gone,
};
use odin_testbed::sealed;
use rustix::process::Signal;
use serde_json::Value;

/// The job that follows each run of `ticks`, where there is one.
const FOLLOWER: &str = "follower";
/// Each process writes one line when it starts.
const CODE: &str = "echo $ODIN_RUN_ID $ODIN_ATTEMPT $ODIN_DUE_AT >> $HERE/starts\n";
/// How long a frozen process stays so.
const FROZEN: Duration = Duration::from_millis(1500);
/// Cases at once: most of their time is waiting for the next second.
const AT_ONCE: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Kill,
    Stop,
}

/// A point, and which time that it is passed: once launches are armed some seconds ahead.
const SERVER: [(&str, u32); 7] = [
    ("server-fire-before", 4),
    ("server-fire-after", 4),
    ("server-arm-before", 7),
    ("server-arm-after", 7),
    ("server-report-before", 4),
    ("server-report-after", 4),
    ("server-ack-before", 4),
];
const EXECUTOR: [(&str, u32); 7] = [
    ("executor-start-before", 3),
    ("executor-start-after", 3),
    ("executor-started-before", 3),
    ("executor-finished-before", 3),
    ("executor-finished-after", 3),
    ("executor-ack-before", 3),
    ("executor-ack-after", 3),
];
/// Of what is decided by a result: a linked job whose first attempt fails. Each of its attempts is assigned by itself.
const FOLLOWING: [(&str, u32); 7] = [
    ("server-assign-before", 3),
    ("server-assign-after", 3),
    ("server-arm-before", 9),
    ("server-report-before", 7),
    ("server-report-after", 7),
    ("server-ack-before", 7),
    ("server-apply-before", 20),
];
/// The journal is written anew when nothing is due for half a second: between two occurrences.
const COMPACTION: [(&str, u32); 3] = [
    ("executor-compact-before", 1),
    ("executor-compact-middle", 1),
    ("executor-compact-after", 1),
];

#[test]
fn a_server_that_dies_or_freezes_at_any_step() {
    check(&SERVER, server_fault);
}

#[test]
fn a_server_that_dies_or_freezes_between_a_result_and_what_follows_it() {
    check(&FOLLOWING, |place, fault, act| {
        let retries = "  retries: {max: 1, backoff: fixed, delay: 1s}\n";
        let code = "echo $ODIN_RUN_ID $ODIN_ATTEMPT >> $HERE/followers; [ $ODIN_ATTEMPT = 2 ]\n";
        place.deploy(FOLLOWER, "never", retries, code);
        server_fault(place, fault, act);
    });
}

#[test]
fn an_executor_that_dies_or_freezes_at_any_step() {
    check(&EXECUTOR, |place, fault, act| {
        let executor = faulty_executor(place, fault);
        executor_fault(place, executor, act);
    });
}

#[test]
fn an_executor_that_dies_or_freezes_while_it_writes_its_journal_anew() {
    check(&COMPACTION, |place, fault, act| {
        fill_journal(place);
        let executor = faulty_executor(place, fault);
        executor_fault(place, executor, act);
    });
}

/// Does each point with each act, some at once, and says which went wrong.
fn check(points: &[(&str, u32)], case: impl Fn(&mut Place, &str, Act) + Sync) {
    let cases: Vec<_> = points
        .iter()
        .flat_map(|&point| [(point, Act::Kill), (point, Act::Stop)])
        .collect();
    let left = Mutex::new(cases.into_iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(((name, nth), act)) = next else {
                        return;
                    };
                    let suffix = if act == Act::Stop { "@stop" } else { "" };
                    let fault = format!("{name}:{nth}{suffix}");
                    let run = || one_case(&case, &fault, act);
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                        failed.lock().unwrap().push(fault);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "went wrong at {failed:?}: see above");
}

fn one_case(case: &impl Fn(&mut Place, &str, Act), fault: &str, act: Act) {
    let mut place = Place::new();
    case(&mut place, fault, act);
    more_starts(&place, 2);
    place.server.json(["pause", "-i", "ticks"]);
    let runs = all_over(&place, "ticks");
    let may_lose = fault.starts_with("executor") && act == Act::Kill;
    verdict(&place.evidence("starts"), &runs, may_lose, fault);
    if has_follower(&place) {
        // A run and what follows it are there at the same instant.
        let following = all_over(&place, FOLLOWER);
        verdict_of_following(&place.evidence("followers"), &runs, &following, fault);
    }
}

fn has_follower(place: &Place) -> bool {
    place.path(&format!("{FOLLOWER}.yml")).exists()
}

/// All runs of a job, once they are over.
fn all_over(place: &Place, job: &str) -> Vec<Value> {
    place.server.wait_for("the end of all runs", |server| {
        let list = server.json(["runs", "-i", job, "--limit", "1000"]);
        let runs = list["runs"].as_array().unwrap().clone();
        let over = runs.iter().all(|run| run["state"] == "finished");
        over.then_some(runs)
    })
}

fn server_fault(place: &mut Place, fault: &str, act: Act) {
    restart_with(place, &[("ODIN_FAULT", fault)]);
    deploy(place);
    let server = place.server.pid();
    wait_for_fault(server, act, fault);
    let executor = place.executor();
    // The executor lives, and was given what is due in the next seconds.
    more_starts(place, 2);
    assert!(lives(executor), "{fault}: the executor is gone");
    match act {
        Act::Kill => {
            place.server.kill();
            restart_with(place, &[]);
        }
        Act::Stop => signal(server, Signal::CONT),
    }
    more_starts(place, 1);
    assert_eq!(place.executor(), executor, "{fault}");
}

fn executor_fault(place: &mut Place, mut executor: Child, act: Act) {
    restart_with(place, &[]);
    let pid = executor.id();
    assert_eq!(place.executor(), pid, "the server has the test's executor");
    deploy(place);
    wait_for_fault(pid, act, "the executor's");
    match act {
        Act::Kill => {
            executor.wait().unwrap();
            place.server.wait_for("another executor", |server| {
                let executors = server.executors();
                (executors.len() == 1 && executors[0] != pid).then_some(())
            });
        }
        Act::Stop => {
            let_it_last(FROZEN);
            signal(pid, Signal::CONT);
            more_starts(place, 1);
            assert_eq!(place.executor(), pid, "it went on");
        }
    }
}

fn deploy(place: &Place) {
    if has_follower(place) {
        // The link is there before the first run is.
        place.deploy("ticks", "never", "", CODE);
        place.server.json(["link", "-f", "ticks", "-t", FOLLOWER]);
    }
    place.deploy("ticks", "every second", "", CODE);
}

/// Waits until the process is dead or stopped.
fn wait_for_fault(pid: u32, act: Act, fault: &str) {
    wait_for(&format!("the fault {fault}"), || {
        let there = match act {
            Act::Kill => !lives(pid),
            Act::Stop => is_stopped(pid),
        };
        there.then_some(())
    });
}

fn more_starts(place: &Place, count: usize) {
    let wanted = place.evidence("starts").lines().count() + count;
    wait_for("further starts", || {
        (place.evidence("starts").lines().count() >= wanted).then_some(())
    });
}

/// Ends the server, if it runs, and starts it with this in its environment.
fn restart_with(place: &mut Place, environment: &[(&str, &str)]) {
    place.server.kill();
    place.server.set_environment(environment);
    place.server.restart();
}

/// Puts an executor with a fault in the place of the one that is there.
fn faulty_executor(place: &mut Place, fault: &str) -> Child {
    let before = place.executor();
    place.server.kill();
    signal(before, Signal::KILL);
    wait_until_gone(before);
    let data_dir = place.server.data_dir().canonicalize().unwrap();
    // A child that had not become its program yet when the executor was killed holds the journal a moment longer.
    wait_for("an executor that is ready", || {
        let mut executor = sealed(Path::new(ODIN))
            .args(["__executor", "--data-dir"])
            .arg(&data_dir)
            .env("ODIN_FAULT", fault)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 6];
        let mut stdout = executor.stdout.take().unwrap();
        if stdout.read_exact(&mut said).is_err() {
            executor.wait().unwrap();
            return None;
        }
        assert_eq!(&said, b"ready\n");
        Some(executor)
    })
}

/// What a journal begins with, and what is before each record: its length and its sum.
const MAGIC: usize = 8;
const HEADER: usize = 8;
/// From where on a journal is written anew.
const COMPACT_FROM: usize = 4 << 20;

/// Repeats the last record of the journal, an acknowledgement, which says nothing new, until one run more makes it
/// large enough to be written anew.
fn fill_journal(place: &mut Place) {
    place.deploy("first", "never", "", "true\n");
    let run = place.run("first");
    place.ended("first", &run);
    let path = place.server.data_dir().join("executor/journal");
    // The acknowledgement of a result is the smallest record.
    let (mut filled, last) = wait_for("an acknowledgement in the journal", || {
        let bytes = std::fs::read(&path).unwrap();
        let (from, end) = last_record(&bytes)?;
        (end - from <= HEADER + 8).then(|| (bytes[..end].to_vec(), bytes[from..end].to_vec()))
    });
    let executor = place.executor();
    place.server.kill();
    signal(executor, Signal::KILL);
    wait_until_gone(executor);
    while filled.len() < COMPACT_FROM - 400 {
        filled.extend(&last);
    }
    std::fs::write(&path, filled).unwrap();
    place.server.restart();
}

/// Where the last record begins and ends.
fn last_record(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut last, mut at) = (None, MAGIC);
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_le_bytes(length.try_into().unwrap());
        if length == 0 {
            break;
        }
        let end = at + HEADER + usize::try_from(length).unwrap();
        last = Some((at, end));
        at = end;
    }
    last
}

/// Compares what the processes wrote with what the server says of the runs.
fn verdict(starts: &str, runs: &[Value], may_lose: bool, fault: &str) {
    assert_no_line_twice(starts);
    let mut started = BTreeMap::new();
    for line in starts.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let &[run, attempt, due] = words.as_slice() else {
            panic!("{fault}: a job wrote {line:?}");
        };
        let earlier = started.insert(run, (attempt, due));
        assert_eq!(earlier, None, "{fault}: {run} has two processes");
    }
    let mut instants = BTreeSet::new();
    for run in runs {
        let due = run["due_at"].as_str().unwrap();
        let process = started.remove(run["id"].as_str().unwrap());
        if let Some(process) = process {
            let attempt = run["attempt"].to_string();
            assert_eq!(process, (attempt.as_str(), due), "{fault}: {run}");
        }
        match (run["outcome"].as_str().unwrap(), process) {
            ("succeeded", Some(_)) => {}
            // Decided ahead, and not yet due when the job was paused.
            ("cancelled", None) => {}
            // Whether it had a process, nobody lives to tell.
            ("lost", _) if may_lose => {}
            _ => panic!("{fault}: {process:?} is all that is seen of {run}"),
        }
        let instant: jiff::Timestamp = due.parse().unwrap();
        assert!(instants.insert(instant.as_second()), "{fault}: {due} twice");
    }
    assert!(started.is_empty(), "{fault}: no runs for {started:?}");
    let (first, last) = (instants.first().unwrap(), instants.last().unwrap());
    let length = usize::try_from(last - first + 1).unwrap();
    assert_eq!(
        length,
        instants.len(),
        "{fault}: one has no outcome: {instants:?}"
    );
}

/// Each run that succeeded is followed by one run, which has two attempts with a process each.
fn verdict_of_following(evidence: &str, runs: &[Value], following: &[Value], fault: &str) {
    assert_no_line_twice(evidence);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut causes: Vec<_> = following
        .iter()
        .map(|run| text(&run["cause_run"]))
        .collect();
    let succeeded = runs.iter().filter(|run| run["outcome"] == "succeeded");
    let mut expected: Vec<_> = succeeded.map(|run| text(&run["id"])).collect();
    causes.sort();
    expected.sort();
    assert_eq!(causes, expected, "{fault}: what follows what");
    let mut lines = BTreeSet::new();
    for run in following {
        assert_eq!(run["outcome"], "succeeded", "{fault}: {run}");
        assert_eq!(run["attempt"], 2, "{fault}: {run}");
        let id = text(&run["id"]);
        lines.extend([format!("{id} 1"), format!("{id} 2")]);
    }
    let wrote: BTreeSet<_> = evidence.lines().map(str::to_owned).collect();
    assert_eq!(wrote, lines, "{fault}: the processes of what follows");
}
