//! Bundles and unpacked versions that no run, version or job needs leave the disk, and all others stay.
#![allow(clippy::unwrap_used)]

mod faults;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use faults::{ODIN, Place, wait_for};
use odin_testbed::Server;

/// A server that looks through its disk every second.
fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let arguments = ["--history-period", "1s"];
    let server = Server::try_start(Path::new(ODIN), &data_dir, &arguments).unwrap();
    Place { server, directory }
}

/// Makes a file look as if it had been there for an hour.
fn make_old(path: &Path) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server goes by the files' own times"
    )]
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(long_ago).unwrap();
}

fn wait_until_removed(path: &Path) {
    wait_for("the removal of what nothing needs", || {
        (!path.exists()).then_some(())
    });
}

impl Place {
    fn data(&self, name: &str) -> PathBuf {
        self.server.data_dir().join(name)
    }

    fn bundles(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.data("bundles")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// Deploys code; the job's id and its bundle.
    fn deploy_code(&self, name: &str, code: &str) -> (String, PathBuf) {
        let before = self.bundles();
        self.deploy(name, "never", "", code);
        let new = self
            .bundles()
            .into_iter()
            .find(|path| !before.contains(path));
        let job = self.server.json(["describe", "-i", name]);
        (job["id"].as_str().unwrap().to_owned(), new.unwrap())
    }

    fn unpacked(&self, job: &str, version: u32) -> PathBuf {
        self.data("jobs").join(job).join(version.to_string())
    }

    /// Waits until the server has looked through everything that is there now: what is put there after all of it goes.
    fn wait_for_a_round(&self) {
        for round in 0..2 {
            let unknown = self.data("bundles").join(format!("{round}").repeat(64));
            fs::write(&unknown, "no version names it").unwrap();
            make_old(&unknown);
            wait_until_removed(&unknown);
        }
    }
}

#[test]
fn a_version_that_runs_stays_unpacked_and_goes_when_it_is_over_and_its_bundle_stays() {
    let place = place();
    let (job, first) = place.deploy_code("sleeps", "echo first; sleep 1000\n");
    let run = place.run("sleeps");
    wait_for("the first version", || {
        place.unpacked(&job, 1).exists().then_some(())
    });
    let (_, second) = place.deploy_code("sleeps", "echo second\n");
    make_old(&first);
    make_old(&second);
    let next = place.run("sleeps");
    place.ended("sleeps", &next);
    assert!(place.unpacked(&job, 2).exists());
    place.wait_for_a_round();
    assert!(place.unpacked(&job, 1).exists(), "it is in use");

    place.server.json(["cancel", "-i", &run]);
    place.ended("sleeps", &run);
    wait_until_removed(&place.unpacked(&job, 1));
    place.wait_for_a_round();
    assert!(place.unpacked(&job, 2).exists(), "it runs next");
    assert_eq!(place.bundles().len(), 2);

    // It can be deployed again, and runs.
    place.server.json(["rollback", "-i", "sleeps", "--to", "1"]);
    let again = place.run("sleeps");
    wait_for("the first version again", || {
        place.unpacked(&job, 3).exists().then_some(())
    });
    place.server.json(["cancel", "-i", &again]);
    place.ended("sleeps", &again);
}

#[test]
fn the_files_of_versions_long_past_go_and_nothing_goes_back_to_them() {
    let place = place();
    let (_, first) = place.deploy_code("changes", "echo first\n");
    let (_, second) = place.deploy_code("changes", "echo second\n");
    for text in 3..=101 {
        let text = text.to_string();
        place.server.json(["modify", "-i", "changes", "-d", &text]);
    }
    make_old(&first);
    make_old(&second);
    wait_until_removed(&first);
    place.wait_for_a_round();
    assert!(second.exists(), "the hundredth");

    let refused = place
        .server
        .odin(["rollback", "-i", "changes", "--to", "1"]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{words}");
    assert!(
        words.contains("bundle/not-here") && words.contains("deployed again"),
        "{words}"
    );
    place
        .server
        .json(["rollback", "-i", "changes", "--to", "2"]);
    let run = place.run("changes");
    place.ended("changes", &run);
    assert_eq!(place.output(&run), b"second\n");
}

#[test]
fn a_removed_job_leaves_nothing_once_no_run_of_it_is_kept_and_what_nobody_names_goes_when_it_is_old()
 {
    let place = place();
    let (never_ran, unused) = place.deploy_code("never ran", "echo never\n");
    let (ran, kept) = place.deploy_code("ran", "echo ran\n");
    let run = place.run("ran");
    place.ended("ran", &run);
    for job in [&never_ran, &ran] {
        place.server.json(["remove", "-i", job]);
    }
    let fresh = place.data("bundles").join("f".repeat(64));
    fs::write(&fresh, "it is being deployed").unwrap();
    make_old(&unused);
    make_old(&kept);
    wait_until_removed(&unused);
    wait_until_removed(&place.data("jobs").join(&ran));
    place.wait_for_a_round();
    assert!(kept.exists(), "a run of it is kept");
    assert!(fresh.exists(), "it is too young to be judged");
    let names = fs::read_dir(place.data("jobs")).unwrap();
    assert_eq!(names.count(), 0);
}
