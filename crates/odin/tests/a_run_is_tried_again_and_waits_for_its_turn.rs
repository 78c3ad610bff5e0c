//! Retries and concurrency, as a user of one server sees them.
#![allow(clippy::unwrap_used)]

mod faults;

use faults::Place;
use serde_json::Value;

/// The run alone, with its attempts.
fn in_full(place: &Place, run: &str) -> Value {
    place.server.json(["log", "-i", run])["runs"][0].clone()
}

fn wait_for_state(place: &Place, run: &str, state: &str) -> Value {
    place.server.wait_for(&format!("{run} to be {state}"), |_| {
        let seen = in_full(place, run);
        (seen["state"] == state).then_some(seen)
    })
}

#[test]
fn a_run_that_fails_is_tried_again_until_it_succeeds() {
    let place = Place::new();
    place.deploy(
        "flaky",
        "never",
        "  retries: {max: 3, backoff: fixed, delay: 100ms, exit_codes: [75]}\n",
        "echo attempt $ODIN_ATTEMPT of $ODIN_RUN_ID\n[ $ODIN_ATTEMPT = 3 ] || exit 75\n",
    );
    let run = place.run("flaky");
    let ended = place.ended("flaky", &run);
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(ended["attempt"], 3);

    let full = in_full(&place, &run);
    let attempts: Vec<_> = full["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["attempt"].as_u64().unwrap(),
                it["outcome"].clone(),
                it["exit_code"].clone(),
            )
        })
        .collect();
    let row = |number, outcome: &str, code| (number, Value::from(outcome), Value::from(code));
    assert_eq!(
        attempts,
        [
            row(1, "failed", 75),
            row(2, "failed", 75),
            row(3, "succeeded", 0)
        ]
    );
    let shown = place.server.odin(["log", "-i", &run]);
    let text = String::from_utf8(shown.stdout).unwrap();
    for number in 1..=3 {
        assert!(
            text.contains(&format!("attempt {number} of {run}\n")),
            "{text}"
        );
    }
    assert!(
        text.starts_with("attempt 1 on master-node: failed (exit status 75)\n"),
        "{text}"
    );
}

#[test]
fn a_run_without_a_due_time_was_due_when_it_became_ready_in_each_of_its_attempts() {
    let place = Place::new();
    let code = "echo $ODIN_DUE_AT >> $HERE/$ODIN_JOB_NAME\n[ $ODIN_ATTEMPT = 2 ]\n";
    for name in ["asked", "linked"] {
        let settings = "  retries: {max: 1, backoff: fixed, delay: 1100ms}\n";
        place.deploy(name, "never", settings, code);
    }
    place.server.json(["link", "-f", "asked", "-t", "linked"]);
    let asked = place.run("asked");
    place.ended("asked", &asked);
    let linked = place.server.wait_for("the linked run", |server| {
        let runs = server.json(["runs", "-i", "linked"]);
        Some(runs["runs"].get(0)?["id"].as_str()?.to_owned())
    });
    for (name, run) in [("asked", &asked), ("linked", &linked)] {
        let ended = place.ended(name, run);
        assert_eq!(ended["attempt"], 2, "{ended}");
        let said = place.evidence(name);
        let due: Vec<jiff::Timestamp> = said.lines().map(|at| at.parse().unwrap()).collect();
        assert_eq!(due.len(), 2, "{said}");
        let queued_at: jiff::Timestamp = ended["queued_at"].as_str().unwrap().parse().unwrap();
        for due in due {
            assert_eq!(due, queued_at, "{said}");
        }
    }
}

#[test]
fn another_exit_status_and_the_last_retry_end_the_run() {
    let place = Place::new();
    place.deploy(
        "wrong",
        "never",
        "  retries: {max: 3, delay: 100ms, exit_codes: [75]}\n",
        "exit 3\n",
    );
    let run = place.run("wrong");
    let ended = place.ended("wrong", &run);
    assert_eq!(
        (&ended["outcome"], &ended["attempt"]),
        (&"failed".into(), &1.into())
    );

    place.deploy(
        "worse",
        "never",
        "  retries: {max: 1, delay: 100ms}\n",
        "exit 3\n",
    );
    let run = place.run("worse");
    let ended = place.ended("worse", &run);
    assert_eq!(
        (&ended["outcome"], &ended["attempt"]),
        (&"failed".into(), &2.into())
    );
}

#[test]
fn a_retry_survives_its_server_and_is_ended_by_a_cancel() {
    let mut place = Place::new();
    let code = "echo $ODIN_ATTEMPT >> $HERE/$ODIN_JOB_NAME\n[ $ODIN_ATTEMPT = 2 ]\n";
    place.deploy(
        "later",
        "never",
        "  retries: {max: 1, backoff: fixed, delay: 3s}\n",
        code,
    );
    place.deploy(
        "much_later",
        "never",
        "  retries: {max: 1, delay: 1h}\n",
        code,
    );
    let (later, much_later) = (place.run("later"), place.run("much_later"));
    wait_for_state(&place, &later, "retrying");
    let waits = wait_for_state(&place, &much_later, "retrying");
    assert!(waits["retry_at"].is_string(), "{waits}");
    assert_eq!(waits["attempts"].as_array().unwrap().len(), 1);

    place.server.kill();
    place.server.restart();
    assert_eq!(place.ended("later", &later)["outcome"], "succeeded");
    assert_eq!(place.evidence("later"), "1\n2\n");

    let cancelled = place.server.json(["cancel", "-i", &much_later]);
    assert_eq!(cancelled["outcome"], "cancelled", "{cancelled}");
    assert_eq!(place.evidence("much_later"), "1\n");
}

/// Goes on until it is told to end, and says when it begins and ends.
const UNTIL_TOLD: &str = "echo begin >> $HERE/said
until [ -e $HERE/go ]; do sleep 0.02; done
echo end >> $HERE/said\n";

#[test]
fn runs_wait_for_their_turn_up_to_the_bound() {
    let place = Place::new();
    place.deploy(
        "one_by_one",
        "never",
        "  concurrency: {policy: queue, waiting: 1}\n",
        UNTIL_TOLD,
    );
    let first = place.run("one_by_one");
    place.wait_for_evidence("said");
    let second = place.run("one_by_one");
    let waits = in_full(&place, &second);
    assert_eq!(
        (&waits["state"], &waits["waits_for"]),
        (&"queued".into(), &"turn".into())
    );
    let refused = place.server.odin(["--json", "run", "-i", "one_by_one"]);
    assert_eq!(refused.status.code(), Some(6));
    let problem: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(problem["code"], "job/queue-full", "{problem}");

    std::fs::write(place.path("go"), "").unwrap();
    for run in [&first, &second] {
        assert_eq!(place.ended("one_by_one", run)["outcome"], "succeeded");
    }
    assert_eq!(place.evidence("said"), "begin\nend\nbegin\nend\n");
}

#[test]
fn a_newer_run_replaces_the_active_one_and_the_one_that_waits() {
    let place = Place::new();
    place.deploy(
        "newest",
        "never",
        "  concurrency: replace\n",
        "echo $ODIN_RUN_ID begins >> $HERE/said
trap 'until [ -e $HERE/go ]; do sleep 0.02; done; echo $ODIN_RUN_ID ends >> $HERE/said; exit 1' TERM
until [ -e $HERE/go ]; do sleep 0.02; done\n",
    );
    let first = place.run("newest");
    place.wait_for_evidence("said");
    let second = place.run("newest");
    let third = place.run("newest");
    let waited = place.ended("newest", &second);
    assert_eq!(waited["outcome"], "cancelled", "{waited}");
    assert_eq!(waited["reason"], format!("replaced by {third}"));

    std::fs::write(place.path("go"), "").unwrap();
    let replaced = place.ended("newest", &first);
    assert_eq!(replaced["outcome"], "cancelled", "{replaced}");
    assert_eq!(replaced["reason"], format!("replaced by {second}"));
    assert_eq!(place.ended("newest", &third)["outcome"], "succeeded");
    let said = place.evidence("said");
    assert_eq!(
        said,
        format!("{first} begins\n{first} ends\n{third} begins\n")
    );
}
