//! `odin doctor` on this machine: without a server, with one, and with one that is not as it should be.
#![allow(clippy::unwrap_used)]

mod faults;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use faults::{ODIN, Place, wait_until_gone};
use odin_testbed::sealed;
use rustix::process::Signal;
use serde_json::Value;

/// The states by name, and all that was said.
fn findings(output: &Output) -> Vec<(String, String, String)> {
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let checks = json["checks"].as_array().unwrap();
    let field = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    checks
        .iter()
        .map(|check| {
            // What is not well has a next step.
            assert_eq!(check["help"].is_string(), check["state"] != "ok", "{check}");
            (
                field(check, "name"),
                field(check, "state"),
                field(check, "detail"),
            )
        })
        .collect()
}

#[track_caller]
fn state<'a>(findings: &'a [(String, String, String)], name: &str) -> &'a str {
    let found = findings.iter().find(|(found, _, _)| found == name);
    &found
        .unwrap_or_else(|| panic!("{name} is not in {findings:?}"))
        .1
}

#[test]
fn without_a_server_it_says_what_the_machine_can_do() {
    let home = tempfile::tempdir().unwrap();
    let doctor = |arguments: &[&str]| {
        sealed(Path::new(ODIN))
            .env("ODIN_DATA_DIR", home.path().join("none"))
            .arg("doctor")
            .args(arguments)
            .output()
            .unwrap()
    };
    let output = doctor(&["--json", "--server", "unix:/no/such/odin.sock"]);
    // The server that was named is a problem; the machine has what the tests need.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = findings(&output);
    let problems: Vec<_> = found.iter().filter(|it| it.1 == "problem").collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(state(&found, "server"), "problem");
    for name in ["kernel", "limit open_files", "sh", "bash", "python3"] {
        assert_eq!(state(&found, name), "ok", "{name}");
    }
    let user = &found.iter().find(|it| it.0 == "user").unwrap().2;
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(user.starts_with("root"), is_root, "{user}");

    let drawn = doctor(&["--server", "unix:/no/such/odin.sock"]);
    let text = String::from_utf8(drawn.stdout).unwrap();
    assert_eq!(
        text.lines().filter(|line| !line.starts_with(' ')).count(),
        found.len() + 1
    );
    assert!(text.contains("\n1 problem, "), "{text}");
}

#[test]
fn a_server_that_is_well_has_no_problem_and_what_is_not_is_named_with_what_mends_it() {
    let place = Place::new();
    place.executor();
    let doctor = || place.server.odin(["doctor", "--json"]);
    let well = doctor();
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    let found = findings(&well);
    for name in [
        "server",
        "leader",
        "node master-node",
        "executor",
        "data directory",
        "history",
    ] {
        assert_eq!(state(&found, name), "ok", "{name}");
    }

    let key = place.server.data_dir().join("secrets.key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let ill = doctor();
    assert_eq!(ill.status.code(), Some(1), "{ill:?}");
    assert_eq!(state(&findings(&ill), "data directory"), "problem");
    // As it says.
    let json: Value = serde_json::from_slice(&ill.stdout).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let mends = format!("Close it: `chmod 0600 {}`.", key.display());
    assert!(checks.iter().any(|check| check["help"] == mends), "{json}");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(doctor().status.code(), Some(0));
}

#[test]
fn a_server_whose_executor_is_gone_for_good_is_ill() {
    let place = Place::new();
    let executor = place.executor();
    // Another one cannot be started: a file is where its directory should be.
    let directory = place.server.data_dir().join("executor");
    std::fs::rename(&directory, place.path("aside")).unwrap();
    std::fs::write(&directory, "in the way").unwrap();
    faults::signal(executor, Signal::KILL);
    wait_until_gone(executor);
    let found = place.server.wait_for("no executor", |server| {
        let found = findings(&server.odin(["doctor", "--json"]));
        (state(&found, "executor") == "problem").then_some(found)
    });
    assert_eq!(state(&found, "server"), "ok");
}
