//! A loop of a real server that never goes on: the server says so itself, in `/healthz`, by an alert and in its log.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use odin_testbed::Server;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

struct Place {
    server: Server,
    directory: tempfile::TempDir,
}

impl Place {
    fn start(fault: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let environment = [("ODIN_FAULT", fault)];
        let data = directory.path().join("data");
        let server = Server::try_start_in(Path::new(ODIN), &data, &[], &environment).unwrap();
        Self { server, directory }
    }

    fn deploy(&self, job: &str) {
        let file = self.directory.path().join("job.yml");
        std::fs::write(&file, job).unwrap();
        self.server
            .json([Path::new("deploy"), Path::new("-f"), &file]);
    }

    fn alerts(&self, kind: &str, state: &str) -> Vec<Value> {
        let Value::Object(mut answer) = self.server.json(["alerts", "--state", state]) else {
            panic!("alerts are an object");
        };
        let Some(Value::Array(alerts)) = answer.remove("alerts") else {
            panic!("alerts are a list");
        };
        alerts
            .into_iter()
            .filter(|alert| alert["kind"] == kind)
            .collect()
    }

    fn wait_for_alert(&self, kind: &str, state: &str) -> Value {
        self.server
            .wait_for(&format!("an alert {kind}, {state}"), |_| {
                self.alerts(kind, state).pop()
            })
    }

    /// What the server says of itself to everybody.
    fn health(&self) -> Value {
        let mut stream = TcpStream::connect(&self.server.http).unwrap();
        let host = &self.server.http;
        let asked = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(asked.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

#[test]
fn a_leader_that_decides_nothing_is_an_alert_and_so_is_what_it_leaves_undecided() {
    let mut place = Place::start("server-fire-before:2@hang");
    assert_eq!(place.health()["status"], "serving");
    place.deploy("job: {name: tick, command: 'true', schedule: every second, grace: 1s}");

    let alert = place.wait_for_alert("loop_stuck", "open");
    let text = alert["text"].as_str().unwrap();
    assert!(
        text.contains("the leader loop of `master-node` does not advance"),
        "{alert}"
    );
    let health = place.health();
    assert_eq!(health["status"], "degraded");
    assert!(
        health["troubles"][0]
            .as_str()
            .unwrap()
            .contains("leader loop"),
        "{health}"
    );
    // What is due is not decided, and the job's owner is told.
    let alert = place.wait_for_alert("ledger_gap", "open");
    assert_eq!(alert["job_name"], "tick", "{alert}");
    let doctor = place.server.odin(["doctor"]);
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("the leader loop of"), "{said}");

    place.server.kill();
    place.server.set_environment(&[]);
    place.server.restart();
    place.wait_for_alert("loop_stuck", "resolved");
    place.wait_for_alert("ledger_gap", "resolved");
    assert!(place.alerts("loop_stuck", "open").is_empty());
    assert_eq!(place.health()["status"], "serving");
}

#[test]
fn an_agent_that_arms_nothing_is_an_alert() {
    let place = Place::start("server-arm-before@hang");
    place.deploy("job: {name: tick, command: 'true', schedule: every second}");
    let alert = place.wait_for_alert("loop_stuck", "open");
    let text = alert["text"].as_str().unwrap();
    assert!(
        text.contains("the agent loop of `master-node` does not advance"),
        "{alert}"
    );
}

#[test]
fn a_state_that_takes_nothing_more_is_told_without_an_alert() {
    // The first entries found the cluster and say that the node is up.
    let place = Place::start("server-apply-before:8@hang");
    let file = place.directory.path().join("job.yml");
    std::fs::write(
        &file,
        "job: {name: tick, command: 'true', schedule: every second}",
    )
    .unwrap();
    // It may itself be what is never applied.
    let mut deploy = place.server.command();
    let mut deploy = deploy
        .args(["deploy", "-f", file.to_str().unwrap()])
        .spawn()
        .unwrap();
    place.server.wait_for("the server to say so", |_| {
        let health = place.health();
        let troubles = health["troubles"].as_array().unwrap();
        let is_told = |it: &Value| it.as_str().unwrap().contains("the apply loop");
        troubles.iter().any(is_told).then_some(())
    });
    deploy.kill().unwrap();
    deploy.wait().unwrap();
}
