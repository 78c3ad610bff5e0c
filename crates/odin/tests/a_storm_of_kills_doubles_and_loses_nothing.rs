//! `kill -9` of the server again and again, under a job a second: the history and the job's own evidence agree.
#![allow(clippy::unwrap_used)]

mod faults;

use std::collections::BTreeSet;

use faults::{Place, assert_no_line_twice, wait_for};

const KILLS: usize = 20;

#[test]
fn twenty_kills_in_a_row() {
    let mut place = Place::new();
    let executor = place.executor();
    place.deploy(
        "ticks",
        "every second",
        "",
        "echo $ODIN_DUE_AT >> $HERE/starts\n",
    );
    place.wait_for_evidence("starts");
    for kill in 0..KILLS {
        // Some as soon as it is ready, some once it has begun to work, some in the middle of it.
        if kill % 3 > 0 {
            let wanted = place.evidence("starts").lines().count() + kill % 3 - 1;
            wait_for("starts", || {
                (place.evidence("starts").lines().count() >= wanted).then_some(())
            });
        }
        place.server.kill();
        place.server.restart();
    }
    let before = place.evidence("starts").lines().count();
    wait_for("further starts", || {
        (place.evidence("starts").lines().count() >= before + 2).then_some(())
    });
    place.server.json(["pause", "-i", "ticks"]);
    let runs = place.server.wait_for("the end of all runs", |server| {
        let list = server.json(["runs", "-i", "ticks", "--limit", "1000"]);
        let runs = list["runs"].as_array().unwrap().clone();
        let over = runs.iter().all(|run| run["state"] == "finished");
        over.then_some(runs)
    });

    let starts = place.evidence("starts");
    assert_no_line_twice(&starts);
    let due = |outcome: &str| -> BTreeSet<String> {
        let of_outcome = runs.iter().filter(|run| run["outcome"] == outcome);
        of_outcome
            .map(|run| run["due_at"].as_str().unwrap().to_owned())
            .collect()
    };
    let started: BTreeSet<_> = starts.lines().map(str::to_owned).collect();
    assert_eq!(due("succeeded"), started);
    // What the pause found undecided or waiting is cancelled, and nothing else ended otherwise.
    assert_eq!(due("succeeded").len() + due("cancelled").len(), runs.len());
    // Every second between the first and the last has its outcome.
    let zone_free = |text: &String| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let all: BTreeSet<_> = due("succeeded")
        .union(&due("cancelled"))
        .map(zone_free)
        .collect();
    let (first, last) = (*all.first().unwrap(), *all.last().unwrap());
    let length = usize::try_from(last - first + 1).unwrap();
    assert_eq!(all.len(), length, "a second without an outcome: {all:?}");
    assert_eq!(runs.len(), length, "a second with two runs");
    assert_eq!(
        place.executor(),
        executor,
        "the executor was there all the time"
    );
}
