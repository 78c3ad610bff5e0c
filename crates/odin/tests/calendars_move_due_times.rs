//! Named calendars, from the file to the due time, against a real server.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
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

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn deploy(&self, name: &str, schedule: &str) -> Result<(), String> {
        let text = format!(
            "job: {{name: {name}, command: 'true', timezone: UTC, schedule: {schedule}}}\n"
        );
        let file = self.file(&format!("{name}.yml"), &text);
        let output = self.server.odin(["deploy", "-f", &file]);
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8(output.stderr).unwrap()),
        }
    }

    fn set_holidays(&self, days: &[Date]) -> Value {
        let lines: Vec<_> = days.iter().map(|day| format!("{day} off\n")).collect();
        let file = self.file("holidays.txt", &lines.concat());
        self.server
            .json(["calendar", "set", "holidays", "-f", &file])
    }

    /// The UTC day on which a job comes due next.
    fn next_day(&self, job: &str) -> Date {
        let job = self.server.json(["describe", "-i", job]);
        let next: Timestamp = job["next_due"].as_str().unwrap().parse().unwrap();
        next.to_zoned(TimeZone::UTC).date()
    }
}

#[test]
fn a_job_keeps_to_a_calendar_that_changes_under_it() {
    let place = Place::new();
    let refused = place
        .deploy("report", "every day at 23:59 except on holidays")
        .unwrap_err();
    assert!(refused.contains("schedule/unknown-calendar"), "{refused}");
    assert!(refused.contains("odin calendar set holidays"), "{refused}");

    place.set_holidays(&[]);
    place
        .deploy("report", "every day at 23:59 except on holidays")
        .unwrap();
    let first = place.next_day("report");
    let second = first.tomorrow().unwrap();

    let set = place.set_holidays(&[second, first, first]);
    assert_eq!(set["days"], 2);
    assert_eq!(set["dates"][0], first.to_string());
    assert_eq!(set["used_by"][0]["name"], "report");
    let third = second.tomorrow().unwrap();
    place.server.wait_for("the due time to move", |_| {
        (place.next_day("report") == third).then_some(())
    });
    let moved = place.server.json(["schedule", "moved"]);
    let moved = &moved["moved"][0];
    assert_eq!(moved["job_name"], "report");
    assert_eq!(moved["is"], format!("{third}T23:59:00Z"));
    assert_eq!(moved["because"], "calendar holidays changed");

    let why_not = place.server.odin(["calendar", "remove", "holidays"]);
    let why_not = String::from_utf8(why_not.stderr).unwrap();
    assert!(why_not.contains("calendar/in-use"), "{why_not}");
    let listed = place.server.json(["calendar", "list"]);
    assert_eq!(listed["calendars"][0]["name"], "holidays");

    let removed = place
        .server
        .json(["calendar", "remove", "holidays", "--force"]);
    assert_eq!(removed["state"], "removed");
    let gone = place.server.odin(["calendar", "get", "holidays"]);
    assert_eq!(gone.status.code(), Some(4));
}

#[test]
fn a_calendar_that_cannot_be_read_is_shown_with_its_line() {
    let place = Place::new();
    let file = place.file("bad.txt", "2026-12-25 Christmas\n2026-13-01\n");
    let refused = place
        .server
        .odin(["calendar", "set", "holidays", "-f", &file]);
    assert_eq!(refused.status.code(), Some(2));
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("bad.txt:2"), "{stderr}");
    assert!(stderr.contains("2026-13-01"), "{stderr}");
}

#[test]
fn business_days_heed_the_calendar_named_holidays() {
    let place = Place::new();
    place
        .deploy("books", "every business day at 23:59")
        .unwrap();
    let first = place.next_day("books");
    place.set_holidays(&[first]);
    place.server.wait_for("the due time to move", |_| {
        (place.next_day("books") > first).then_some(())
    });
}
