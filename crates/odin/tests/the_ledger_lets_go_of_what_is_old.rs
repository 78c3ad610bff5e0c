//! The ledger keeps what became of due times for as long as it was told to, and says so of what is older.
#![allow(clippy::unwrap_used)]

mod faults;

use std::path::Path;

use faults::{ODIN, Place, wait_for};
use odin_testbed::Server;
use serde_json::Value;

/// A server that keeps its ledger for a few seconds.
fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let arguments = ["--history-period", "1s", "--keep-ledger", "3s"];
    let server = Server::try_start(Path::new(ODIN), &data_dir, &arguments).unwrap();
    Place { server, directory }
}

#[test]
fn what_is_older_is_said_to_be_and_the_proof_goes_on_from_there() {
    let mut place = place();
    place.deploy("ticks", "every second", "", "true\n");
    let first = wait_for("a run", || {
        let runs = place.runs("ticks");
        Some(runs.last()?["due_at"].as_str()?.to_owned())
    });
    let answer = wait_for("the end of what the ledger keeps", || {
        let answer = place.server.odin(["why", "ticks", &first, "--json"]);
        let problem = serde_json::from_slice::<Value>(&answer.stderr).ok()?;
        (!answer.status.success()).then_some(problem)
    });
    assert_eq!(answer["code"], "ledger/not-kept", "{answer}");
    let reason = answer["detail"].as_str().unwrap();
    assert!(reason.contains("no longer kept"), "{reason}");

    let check = |place: &Place| {
        let verified = place.server.json(["verify"]);
        assert_eq!(verified["sound"], true, "{verified}");
        let undetermined = verified["undetermined"].as_array().unwrap();
        let because = undetermined[0]["because"].as_str().unwrap();
        assert!(because.contains("no longer kept"), "{verified}");
        let runs = place.runs("ticks");
        let newest = runs[0]["due_at"].as_str().unwrap();
        let newest = place.server.json(["why", "ticks", newest]);
        assert_eq!(newest["outcome"], "started", "{newest}");
    };
    check(&place);
    let window = ["--from", &first, "--to", &first, "--json"];
    let refused = place
        .server
        .odin([&["catch-up", "-i", "ticks"][..], &window].concat());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("ledger/not-kept"), "{said}");
    place.server.kill();
    place.server.restart();
    check(&place);
}
