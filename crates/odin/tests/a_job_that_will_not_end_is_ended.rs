//! Timeouts and cancels of jobs that do what they can to stay.
#![allow(clippy::unwrap_used)]

mod faults;

use faults::{Place, wait_until_gone};

/// A tree that ignores TERM: itself, a child, a grandchild whose parent is gone, and one in a session of its own.
const STAYS: &str = "trap '' TERM
stay() { echo $BASHPID >> $HERE/pids; while :; do sleep 0.1; done; }
stay &
(stay &) &
setsid bash -c 'trap \"\" TERM; echo $$ >> $HERE/pids; while :; do sleep 0.1; done' &
until [ \"$(wc -l < $HERE/pids)\" = 3 ]; do sleep 0.02; done
echo $$ >> $HERE/pids; echo all > $HERE/there; wait\n";

fn all_gone(place: &Place) {
    let pids = place.evidence("pids");
    assert_eq!(pids.lines().count(), 4, "{pids}");
    for pid in pids.lines() {
        wait_until_gone(pid.parse().unwrap());
    }
}

#[test]
fn a_timeout_ends_a_whole_tree_that_ignores_term() {
    let place = Place::new();
    place.deploy("stays", "never", "  timeout: 2s\n", STAYS);
    let run = place.run("stays");
    place.wait_for_evidence("there");
    let ended = place.ended("stays", &run);
    assert_eq!(ended["outcome"], "timed_out", "{ended}");
    all_gone(&place);
}

#[test]
fn a_cancel_ends_a_whole_tree_that_ignores_term() {
    let place = Place::new();
    place.deploy("stays", "never", "", STAYS);
    let run = place.run("stays");
    place.wait_for_evidence("there");
    place.server.json(["cancel", "-i", &run]);
    let ended = place.ended("stays", &run);
    assert_eq!(ended["outcome"], "cancelled", "{ended}");
    all_gone(&place);
    // A second cancel finds it over.
    let again = place.server.odin(["cancel", "-i", &run]);
    assert_eq!(again.status.code(), Some(6), "{again:?}");
}

#[test]
fn what_a_job_leaves_behind_is_ended_with_it() {
    let place = Place::new();
    let code = "(sleep 300 & echo $! >> $HERE/pids) &
setsid sleep 300 & echo $! >> $HERE/pids
until [ \"$(wc -l < $HERE/pids)\" = 2 ]; do sleep 0.02; done; echo done\n";
    place.deploy("leaves", "never", "", code);
    let run = place.run("leaves");
    let ended = place.ended("leaves", &run);
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(place.output(&run), b"done\n");
    for pid in place.evidence("pids").lines() {
        wait_until_gone(pid.parse().unwrap());
    }
}
