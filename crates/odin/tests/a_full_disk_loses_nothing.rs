//! A file system that fills up: new work is refused first, nothing acknowledged is lost, and it goes on with room.
#![allow(clippy::unwrap_used)]

mod faults;

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use faults::{ODIN, Place, wait_for};
use odin_testbed::{NotReady, Server};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// A small file system in memory. Unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf, mebibytes: u32) -> Self {
        std::fs::create_dir(&at).unwrap();
        let options = std::ffi::CString::new(format!("size={mebibytes}m,mode=0755")).unwrap();
        mount(
            "tmpfs",
            &at,
            "tmpfs",
            MountFlags::empty(),
            options.as_c_str(),
        )
        .unwrap_or_else(|error| {
            panic!(
                "this test needs to mount a tmpfs, as root in continuous integration may: {error}"
            )
        });
        Self(at)
    }

    fn free_bytes(&self) -> u64 {
        let space = rustix::fs::statvfs(&self.0).unwrap();
        space.f_bavail * space.f_frsize
    }

    /// Takes room until `left` bytes are free.
    fn fill(&self, name: &str, left: u64) {
        let mut file = std::fs::File::create(self.0.join(name)).unwrap();
        while self.free_bytes() > left {
            let chunk = (self.free_bytes() - left).min(1 << 20);
            if file
                .write_all(&vec![1; usize::try_from(chunk).unwrap()])
                .is_err()
            {
                return;
            }
        }
    }

    /// Gives back what was taken, also where a restore put it aside with the old data.
    fn empty(&self) {
        for entry in std::fs::read_dir(&self.0).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("filled") {
                std::fs::remove_file(entry.path()).unwrap();
            } else if name.starts_with("replaced-") {
                let _ = std::fs::remove_file(entry.path().join("filled"));
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        assert!(!self.0.as_os_str().as_bytes().is_empty());
        // Even with somebody in it: the test's own processes end in a moment.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// A server on a small file system; what jobs write is elsewhere.
fn on_a_small_disk(mebibytes: u32) -> (Place, Small) {
    let directory = tempfile::tempdir().unwrap();
    let small = Small::mount(directory.path().join("small"), mebibytes);
    let server = Server::start(Path::new(ODIN), &small.0);
    (Place { server, directory }, small)
}

#[test]
fn below_64_mib_new_work_is_refused_and_what_runs_is_reported() {
    let (place, small) = on_a_small_disk(80);
    let code = "echo $$ > $HERE/pid; until [ -e $HERE/go ]; do sleep 0.02; done; echo done\n";
    place.deploy("waits", "never", "", code);
    let run = place.run("waits");
    place.wait_for_evidence("pid");
    small.fill("filled", 40 << 20);

    let file = place.write_job("late", "never", "", "echo late\n");
    for refused in [
        vec!["deploy", "-f", file.to_str().unwrap()],
        vec!["run", "-i", "waits"],
        vec!["modify", "-i", "waits", "-d", "new"],
    ] {
        let output = place.server.odin(&refused);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{refused:?}: {stderr}");
        assert!(stderr.contains("storage/full"), "{refused:?}: {stderr}");
    }
    std::fs::write(place.path("go"), "").unwrap();
    assert_eq!(place.ended("waits", &run)["outcome"], "succeeded");
    assert_eq!(place.output(&run), b"done\n");
    // What ends work is no new work.
    place.server.json(["pause", "-i", "waits"]);
    small.empty();
    place.server.json(["resume", "-i", "waits"]);
    let again = place.run("waits");
    assert_eq!(place.ended("waits", &again)["outcome"], "succeeded");
}

#[test]
fn a_disk_without_any_space_stops_the_server_with_the_reason_and_loses_nothing() {
    const JOBS: usize = 10;
    let (mut place, small) = on_a_small_disk(80);
    let code = "echo $ODIN_DUE_AT >> $HERE/starts\n";
    place.deploy("ticks", "every second", "", code);
    place.deploy("kept", "never", "", "echo kept\n");
    let kept = place.run("kept");
    place.ended("kept", &kept);
    for job in 0..JOBS {
        place.deploy(&format!("j{job}"), "never", "", "true\n");
    }
    small.fill("filled", 64 << 10);

    // Of the last change, which was not acknowledged, nobody knows.
    let mut paused = [false; JOBS];
    let (mut changes, mut unknown) = (0, 0);
    wait_for("the end of the room", || {
        let job = changes % JOBS;
        let change = if paused[job] { "resume" } else { "pause" };
        let output = place.server.odin([change, "-i", &format!("j{job}")]);
        if !output.status.success() {
            unknown = job;
            return Some(());
        }
        paused[job] = !paused[job];
        changes += 1;
        if changes > JOBS / 2 {
            // What was freed meanwhile, such as the state's write-ahead log.
            small.fill(&format!("filled{changes}"), 0);
        }
        None
    });
    assert!(changes > 0, "nothing was acknowledged");
    wait_for("the server's end", || {
        (!place.server.socket.exists()).then_some(())
    });
    let said = wait_for("its last word", || {
        let said = place.evidence("small.stderr");
        said.contains("help: ").then_some(said)
    });
    assert!(said.contains("error[server/disk-full]"), "{said}");
    place.server.kill();

    // Started on the full disk, it is refused or stops, with the reason.
    if let Err(refused) = Server::try_start(Path::new(ODIN), &small.0, &[]) {
        let NotReady::Ended(status, said) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("error[server/disk-full]"), "{said}");
    }

    small.empty();
    place.server.restart();
    for job in (0..JOBS).filter(|&job| job != unknown) {
        let shown = place.server.json(["describe", "-i", &format!("j{job}")]);
        let expected = if paused[job] { "paused" } else { "enabled" };
        assert_eq!(shown["state"], expected, "after {changes} changes: {shown}");
    }
    assert_eq!(place.ended("kept", &kept)["outcome"], "succeeded");
    assert_eq!(place.output(&kept), b"kept\n");
    let before = place.evidence("starts").lines().count();
    wait_for("further occurrences", || {
        (place.evidence("starts").lines().count() >= before + 2).then_some(())
    });
    faults::assert_no_line_twice(&place.evidence("starts"));
}

#[test]
fn a_backup_that_does_not_fit_is_refused_and_leaves_nothing() {
    let (place, small) = on_a_small_disk(80);
    place.deploy("kept", "never", "", "echo kept\n");
    let kept = place.run("kept");
    place.ended("kept", &kept);
    let elsewhere = place.path("elsewhere");
    let tiny = Small::mount(place.path("tiny"), 2);
    let on_tiny = tiny.0.join("backup");
    let refused = |file: &Path, code: &str| {
        let output = place.server.odin(["backup", file.to_str().unwrap()]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(code), "{said}");
        let parent = file.parent().unwrap().read_dir().unwrap();
        let left: Vec<_> = parent
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| {
                name.as_bytes()
                    .starts_with(file.file_name().unwrap().as_bytes())
            })
            .collect();
        assert!(left.is_empty(), "{left:?}");
        // The server sees a little later that nobody reads any more.
        place.server.wait_for("the server's copy to go", |_| {
            (!small.0.join("backup").exists()).then_some(())
        });
    };
    // Where the backup goes.
    tiny.fill("filled", 4 << 10);
    refused(&on_tiny, "backup/disk-full");
    tiny.empty();
    // Where the server makes its copy.
    small.fill("filled", 40 << 20);
    refused(&elsewhere, "storage/full");
    small.empty();
    for file in [&on_tiny, &elsewhere] {
        place.server.json(["backup", file.to_str().unwrap()]);
    }
    assert_eq!(place.ended("kept", &kept)["outcome"], "succeeded");
}

#[test]
fn a_restore_that_does_not_fit_leaves_the_old_data() {
    let (mut place, small) = on_a_small_disk(80);
    place.deploy("kept", "never", "", "echo kept\n");
    let kept = place.run("kept");
    place.ended("kept", &kept);
    let backup = place.path("backup.tar.zst");
    place.server.json(["backup", backup.to_str().unwrap()]);
    place.deploy("later", "never", "", "true\n");
    place.server.terminate();
    let before = std::fs::read(small.0.join("state.db")).unwrap();
    let restore = || {
        let mut command = odin_testbed::sealed(Path::new(ODIN));
        command.args(["restore", backup.to_str().unwrap(), "--force", "--data-dir"]);
        command.arg(&small.0).output().unwrap()
    };
    // With more room it gets further.
    let mut refused = 0;
    for left in [0, 64 << 10, 512 << 10, 1 << 20, 3 << 20] {
        small.fill("filled", left);
        let output = restore();
        small.empty();
        if output.status.success() {
            break;
        }
        refused += 1;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{left}: {said}");
        let is_told = ["backup/disk-full", "restore/log"];
        assert!(
            is_told.iter().any(|code| said.contains(code)),
            "{left}: {said}"
        );
        let now = std::fs::read(small.0.join("state.db")).unwrap();
        assert_eq!(now, before, "{left}");
        assert!(!small.0.join("restore").exists(), "{left}");
    }
    assert!(refused >= 2, "{refused}");
    place.server.restart();
    let jobs = place.server.json(["list"])["jobs"]
        .as_array()
        .unwrap()
        .len();
    place.server.terminate();
    if jobs == 2 {
        let output = restore();
        assert!(output.status.success(), "{output:?}");
    }
    place.server.restart();
    let list = place.server.json(["list"]);
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(place.output(&kept), b"kept\n");
}
