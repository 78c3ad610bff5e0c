//! Versions as their users see them, against a real server.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use odin_testbed::Server;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

struct Place {
    server: Server,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
        Self { server, directory }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn odin(&self, arguments: &[&str]) -> Output {
        self.server.odin(arguments)
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.odin(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.odin(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        stderr
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Writes the job's files and gives the path of its job file.
    fn files(&self, code: &str, keys: &str) -> String {
        self.write("greet.sh", code);
        let text =
            format!("job: {{name: greet, language: sh, file: greet.sh, schedule: never{keys}}}\n");
        self.write("greet.yml", &text)
    }
}

#[test]
fn a_job_goes_back_and_runs_what_it_was() {
    let place = Place::new();
    let file = place.files("echo one\n", "");
    place.done(&["deploy", "-f", &file]);
    place.refused(&["diff", "-i", "greet"], 4);
    place.files("echo two\n", ", timeout: 10m");

    let outlook = place.json(&["diff", "-f", &file]);
    assert_eq!(
        (&outlook["from"], &outlook["to"]),
        (&1.into(), &Value::Null)
    );
    place.done(&["deploy", "-f", &file]);
    let difference = place.json(&["diff", "-i", "greet"]);
    assert_eq!(
        (&difference["from"], &difference["to"]),
        (&1.into(), &2.into())
    );
    for key in ["settings", "files"] {
        assert_eq!(outlook[key], difference[key], "{key}");
    }
    assert_eq!(
        difference["settings"],
        serde_json::json!([{"name": "timeout", "before": "none", "after": "10m"}])
    );
    let paths: Vec<_> = difference["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["path"].as_str().unwrap(),
                file["change"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(paths, [("greet.sh", "changed"), ("greet.yml", "changed")]);
    let words = place.done(&["diff", "-i", "greet"]);
    assert!(words.contains("    -echo one\n    +echo two\n"), "{words}");

    place.done(&[
        "modify",
        "-i",
        "greet",
        "-n",
        "hail",
        "-d",
        "Says it",
        "-s",
        "every hour",
    ]);
    let modified = place.json(&["diff", "-i", "hail"]);
    let names: Vec<_> = modified["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| setting["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["name", "description", "schedule"]);
    assert_eq!(modified["files"], serde_json::json!([]));

    let back = place.json(&["rollback", "-i", "hail", "--to", "1"]);
    assert_eq!(
        (&back["name"], &back["version"], &back["next_due"]),
        (&"greet".into(), &4.into(), &Value::Null)
    );
    place.done(&["run", "-i", "greet", "--wait"]);
    assert!(place.done(&["log", "-i", "greet"]).ends_with("one\n"));
    // History is not rewritten.
    let versions = place.json(&["versions", "-i", "greet"]);
    let names: Vec<_> = versions["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["greet", "hail", "greet", "greet"]);
    let same = place.done(&["diff", "-i", "greet", "--from", "1"]);
    assert!(same.ends_with("nothing differs\n"), "{same}");
}

#[test]
fn what_cannot_be_gone_back_to_is_refused() {
    let place = Place::new();
    let file = place.files("echo one\n", "");
    place.done(&["deploy", "-f", &file]);
    place.done(&["modify", "-i", "greet", "-n", "hail"]);
    let write = |name: &str| {
        place.write(
            "other.yml",
            &format!("job: {{name: {name}, command: 'true', schedule: never}}\n"),
        )
    };
    place.done(&["deploy", "-f", &write("greet")]);
    for (to, exit, code) in [
        ("9", 4, "job/no-such-version"),
        ("2", 6, "job/already"),
        ("1", 6, "job/name-taken"),
    ] {
        let stderr = place.refused(&["rollback", "-i", "hail", "--to", to], exit);
        assert!(stderr.contains(code), "{to}: {stderr}");
    }
    assert_eq!(place.json(&["describe", "-i", "hail"])["version"], 2);
    // A file of a job that is not there yet adds everything.
    let new = place.json(&["diff", "-f", &write("new")]);
    assert_eq!(new["from"], Value::Null);
    assert_eq!(new["files"][0]["change"], "added");
}

#[test]
fn of_two_people_who_change_a_job_at_once_the_second_is_told() {
    let place = Place::new();
    let file = place.files("echo 1", "");
    place.done(&["deploy", "-f", &file]);
    let seen = place.json(&["describe", "-i", "greet"])["revision"].to_string();
    place.done(&[
        "modify",
        "-i",
        "greet",
        "-d",
        "the first",
        "--if-revision",
        &seen,
    ]);

    let check = |arguments: &[&str]| {
        let stderr = place.refused(&[arguments, &["--if-revision", &seen]].concat(), 6);
        assert!(stderr.contains("job/conflict"), "{stderr}");
        assert!(stderr.contains("Its version 2 was made by "), "{stderr}");
    };
    check(&["modify", "-i", "greet", "-d", "the second"]);
    check(&["deploy", "-f", &file]);
    check(&["deploy", "-f", &file, "--dry-run"]);
    check(&["remove", "-i", "greet"]);
    check(&["pause", "-i", "greet"]);
    check(&["resume", "-i", "greet"]);
    let job = place.json(&["describe", "-i", "greet"]);
    assert_eq!(
        (&job["description"], &job["version"]),
        (&"the first".into(), &2.into())
    );

    let directory = place.directory.path().to_str().unwrap();
    place.refused(&["deploy", "-f", directory, "--if-revision", &seen], 2);
    let now = job["revision"].to_string();
    place.done(&["deploy", "-f", &file, "--if-revision", &now]);
    let now = place.json(&["describe", "-i", "greet"])["revision"].to_string();
    place.done(&["pause", "-i", "greet", "--if-revision", &now]);
    // Somebody who saw it enabled finds that it is not.
    let stderr = place.refused(&["pause", "-i", "greet", "--if-revision", &now], 6);
    assert!(stderr.contains("job/conflict"), "{stderr}");
    assert!(stderr.contains("it is paused"), "{stderr}");
}
