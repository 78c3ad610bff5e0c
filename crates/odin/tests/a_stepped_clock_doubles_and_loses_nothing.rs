//! The wall clock of a real server is stepped forward and back under a job that is due every second: each due time has
//! one outcome, and none starts twice.
//!
//! `libfaketime` shows the server and its executor another wall clock. The clock that leases and waits go by stays the
//! machine's own, as it does when somebody sets a machine's time.
#![allow(clippy::unwrap_used)]

mod faults;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use faults::{ODIN, Place, assert_no_line_twice, wait_for};
use jiff::{SignedDuration, Timestamp};
use odin_testbed::Server;

const CODE: &str = "echo $ODIN_RUN_ID $ODIN_ATTEMPT $ODIN_DUE_AT >> $HERE/starts\n";
/// Less than the grace of a job, so that what it skips is started late.
const SMALL: SignedDuration = SignedDuration::from_secs(8);
/// So much that the server waits until it has lasted, and then catches up as the job says.
const LARGE: SignedDuration = SignedDuration::from_hours(2);

/// A server whose wall clock this test steps.
struct Stepped {
    place: Place,
    offset: PathBuf,
}

impl Stepped {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let offset = directory.path().join("offset");
        std::fs::write(&offset, "+0").unwrap();
        let library = library();
        let environment = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()),
            // Read again at each look at the clock, so that a step is seen at once.
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("FAKETIME_DISABLE_SHM", "1"),
        ];
        let data_dir = directory.path().join("data");
        let server = Server::try_start_in(Path::new(ODIN), &data_dir, &[], &environment).unwrap();
        let place = Place { server, directory };
        Self { place, offset }
    }

    /// Sets the server's clock to the machine's and so much.
    fn step_to(&self, offset: SignedDuration) {
        let partial = self.offset.with_extension("partial");
        std::fs::write(&partial, format!("{:+}", offset.as_secs())).unwrap();
        // At once: a clock that is read meanwhile is one or the other.
        std::fs::rename(partial, &self.offset).unwrap();
    }

    /// The due times of which a process has written its line, each with its run.
    fn started(&self) -> BTreeMap<Timestamp, String> {
        let text = self.place.evidence("starts");
        assert_no_line_twice(&text);
        let mut started = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let &[run, attempt, due] = words.as_slice() else {
                panic!("a job wrote {line:?}");
            };
            assert_eq!(attempt, "1", "{line}");
            let earlier = started.insert(due.parse().unwrap(), run.to_owned());
            assert_eq!(earlier, None, "{due} was started twice");
        }
        started
    }

    /// Waits until something has started that was due then or later.
    fn wait_for_due(&self, at: Timestamp) {
        wait_for(&format!("what is due at {at}"), || {
            let latest = *self.started().last_key_value()?.0;
            (latest >= at).then_some(())
        });
    }
}

fn library() -> PathBuf {
    let directories = std::fs::read_dir("/usr/lib").unwrap();
    directories
        .map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .expect("libfaketime is installed: apt-get install faketime")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock that is stepped is the machine's, and an offset"
)]
fn machine_clock() -> Timestamp {
    Timestamp::now()
}

#[test]
fn steps_both_ways_over_due_times_leave_one_outcome_for_each() {
    let stepped = Stepped::start();
    let second = SignedDuration::from_secs(1);
    stepped.place.deploy("ticks", "every second", "", CODE);
    stepped.wait_for_due(machine_clock());

    let before = machine_clock();
    stepped.step_to(SMALL);
    stepped.wait_for_due(before + SMALL);

    // What is due now was due before the step, and nothing of it comes again.
    let latest = *stepped.started().last_key_value().unwrap().0;
    stepped.step_to(SignedDuration::ZERO);
    stepped.wait_for_due(latest + second * 6);

    let far = machine_clock() + LARGE;
    stepped.step_to(LARGE);
    stepped.wait_for_due(far);
    stepped.place.server.json(["pause", "-i", "ticks"]);
    stepped
        .place
        .server
        .wait_for("the end of all runs", |server| {
            let list = server.json(["runs", "-i", "ticks", "--limit", "1000"]);
            let runs = list["runs"].as_array().unwrap().clone();
            runs.iter()
                .all(|run| run["state"] == "finished")
                .then_some(())
        });

    let started = stepped.started();
    let near: Vec<_> = started.keys().filter(|due| **due < far - LARGE).collect();
    let gap = near
        .windows(2)
        .find(|pair| pair[1].duration_since(*pair[0]) != second);
    assert_eq!(gap, None, "a due time of the small steps was not started");
    let runs = stepped
        .place
        .server
        .json(["runs", "-i", "ticks", "--limit", "1000"]);
    let succeeded = runs["runs"].as_array().unwrap().iter();
    let succeeded: BTreeMap<Timestamp, String> = succeeded
        .filter(|run| run["outcome"] == "succeeded")
        .map(|run| {
            let text = |name: &str| run[name].as_str().unwrap().to_owned();
            (text("due_at").parse().unwrap(), text("id"))
        })
        .collect();
    assert_eq!(started, succeeded, "what was written and what is said");

    // Derives every due time again, the two hours that were skipped included.
    let proof = stepped.place.server.odin(["verify", "ticks"]);
    let said = String::from_utf8_lossy(&proof.stdout);
    assert!(proof.status.success(), "{said}");
    assert!(said.contains("complete"), "{said}");
}
