//! A job that cannot be planned, among good ones, against a real server.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use odin_testbed::Server;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

struct Place {
    server: Server,
    directory: tempfile::TempDir,
}

impl Place {
    /// A server with the empty calendar `holidays` and two jobs that are due each second, of which `poisoned` heeds it.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
        let place = Self { server, directory };
        place.set_holidays();
        place.deploy("good", "every second");
        place.deploy("poisoned", "every second except on holidays");
        place
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn set_holidays(&self) {
        let file = self.file("holidays.txt", "");
        self.done(&["calendar", "set", "holidays", "-f", &file]);
    }

    fn deploy(&self, name: &str, schedule: &str) {
        let text = format!("job: {{name: {name}, command: 'true', schedule: {schedule}}}\n");
        let file = self.file(&format!("{name}.yml"), &text);
        self.done(&["deploy", "-f", &file]);
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.server.odin(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn job(&self, name: &str) -> Value {
        self.server.json(["describe", "-i", name])
    }

    /// Takes the calendar away, and waits until `poisoned` is set apart.
    fn poison(&self) -> Value {
        self.done(&["calendar", "remove", "holidays", "--force"]);
        self.server.wait_for("the job to be set apart", |_| {
            let job = self.job("poisoned");
            (!job["quarantined"].is_null()).then_some(job)
        })
    }

    /// Waits until a due time of `poisoned` is decided, and says how.
    fn outcome_of(&self, due: &Value) -> Value {
        let due = due.as_str().unwrap();
        self.server
            .wait_for("the due time to be decided", |server| {
                let output = server.odin(["why", "poisoned", due, "--json"]);
                let entry: Value = serde_json::from_slice(&output.stdout).ok()?;
                Some(entry["outcome"].clone())
            })
    }

    /// Waits until a run of the job ends that was not its last one.
    fn wait_for_a_run(&self, name: &str) {
        let last = self.job(name)["last_run"].clone();
        self.server.wait_for("another run", |_| {
            (self.job(name)["last_run"] != last).then_some(())
        });
    }
}

#[test]
fn the_others_go_on_and_the_job_with_its_calendar_when_that_comes_back() {
    let place = Place::new();
    place.wait_for_a_run("poisoned");
    let job = place.poison();
    let reason = job["quarantined"]["reason"].as_str().unwrap();
    assert!(reason.contains("holidays"), "{reason}");
    assert_eq!(job["state"], "enabled");
    let stopped_at = job["next_due"].clone();

    place.wait_for_a_run("good");
    place.wait_for_a_run("good");
    let listed = place.done(&["list"]);
    let line = listed
        .lines()
        .find(|line| line.contains("poisoned"))
        .unwrap();
    assert!(line.contains(" quarantined "), "{listed}");
    assert!(
        place
            .done(&["status", "-i", "poisoned"])
            .contains("odin resume")
    );
    assert!(place.done(&["describe", "-i", "poisoned"]).contains(reason));
    assert_eq!(place.job("poisoned")["next_due"], stopped_at);

    let refused = place.server.odin(["resume", "-i", "poisoned"]);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("schedule/unknown-calendar"), "{stderr}");

    place.set_holidays();
    place.server.wait_for("the job to be released", |_| {
        place.job("poisoned")["quarantined"].is_null().then_some(())
    });
    // Where it stopped, it went on: that due time has its one outcome.
    assert_eq!(place.outcome_of(&stopped_at), "started");
}

#[test]
fn an_edit_mends_the_job_and_a_restart_does_not_forget_it() {
    let mut place = Place::new();
    let before = place.poison();
    place.server.terminate();
    place.server.restart();
    place.wait_for_a_run("good");
    assert!(!place.job("poisoned")["quarantined"].is_null());

    place.done(&["modify", "-i", "poisoned", "-s", "every second"]);
    place.wait_for_a_run("poisoned");
    let job = place.job("poisoned");
    assert!(job["quarantined"].is_null());
    assert_eq!(job["version"], 2);
    assert!(job["revision"].as_u64() > before["revision"].as_u64());
}

#[test]
fn a_job_that_is_set_apart_can_be_paused_and_removed() {
    let place = Place::new();
    let stopped_at = place.poison()["next_due"].clone();
    // Only what is due has to be answered for; what is decided ahead of time is less than 5 s ahead.
    let instant: jiff::Timestamp = stopped_at.as_str().unwrap().parse().unwrap();
    place.server.wait_for("the due time to be past", |_| {
        let good = place.job("good")["next_due"]
            .as_str()?
            .parse::<jiff::Timestamp>();
        (good.unwrap().duration_since(instant).as_secs() > 8).then_some(())
    });
    let paused = place.server.json(["pause", "-i", "poisoned"]);
    assert_eq!(paused["state"], "paused");
    assert!(paused["quarantined"].is_null());
    assert_eq!(place.outcome_of(&stopped_at), "misfired");
    place.done(&["remove", "-i", "poisoned"]);
}

/// A mistake in Odin's own planning, brought about by the fault point, is one job's trouble only.
#[test]
fn planning_that_panics_sets_one_job_apart_and_a_resume_tries_it_again() {
    let mut place = Place::new();
    place.deploy("poisoned", "every second");
    place.server.terminate();
    place
        .server
        .set_environment(&[("ODIN_FAULT", "server-plan-before:3@panic")]);
    place.server.restart();
    let is_apart = |name: &&str| !place.job(name)["quarantined"].is_null();
    let names = ["good", "poisoned"];
    let apart = place.server.wait_for("a job to be set apart", |_| {
        names.into_iter().find(is_apart)
    });
    let other = names.into_iter().find(|name| *name != apart).unwrap();
    place.wait_for_a_run(other);
    place.wait_for_a_run(other);
    let job = place.job(apart);
    let reason = job["quarantined"]["reason"].as_str().unwrap();
    assert!(reason.contains("by a mistake of Odin"), "{reason}");
    assert!(place.job(other)["quarantined"].is_null());
    let stopped_at = job["next_due"].clone();

    place.done(&["resume", "-i", apart]);
    assert!(place.job(apart)["quarantined"].is_null());
    // Where it stopped, it went on: that due time has its one outcome.
    let outcome = place.outcome_of(&stopped_at);
    assert!(
        ["started", "coalesced"].contains(&outcome.as_str().unwrap()),
        "{outcome}"
    );
    place.wait_for_a_run(apart);
    assert_eq!(
        place.server.executors().len(),
        1,
        "nothing was started anew"
    );
}
