//! Numbers far from those of earlier runs are flagged without set-up, and values are seen as they come.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "a follower is a process whose lines are read as they come"
)]

mod faults;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use faults::{ODIN, Place};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// Reports what the file `price` says, by a name with a space in it.
fn place() -> Place {
    let place = Place::new();
    let code = format!("{ODIN} watch 'the price' \"$(cat $HERE/price)\"\n");
    place.deploy("fetch", "never", "", &code);
    place
}

fn run(place: &Place, price: &str) -> String {
    std::fs::write(place.path("price"), price).unwrap();
    let run = place.run("fetch");
    assert_eq!(place.ended("fetch", &run)["outcome"], "succeeded");
    run
}

fn text(place: &Place, arguments: &[&str]) -> String {
    let output = place.server.odin(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_number_far_from_those_of_twenty_runs_is_flagged_wherever_the_run_is_shown() {
    let place = place();
    for number in 0..20 {
        run(&place, &format!("{}.5", 98 + number % 5));
    }
    let usual = run(&place, "100");
    let odd = run(&place, "5000");
    let reason = "5000 is far above the 98.5 to 102.5 of the 21 runs before";
    let flag = json!({
        "of": "value", "name": "the price", "reason": reason, "value": 5000,
        "low": 81.4, "high": 124,
    });
    let flags_of = |list: &[Value], run: &str| {
        let found = list.iter().find(|it| it["id"] == run).unwrap();
        found["flags"].clone()
    };
    let runs = place.runs("fetch");
    assert_eq!(flags_of(&runs, &odd), json!([flag]));
    assert_eq!(flags_of(&runs, &usual), Value::Null);
    assert_eq!(
        place.server.json(["describe", "-i", &odd])["flags"],
        json!([flag])
    );
    let latest = place.server.json(["stats", "-i", "fetch"]);
    assert_eq!(latest["values"][0]["flag"], flag);
    for (arguments, words) in [
        (&["runs", "-i", "fetch"][..], "the price 5000"),
        (&["describe", "-i", &odd], reason),
        (&["stats", "-i", "fetch"], reason),
    ] {
        let shown = text(&place, arguments);
        assert!(shown.contains(words), "{arguments:?}: {shown}");
    }
    let shown = text(&place, &["runs", "-i", "fetch"]);
    assert!(
        shown.lines().next().unwrap().ends_with("UNUSUAL"),
        "{shown}"
    );
    let alerts = place.server.json(["alerts"]);
    assert_eq!(alerts["alerts"], json!([]), "nobody asked to be told");
}

/// A follower whose lines are read as they come; a test that waits in vain is ended by its runner.
struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    notes: Lines<BufReader<ChildStderr>>,
}

impl Following {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.server.command();
        command.args(["stats", "-i", "fetch", "--follow"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.args(arguments).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let notes = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            lines,
            notes,
        }
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn values_are_followed_from_the_latest_to_what_comes() {
    let mut place = place();
    run(&place, "100");
    let mut following = Following::start(&place, &[]);
    assert!(following.next().starts_with("ID "));
    assert!(following.next().ends_with("100"));
    let mut of_name = Following::start(&place, &["--json", "--name", "the price"]);
    let json = |line: String| -> Value { serde_json::from_str(&line).unwrap() };
    assert_eq!(json(of_name.next())["value"], 100);
    let mut of_another = Following::start(&place, &["--name", "a price"]);
    assert!(of_another.next().starts_with("ID "));

    let second = run(&place, "101.50");
    let line = following.next();
    assert!(
        line.contains(&second) && line.ends_with("  watch the price = 101.50"),
        "{line}"
    );
    let value = json(of_name.next());
    assert_eq!(
        (&value["run"], &value["value"]),
        (&json!(second), &json!(101.5))
    );

    // It goes on with the server that comes after, and says that something may be missing.
    place.server.kill();
    place.server.restart();
    let note = following.notes.next().unwrap().unwrap();
    assert!(note.contains("values may be missing"), "{note}");
    run(&place, "102");
    assert!(following.next().ends_with("  watch the price = 102"));
    let pid = Pid::from_raw(following.child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(following.child.wait().unwrap().code(), Some(0));
}
