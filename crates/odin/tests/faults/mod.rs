//! A real server with jobs that leave evidence, for tests of what goes wrong.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests wait for what real processes do, with a bound in time"
)]

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use odin_testbed::Server;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

pub(crate) const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, and a directory for what jobs and tests write.
pub(crate) struct Place {
    // Dropped first: its processes end before their directory goes.
    pub(crate) server: Server,
    pub(crate) directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(Path::new(ODIN), &directory.path().join("data"));
        Self { server, directory }
    }

    /// The same with a server that this user runs, whose place it is.
    pub(crate) fn of_user(uid: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        open_to_all(directory.path());
        let program = program_of(directory.path(), uid);
        chown(directory.path(), Some(uid), Some(uid)).unwrap();
        let server = Server::start(&program, &directory.path().join("data"));
        Self { server, directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What jobs have written to the file `name` of this place; nothing before they did.
    pub(crate) fn evidence(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A job whose code runs with this place's directory in `$HERE`. `more` is the rest of the job file.
    pub(crate) fn deploy(&self, name: &str, schedule: &str, more: &str, code: &str) {
        let file = self.write_job(name, schedule, more, code);
        self.server.json(["deploy", "-f", file.to_str().unwrap()]);
    }

    pub(crate) fn write_job(&self, name: &str, schedule: &str, more: &str, code: &str) -> PathBuf {
        std::fs::write(self.path(&format!("{name}.sh")), code).unwrap();
        let here = self.directory.path().display();
        let file = self.path(&format!("{name}.yml"));
        let text = format!(
            "job:\n  name: {name}\n  language: bash\n  file: {name}.sh\n  schedule: {schedule}\n  \
             env: {{HERE: '{here}'}}\n{more}"
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Runs a job now; its run's id.
    pub(crate) fn run(&self, job: &str) -> String {
        let run = self.server.json(["run", "-i", job]);
        run["id"].as_str().unwrap().to_owned()
    }

    /// The newest runs of a job, newest first.
    pub(crate) fn runs(&self, job: &str) -> Vec<Value> {
        let list = self.server.json(["runs", "-i", job]);
        list["runs"].as_array().unwrap().clone()
    }

    pub(crate) fn one_run(&self, job: &str, run: &str) -> Value {
        self.runs(job)
            .into_iter()
            .find(|listed| listed["id"] == run)
            .unwrap_or_else(|| panic!("{run} is not among the runs of {job}"))
    }

    /// The run, once it is over.
    pub(crate) fn ended(&self, job: &str, run: &str) -> Value {
        self.server.wait_for("the end of a run", |_| {
            let seen = self.one_run(job, run);
            (seen["state"] == "finished").then_some(seen)
        })
    }

    /// Every value that the job's runs reported, in the order of time.
    pub(crate) fn values(&self, job: &str) -> Vec<Value> {
        let list = self.server.json(["stats", "-i", job, "--all"]);
        list["values"].as_array().unwrap().clone()
    }

    /// Everything that a run printed, without the line that says how it ran.
    pub(crate) fn output(&self, run: &str) -> Vec<u8> {
        let shown = self.server.odin(["log", "-i", run]);
        assert!(shown.status.success(), "{shown:?}");
        let line_end = shown.stdout.iter().position(|&byte| byte == b'\n').unwrap();
        shown.stdout[line_end + 1..].to_vec()
    }

    /// Waits until a job has written to the file `name`; what it has written.
    pub(crate) fn wait_for_evidence(&self, name: &str) -> String {
        wait_for(&format!("what a job writes to {name}"), || {
            let text = self.evidence(name);
            text.ends_with('\n').then_some(text)
        })
    }

    /// The one executor.
    pub(crate) fn executor(&self) -> u32 {
        self.server.wait_for("one executor", |server| {
            match server.executors().as_slice() {
                &[executor] => Some(executor),
                _ => None,
            }
        })
    }
}

/// Lets other users reach what is in the directory by name, and puts the program there, which may lie where they cannot
/// go.
pub(crate) fn open_to_all(directory: &Path) -> PathBuf {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root, as continuous integration has: it acts as other users"
    );
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o711)).unwrap();
    let odin = directory.join("odin");
    std::fs::copy(ODIN, &odin).unwrap();
    odin
}

/// A program in that directory that is `odin` as this user.
pub(crate) fn program_of(directory: &Path, uid: u32) -> PathBuf {
    let program = directory.join("as-user");
    let odin = directory.join("odin");
    let script = format!(
        "#!/bin/sh\nexec setpriv --reuid={uid} --regid={uid} --clear-groups {} \"$@\"\n",
        odin.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

/// Waits until `condition` gives a value, server or not.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets a fault last: `length` is what the fault is about, not a guess at how long something takes.
pub(crate) fn let_it_last(length: Duration) {
    std::thread::sleep(length);
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(pid_of(pid), signal).unwrap();
}

/// Whether a process exists, a dead one that nobody has waited for aside.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim();
    test_kill_process(pid_of(pid)).is_ok() && !state.starts_with(['Z', 'X'])
}

pub(crate) fn wait_until_gone(pid: u32) {
    wait_for("the end of a process", || (!lives(pid)).then_some(()));
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).unwrap()
}

/// The lines of an evidence file, each once.
#[track_caller]
pub(crate) fn assert_no_line_twice(text: &str) {
    let mut lines: Vec<_> = text.lines().collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all, "something ran twice: {text}");
}

/// Whether a process is stopped by a signal.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim();
    state.starts_with('T')
}
