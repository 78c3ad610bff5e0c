//! A job's life on a real server: an edit, a pause, a downtime. `odin verify` proves all of it, and `odin why` answers for
//! each part.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "a pause and a downtime are wall time that passes: the test waits for the clock, as a person would"
)]

use std::path::Path;

use odin_testbed::Server;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

struct Life {
    server: Server,
    directory: tempfile::TempDir,
}

impl Life {
    fn begin() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
        let file = directory.path().join("tick.yml");
        let job =
            "job: {name: tick, command: 'true', schedule: every second, grace: 5s, missed: skip}";
        std::fs::write(&file, job).unwrap();
        server.json([Path::new("deploy"), Path::new("-f"), &file]);
        Self { server, directory }
    }

    fn next_due(&self) -> String {
        let job = self.server.json(["describe", "-i", "tick"]);
        job["next_due"].as_str().unwrap().to_owned()
    }

    /// Waits until a due time is decided, and gives the answer for it.
    fn decided(&self, due: &str) -> Value {
        self.server.wait_for("a due time to be decided", |_| {
            let why = self.why(due);
            why["outcome"].is_string().then_some(why)
        })
    }

    /// The answer for a due time. `null`: there is none.
    fn why(&self, at: &str) -> Value {
        let output = self.server.odin(["why", "tick", at, "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Why there is no answer, in words.
    fn why_not(&self, at: &str) -> String {
        let output = self.server.odin(["why", "tick", at]);
        assert_eq!(output.stdout, b"", "{at} is a due time");
        String::from_utf8(output.stderr).unwrap()
    }

    fn verify(&self) -> Value {
        let output = self.server.odin(["verify", "tick", "--json"]);
        let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{verified}");
        assert_eq!(verified["findings"], serde_json::json!([]), "{verified}");
        verified
    }
}

/// So many whole seconds after a due time.
fn later(due: &str, seconds: i64) -> String {
    let due: jiff::Timestamp = due.parse().unwrap();
    (due + jiff::SignedDuration::from_secs(seconds)).to_string()
}

#[test]
fn verify_says_complete_and_why_explains_each_part() {
    let mut life = Life::begin();
    let first = life.next_due();
    assert_eq!(life.decided(&first)["outcome"], "started");
    let before = life.why_not(&later(&first, -3600));
    assert!(before.contains("was first deployed at"), "{before}");

    life.server
        .json(["modify", "-i", "tick", "-s", "every 2 seconds"]);
    let edited = life.next_due();
    assert_eq!(life.decided(&edited)["version"], 2);
    // The odd seconds are not due any more.
    let between = life.why_not(&later(&edited, 1));
    assert!(
        between.contains("version 2, `every 2 seconds`"),
        "{between}"
    );

    life.server.json(["pause", "-i", "tick"]);
    let paused_at = life.server.json(["describe", "-i", "tick"])["next_due"].clone();
    assert_eq!(paused_at, Value::Null);
    let while_paused = life.server.wait_for("a due time in the pause", |_| {
        let now = jiff::Timestamp::now();
        let second = now.as_second() - now.as_second() % 2 - 2;
        let at = jiff::Timestamp::from_second(second).unwrap().to_string();
        let is_due = life.why(&at)["outcome"].is_string();
        (!is_due && life.why_not(&at).contains("paused by")).then_some(at)
    });
    life.server.json(["resume", "-i", "tick"]);
    let resumed = life.next_due();
    life.decided(&resumed);
    let paused = life.why_not(&while_paused);
    assert!(paused.contains("the job was paused then"), "{paused}");

    life.server.terminate();
    // Long enough for due times to be later than their grace, whatever was decided ahead.
    let until: jiff::Timestamp = later(&resumed, 14).parse().unwrap();
    life.server.wait_for("the downtime to pass", |_| {
        let now = jiff::Timestamp::now();
        (now > until).then_some(())
    });
    life.server.restart();
    let restarted = life.next_due();
    life.decided(&restarted);
    let verified = life.verify();
    let outcomes = &verified["outcomes"];
    assert!(outcomes["misfired"].as_u64().unwrap() > 0, "{verified}");
    assert_eq!(verified["undetermined_count"], 0, "{verified}");

    // The same without a server.
    life.server.terminate();
    let data = life.directory.path().join("data");
    let output = life
        .server
        .odin(["verify", "--data-dir", data.to_str().unwrap(), "--json"]);
    let offline: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(offline["sound"], true, "{offline}");
    assert!(
        offline["due"].as_u64() >= verified["due"].as_u64(),
        "{offline}"
    );
}
