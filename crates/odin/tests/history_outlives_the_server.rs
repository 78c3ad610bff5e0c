//! Runs leave the state for files of history and are seen as before: after a crash at any step of that, with a full
//! disk, and until the job's `keep` lets go of them.
#![allow(clippy::unwrap_used)]

mod faults;

use std::fs;
use std::path::{Path, PathBuf};

use faults::{ODIN, Place, wait_for, wait_until_gone};
use odin_testbed::Server;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// Prints its number, which is more than is kept beside the run.
const CODE: &str = "echo run of $ODIN_RUN_ID\n";
const LONG: &str = "echo run of $ODIN_RUN_ID; head -c 40000 /dev/zero | tr '\\0' x\n";

/// A server that seals what is over for a second.
fn with_short_periods() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let arguments = ["--history-period", "1s"];
    let server = Server::try_start(Path::new(ODIN), &data_dir, &arguments).unwrap();
    Place { server, directory }
}

impl Place {
    fn history(&self) -> PathBuf {
        self.server.data_dir().join("history")
    }

    /// The names of the files in a directory of the server, in order.
    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.server.data_dir().join(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Runs the job so many times; the ids, newest first.
    fn run_all(&self, job: &str, times: usize) -> Vec<String> {
        let mut ids: Vec<_> = (0..times)
            .map(|_| {
                let run = self.run(job);
                assert_eq!(self.ended(job, &run)["outcome"], "succeeded");
                run
            })
            .collect();
        ids.reverse();
        ids
    }

    fn ids(&self, job: &str) -> Vec<String> {
        let list = self.server.json(["runs", "-i", job, "--limit", "1000"]);
        let runs = list["runs"].as_array().unwrap();
        let id = |run: &serde_json::Value| run["id"].as_str().unwrap().to_owned();
        runs.iter().map(id).collect()
    }

    /// Every run is there once, with what it printed.
    #[track_caller]
    fn assert_all_there(&self, job: &str, ids: &[String]) {
        assert_eq!(self.ids(job), ids);
        for id in ids {
            let printed = String::from_utf8(self.output(id)).unwrap();
            assert!(printed.starts_with(&format!("run of {id}\n")), "{printed}");
        }
    }

    /// Waits until there are more whole files of history than `than`.
    fn wait_until_sealed(&self, than: usize) {
        wait_for("a file of history", || {
            let names = self.names("history");
            let whole = names.iter().filter(|name| name.ends_with(".odinhistory"));
            (whole.count() > than).then_some(())
        });
    }
}

/// Runs the job until the server, which dies at a fault point, no longer answers; the runs that were told of, oldest
/// first. It dies between two of them, or in the middle of one.
fn run_until_the_server_dies(place: &mut Place, point: &str, job: &str) -> Vec<String> {
    place.server.terminate();
    place.server.set_environment(&[("ODIN_FAULT", point)]);
    place.server.restart();
    let server = place.server.pid();
    let mut ids = Vec::new();
    loop {
        let ran = place.server.odin(["run", "-i", job, "--wait", "--json"]);
        if !ran.status.success() {
            break;
        }
        let run: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        ids.push(run["id"].as_str().unwrap().to_owned());
        assert!(ids.len() < 2000, "the server does not come to {point}");
    }
    wait_until_gone(server);
    place.server.kill();
    place.server.set_environment(&[]);
    place.server.restart();
    ids
}

#[test]
fn a_server_that_dies_while_it_seals_has_every_run_once() {
    for point in [
        "server-seal-rename-before",
        "server-seal-sweep-before",
        "server-seal-sweep-middle",
    ] {
        let mut place = with_short_periods();
        place.deploy("says", "never", "", CODE);
        let told = run_until_the_server_dies(&mut place, point, "says");

        place.wait_until_sealed(0);
        let left = place.ids("says");
        for id in &told {
            let times = left.iter().filter(|it| *it == id).count();
            assert_eq!(times, 1, "{point}: {id} of {left:?}");
        }
        assert!(left.len() <= told.len() + 1, "{point}: {left:?}");
        let files = place.names("history").len();
        let last = place.run_all("says", 1);
        place.wait_until_sealed(files);
        let all: Vec<_> = last.into_iter().chain(left).collect();
        place.assert_all_there("says", &all);
        wait_for("no file that is not whole", || {
            let is_whole = |name: &String| name.ends_with(".odinhistory");
            place.names("history").iter().all(is_whole).then_some(())
        });
        place.server.terminate();
        place.server.restart();
        assert_eq!(place.ids("says"), all, "{point}");
    }
}

#[test]
fn a_server_that_dies_while_it_removes_a_file_has_what_is_kept() {
    let mut place = with_short_periods();
    place.deploy("keeps", "never", "", CODE);
    place.deploy("says", "never", "  keep: {runs: 1}\n", CODE);
    let kept = place.run_all("keeps", 1);
    // Whose file cannot go, as long as that run is in the first one; so the job lets go of it.
    place.wait_until_sealed(0);
    let first = place.names("history").remove(0);
    place.deploy("keeps", "never", "  keep: {runs: 1}\n", CODE);
    place.run_all("keeps", 1);
    run_until_the_server_dies(&mut place, "server-seal-remove-before", "says");
    let latest = place.run_all("says", 1);
    wait_for("the one run that is kept", || {
        (place.ids("says") == latest).then_some(())
    });
    assert!(!place.ids("keeps").contains(&kept[0]));
    wait_for("the removal of a file", || {
        (!place.names("history").contains(&first)).then_some(())
    });
    place.assert_all_there("says", &latest);
}

#[test]
fn what_a_job_no_longer_keeps_goes_with_its_output_files() {
    let place = with_short_periods();
    place.deploy("says", "never", "  keep: {runs: 2}\n", LONG);
    place.deploy("other", "never", "", LONG);
    let other = place.run_all("other", 1);
    let ids = place.run_all("says", 5);
    wait_for("the two runs that are kept", || {
        (place.ids("says") == ids[..2]).then_some(())
    });
    wait_for("the files of three runs", || {
        (place.names("output").len() == 3).then_some(())
    });
    place.wait_until_sealed(0);
    place.assert_all_there("says", &ids[..2]);
    place.assert_all_there("other", &other);
    let gone = place.server.odin(["log", "-i", &ids[4]]);
    assert!(!gone.status.success(), "{gone:?}");
}

/// A file system without any room, until it is dropped.
struct Full(PathBuf);

impl Full {
    fn mount(at: PathBuf) -> Self {
        let size = c"size=4096,mode=0700";
        mount("tmpfs", &at, "tmpfs", MountFlags::empty(), size).unwrap_or_else(|error| {
            panic!(
                "this test needs to mount a tmpfs, as root in continuous integration may: {error}"
            )
        });
        fs::write(at.join("filled"), [1; 4096]).unwrap();
        Self(at)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // Even with somebody in it: what is tried again opens the directory anew.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_disk_that_is_full_for_history_leaves_it_in_the_state_until_there_is_room() {
    let place = with_short_periods();
    place.deploy("says", "never", "", CODE);
    let full = Full::mount(place.history());
    let ids = place.run_all("says", 3);
    wait_for("a file that finds no room", || {
        let names = place.names("history");
        names
            .iter()
            .any(|name| name.ends_with(".partial"))
            .then_some(())
    });
    place.assert_all_there("says", &ids);
    drop(full);
    place.wait_until_sealed(0);
    place.assert_all_there("says", &ids);
    assert!(!place.names("history").is_empty());
}
