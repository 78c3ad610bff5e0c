//! Sealed real servers for tests: the built `odin` on a data directory of its own.
//!
//! Nothing is shared with the machine's own Odin: each server has its data directory, a port that the kernel picks,
//! and an environment without `ODIN_*`. Dropping a [`Server`] ends its processes, each by its pid.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes of a real server: a test starts them, and waits for what they do with a bound in time"
)]

mod database;

pub use database::{Commits, Database, free_port};

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// How long a server may take until it is ready, and to end: far beyond what it takes, for slow machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    data_dir: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    /// `address:port` of its HTTP.
    pub http: String,
    /// Its socket.
    pub socket: PathBuf,
}

/// Why a server is not ready.
#[derive(Debug)]
pub enum NotReady {
    /// The binary could not be started.
    Spawn(std::io::Error),
    /// It ended first; what it said on stderr.
    Ended(ExitStatus, String),
}

impl Server {
    /// Starts `binary` as a server on `data_dir` and waits until it is ready.
    ///
    /// # Errors
    /// When it ends before it is ready.
    ///
    /// # Panics
    /// When it neither ends nor is ready within a minute.
    pub fn try_start(binary: &Path, data_dir: &Path, arguments: &[&str]) -> Result<Self, NotReady> {
        Self::try_start_in(binary, data_dir, arguments, &[])
    }

    /// The same with more in its environment, which wins over the sealed one.
    ///
    /// # Errors
    /// When it ends before it is ready.
    ///
    /// # Panics
    /// When it neither ends nor is ready within a minute.
    pub fn try_start_in(
        binary: &Path,
        data_dir: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, NotReady> {
        let mut server = Self {
            binary: binary.to_owned(),
            data_dir: data_dir.to_owned(),
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
            environment: environment
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            child: None,
            http: String::new(),
            socket: PathBuf::new(),
        };
        server.begin()?;
        Ok(server)
    }

    /// The same for tests that need it ready.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn start(binary: &Path, data_dir: &Path) -> Self {
        Self::try_start(binary, data_dir, &[])
            .unwrap_or_else(|error| panic!("the server is not ready: {error:?}"))
    }

    fn begin(&mut self) -> Result<(), NotReady> {
        let errors = self.data_dir.with_extension("stderr");
        let stderr = std::fs::File::create(&errors).map_err(NotReady::Spawn)?;
        let mut child = sealed(&self.binary)
            .arg("server")
            .arg("--data-dir")
            .arg(&self.data_dir)
            .args(["--http", "127.0.0.1:0"])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(NotReady::Spawn)?;
        let stdout = child.stdout.take().expect("stdout is piped");
        // The line or the end of the process comes first; both end the read.
        let ready = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find(|line| line.starts_with("ready "));
        let Some(line) = ready else {
            let status = child.wait().map_err(NotReady::Spawn)?;
            return Err(NotReady::Ended(
                status,
                std::fs::read_to_string(&errors).unwrap_or_default(),
            ));
        };
        let field = |name: &str| {
            let value = line
                .split_whitespace()
                .find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            value
                .unwrap_or_else(|| panic!("`{name}` is not in `{line}`"))
                .to_owned()
        };
        self.http = field("http");
        self.socket = field("socket").into();
        self.child = Some(child);
        Ok(())
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The server's process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Ends the server with SIGKILL. Its executor goes on.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
    }

    /// Ends the server with SIGTERM and waits for it.
    ///
    /// # Panics
    /// When it does not run or does not end within a minute.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        kill_process(pid_of(child.id()), Signal::TERM).expect("it is ours");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the server again on the same data directory.
    ///
    /// # Panics
    /// When it runs or is not ready.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        self.begin()
            .unwrap_or_else(|error| panic!("the server is not ready: {error:?}"));
    }

    /// The same for a start that may go wrong.
    ///
    /// # Errors
    /// When it ends before it is ready.
    ///
    /// # Panics
    /// When it runs.
    pub fn try_restart(&mut self) -> Result<(), NotReady> {
        assert!(self.child.is_none(), "the server runs");
        self.begin()
    }

    /// What its next start has in its environment beside the sealed one, instead of what it had.
    pub fn set_environment(&mut self, environment: &[(&str, &str)]) {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        self.environment = environment.iter().map(owned).collect();
    }

    /// The command line against this server, to add to.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = sealed(&self.binary);
        command.env("ODIN_SERVER", format!("unix:{}", self.socket.display()));
        command
    }

    /// Runs the command line against this server.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn odin<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.command()
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("odin starts")
    }

    /// The same with `--json`, for a command that must go well.
    ///
    /// # Panics
    /// When it does not, or prints no JSON.
    pub fn json<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> serde_json::Value {
        let mut command = self.command();
        let output = command
            .args(arguments)
            .arg("--json")
            .stdin(Stdio::null())
            .output()
            .expect("odin starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{command:?} ended with {}: {stderr}",
            output.status
        );
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{command:?} printed no JSON: {error}"))
    }

    /// Waits until `condition` gives a value.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub fn wait_for<T>(&self, what: &str, mut condition: impl FnMut(&Self) -> Option<T>) -> T {
        wait_for(what, || condition(self))
    }

    /// The process ids of the executors on this data directory.
    #[must_use]
    pub fn executors(&self) -> Vec<u32> {
        executors_of(&self.data_dir)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        end_executors(&self.data_dir);
    }
}

/// Waits until `condition` gives a value.
///
/// # Panics
/// When it does not within a minute.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `binary` without what the caller's environment says of Odin.
#[must_use]
pub fn sealed(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ODIN_") {
            command.env_remove(name);
        }
    }
    command
        .env("TZ", "UTC")
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1");
    command
}

/// The processes whose command line says that they are an executor on `data_dir`. A child of one has its command line until
/// it becomes its program, and is none.
fn executors_of(data_dir: &Path) -> Vec<u32> {
    let Ok(data_dir) = data_dir.canonicalize() else {
        return Vec::new();
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_named = |pid: &u32| {
        let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else {
            return false;
        };
        let words: Vec<_> = line.split(|&byte| byte == 0).collect();
        words.contains(&b"__executor".as_slice())
            && words.contains(&data_dir.as_os_str().as_encoded_bytes())
    };
    let named: Vec<u32> = pids.filter(is_named).collect();
    // A process that an executor is about to make has its name for a moment, and may be gone before it is known whose it is.
    let made: Vec<u32> = named.iter().flat_map(|pid| descendants(*pid)).collect();
    named
        .into_iter()
        .filter(|pid| !made.contains(pid) && is_named(pid))
        .collect()
}

/// Ends executors with their processes: first what they are the parent of, then themselves.
fn end_executors(data_dir: &Path) {
    for executor in executors_of(data_dir) {
        // Stopped first, so that it makes nothing new meanwhile.
        signal(executor, Signal::STOP);
        for child in descendants(executor) {
            signal(child, Signal::KILL);
        }
        signal(executor, Signal::KILL);
    }
}

fn descendants(of: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![of];
    while let Some(parent) = open.pop() {
        let tasks = std::fs::read_dir(format!("/proc/{parent}/task"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let children =
                std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children: Vec<u32> = children
                .split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect();
            found.extend(&children);
            open.extend(children);
        }
    }
    found
}

fn signal(pid: u32, signal: Signal) {
    // It may have ended by itself.
    if let Ok(process) = pidfd_open(pid_of(pid), PidfdFlags::empty()) {
        let _ = pidfd_send_signal(process, signal);
    }
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).expect("a process id is not 0")
}
