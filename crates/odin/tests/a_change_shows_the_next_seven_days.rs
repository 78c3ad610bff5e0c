//! What a new schedule changes is shown before it does, and after.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use odin_testbed::Server;
use serde_json::{Value, json};

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

    fn odin(&self, arguments: &[&str]) -> Output {
        self.server
            .command()
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.odin(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn write(&self, schedule: &str) {
        let file =
            format!("job: {{name: tidy, command: ls, schedule: {schedule}, timezone: UTC}}\n");
        std::fs::write(self.directory.path().join("tidy.yml"), file).unwrap();
    }
}

/// How many occurrences come, go and stay.
fn counts(outlook: &Value) -> [&Value; 3] {
    [
        &outlook["added"]["count"],
        &outlook["removed"]["count"],
        &outlook["kept"],
    ]
}

#[test]
fn a_new_schedule_shows_what_comes_and_goes_before_and_after_the_change() {
    let place = Place::new();
    place.write("every day at 09:00");
    let new = place.json(&["deploy", "-f", "tidy.yml", "--dry-run"]);
    assert_eq!(new["outlook"], Value::Null);
    assert_eq!(new["occurrences"].as_array().unwrap().len(), 5);
    place.done(&["deploy", "-f", "tidy.yml"]);

    // In any seven days of UTC each time of day comes seven times.
    place.write("every day at 09:00 and 21:00");
    let rehearsal = place.json(&["deploy", "-f", "tidy.yml", "--dry-run"]);
    assert_eq!(
        counts(&rehearsal["outlook"]),
        [&json!(7), &json!(0), &json!(7)]
    );
    let told = place.done(&["deploy", "-f", "tidy.yml", "--dry-run"]);
    assert!(told.contains("version 2 of job"), "{told}");
    assert!(
        told.contains("the next seven days: 7 more, 0 fewer, 7 as before\n    + "),
        "{told}"
    );
    assert!(told.contains("+ and 2 later"), "{told}");

    let modify = ["modify", "-i", "tidy", "-s", "every day at 21:00"];
    let rehearsal = place.json(&[&modify[..], &["--dry-run"]].concat());
    assert_eq!(
        counts(&rehearsal["outlook"]),
        [&json!(7), &json!(7), &json!(0)]
    );
    assert_eq!(rehearsal["outlook"]["next_due"], rehearsal["next_due"]);
    let job = place.json(&["describe", "-i", "tidy"]);
    assert_eq!(
        (&job["schedule"], &job["version"]),
        (&json!("every day at 09:00"), &json!(1))
    );
    assert_eq!(rehearsal["outlook"]["was_due"], job["next_due"]);

    let told = place.done(&modify);
    assert!(
        told.contains("Updated job") && told.contains("7 more, 7 fewer, 0 as before"),
        "{told}"
    );
    let changed = place.json(&["modify", "-i", "tidy", "-d", "Tidies"]);
    assert_eq!(
        (&changed["outlook"], &changed["description"]),
        (&Value::Null, &json!("Tidies"))
    );
}

#[test]
fn a_rehearsed_schedule_is_read_in_the_jobs_own_zone() {
    let place = Place::new();
    place.write("every day at 09:00 in Asia/Tokyo");
    place.done(&["deploy", "-f", "tidy.yml"]);
    let rehearse = ["modify", "-i", "tidy", "--dry-run", "-s"];
    let rehearsal = place.json(&[&rehearse[..], &["every day at 00:00"]].concat());
    // 09:00 in Tokyo is midnight in UTC on every day.
    assert_eq!(rehearsal["timezone"], "UTC");
    assert_eq!(
        counts(&rehearsal["outlook"]),
        [&json!(0), &json!(0), &json!(7)]
    );

    place.done(&["pause", "-i", "tidy"]);
    let paused = place.odin(&[&rehearse[..], &["every hour"]].concat());
    let (stdout, stderr) = (
        String::from_utf8(paused.stdout).unwrap(),
        String::from_utf8(paused.stderr).unwrap(),
    );
    assert!(stdout.contains("next due: never, as before"), "{stdout}");
    assert!(stderr.contains("the job is paused"), "{stderr}");

    for (flag, value, code) in [
        ("-s", "every florp", "schedule/unknown-word"),
        ("-n", "a/b", "job/bad-name"),
    ] {
        let refused = place.odin(&["modify", "-i", "tidy", "--dry-run", flag, value]);
        let stderr = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(code), "{stderr}");
    }
}
