//! A real server with jobs that leave evidence, for tests of what goes wrong.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests wait for what real processes do, with a bound in time"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use odin_testbed::Server;
pub(crate) use odin_testbed::wait_for;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

pub(crate) const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// A job in Python that speaks the protocol itself: `say` sends a line, `wait` waits until all are acknowledged, `seen`
/// writes to a file of the place, and `until` waits for one.
const SPEAKS: &str = r#"exec python3 - "$HERE" <<'PYTHON'
import json, os, socket, sys, time
here = sys.argv[1]
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ['ODIN_SOCKET'])
f = s.makefile('rwb')
f.write(json.dumps({'hello': 1, 'token': os.environ['ODIN_RUN_TOKEN']}).encode() + b'\n')
f.flush()
assert f.readline() == b'{"ok":true}\n'
said = 0
def raw(line):
    global said
    said += 1
    f.write(line + b'\n')
def say(**report):
    raw(json.dumps(dict(seq=said + 1, **report)).encode())
def wait():
    f.flush()
    while json.loads(f.readline())['ack'] < said: pass
def seen(name):
    with open(here + '/' + name, 'w') as file: file.write('seen\n')
def until(name):
    while not os.path.exists(here + '/' + name): time.sleep(0.01)
"#;

/// A job's code: this after [`SPEAKS`].
pub(crate) fn speaking(code: &str) -> String {
    format!("{SPEAKS}{code}\nPYTHON\n")
}

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

    /// The same with a server that is given more arguments.
    pub(crate) fn with_arguments(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let server = Server::try_start(Path::new(ODIN), &data_dir, arguments).unwrap();
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

    /// The header by which the server knows its own user.
    pub(crate) fn authorization(&self) -> String {
        let token = self.server.data_dir().join("local.token");
        let token = std::fs::read_to_string(token).unwrap();
        format!("Authorization: Bearer {}\r\n", token.trim())
    }

    /// What `/metrics` says of a series, named as it stands there.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let (_, body) = get(&self.server.http, "/metrics", &self.authorization());
        let text = text(&body);
        let number = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(number)
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

/// The head and the body of the answer to a GET.
pub(crate) fn get(http: &str, path: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(http).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The lines of a body, chunked or not, that are not the lengths of chunks.
pub(crate) fn text(body: &str) -> String {
    let is_length = |line: &str| {
        !line.is_empty() && line.len() < 8 && line.bytes().all(|it| it.is_ascii_hexdigit())
    };
    let lines = body.lines().filter(|line| !is_length(line.trim()));
    lines.map(|line| format!("{line}\n")).collect()
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
