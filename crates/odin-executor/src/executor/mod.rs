//! The executor process: one loop that records what happened and then acts.

mod attempt;
mod compaction;
mod control;
mod descriptors;
mod ending;
mod events;
mod foreign_kills;
mod kept;
mod launching;
mod leaving_groups;
mod main_loop;
mod masked_output;
mod on_cancel;
mod orphans;
mod own_memory;
mod prepare;
mod queue;
mod recovery;
mod running;
mod slots;
mod sources;
mod timeouts;
mod timers;
mod unleased;
mod unpackers;
mod wake;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use odin_model::Clock;

use crate::data_dir::DataDir;
use crate::process::{keep_undumpable, reset_inherited_signals};
use crate::protocol::{BUILD, PROTOCOL};
use crate::{journal, socket};

pub(crate) use slots::Slot;
pub(crate) use wake::Wake;

/// What an executor is started with.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// The node's data directory, absolute. It must exist.
    pub data_dir: PathBuf,
    /// Which of the data directory's executors it is: see [`DataDir::of_generation`].
    pub generation: u32,
    /// The protocol that it speaks. Another one than [`PROTOCOL`] is for tests of an upgrade.
    pub protocol: u16,
    /// The program's version, as its welcome tells it.
    pub build: String,
    /// How long it stays when it has nothing to do and no server is connected.
    pub idle_exit: Duration,
}

impl ExecutorOptions {
    /// The default of [`idle_exit`](Self::idle_exit).
    pub const IDLE_EXIT: Duration = Duration::from_secs(60);

    /// The defaults, for `data_dir`.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            generation: 1,
            protocol: PROTOCOL,
            build: BUILD.to_owned(),
            idle_exit: Self::IDLE_EXIT,
        }
    }
}

/// Why an executor ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// A server asked it to drain, or a signal came while nothing was armed or ran.
    Drained,
    /// Nothing to do, and no server for [`ExecutorOptions::idle_exit`].
    Idle,
    /// Another executor has this data directory.
    AlreadyRunning,
}

/// Why an executor could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// [`run`] must be called on the process's first thread: orphans become that thread's children.
    #[error("the executor was not started on the first thread of its process")]
    NotFirstThread,
    /// The data directory is not an absolute path: jobs have other working directories.
    #[error("the data directory {0} is not an absolute path")]
    Relative(PathBuf),
    /// The journal cannot be read, or is of a newer version.
    #[error("{0}")]
    Journal(String),
    /// The system refused something.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Its answer.
        error: io::Error,
    },
}

impl ExecutorError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFirstThread => "executor/not-first-thread",
            Self::Relative(_) => "executor/relative-data-directory",
            Self::Journal(_) => "executor/journal",
            Self::System { .. } => "executor/system",
        }
    }

    fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System {
            what,
            error: error.into(),
        }
    }
}

/// Runs an executor until it ends: the main of the hidden subcommand. `clock` must be the system's, for the instants
/// in launches and leases are compared with the kernel's timers.
///
/// Call it on the first thread, in a process that has made no other: it takes over the process's signals, umask,
/// session and children. SIGTERM and SIGINT end it when nothing is armed or runs; else they change nothing.
///
/// # Errors
/// When it cannot start, or the system refuses what it cannot do without.
pub fn run(options: &ExecutorOptions, clock: Arc<dyn Clock>) -> Result<ExitReason, ExecutorError> {
    if rustix::thread::gettid() != rustix::process::getpid() {
        return Err(ExecutorError::NotFirstThread);
    }
    if !options.data_dir.is_absolute() {
        return Err(ExecutorError::Relative(options.data_dir.clone()));
    }
    let dir = DataDir::of_generation(options.data_dir.clone(), options.generation);
    reset_inherited_signals();
    // Secrets are in this memory.
    keep_undumpable();
    let core = forbid_core_dumps();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    std::env::set_current_dir("/").map_err(ExecutorError::system("enter /"))?;
    make_directories(&dir)?;
    let lock = socket::lock(&dir.executor().join("lock"))
        .map_err(ExecutorError::system("lock executor/lock"))?;
    let Some(_lock) = lock else {
        return Ok(ExitReason::AlreadyRunning);
    };
    // Fails when this process leads a group already, as one started by a shell: it is no one's child group then.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(ExecutorError::system("become the subreaper"))?;
    let rlimits = Rlimits {
        open_files: raise_open_files(),
        core,
    };
    let protected = lower_oom_score();
    main_loop::MainLoop::start(options, dir, clock, rlimits, protected)?.run()
}

fn make_directories(dir: &DataDir) -> Result<(), ExecutorError> {
    let make = |path: PathBuf, mode| -> io::Result<()> {
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        Ok(rustix::fs::chmod(
            &path,
            rustix::fs::Mode::from_raw_mode(mode),
        )?)
    };
    let make_all = || -> io::Result<()> {
        make(dir.executor(), 0o700)?;
        make(dir.output(), 0o700)?;
        make(dir.values(), 0o700)?;
        make(dir.jobs(), 0o711)
    };
    make_all().map_err(ExecutorError::system(
        "make the directories executor, output, values and jobs",
    ))
}

/// Limits that this process changed for itself: what jobs get instead. `None`: what this process has.
#[derive(Clone, Copy)]
struct Rlimits {
    open_files: Option<libc::rlimit>,
    core: Option<libc::rlimit>,
}

/// Has the kernel dump nothing of this process, and returns the limit that jobs get: the one it came with.
fn forbid_core_dumps() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads into, then from, a structure of this frame.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) != 0 || limit.rlim_cur == 0 {
            return None;
        }
        let none = libc::rlimit {
            rlim_cur: 0,
            ..limit
        };
        (libc::setrlimit(libc::RLIMIT_CORE, &raw const none) == 0).then_some(limit)
    }
}

/// Lets this process have as many descriptors as it may, and returns the limit that jobs get: the one it came with.
fn raise_open_files() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads into, then from, a structure of this frame.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0
            || limit.rlim_cur >= limit.rlim_max
        {
            return None;
        }
        let raised = libc::rlimit {
            rlim_cur: limit.rlim_max,
            rlim_max: limit.rlim_max,
        };
        (libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0).then_some(limit)
    }
}

/// Asks the kernel to end others for memory first; whether that was allowed. Jobs get the usual score.
fn lower_oom_score() -> bool {
    std::fs::write("/proc/self/oom_score_adj", "-900").is_ok()
}

impl From<journal::JournalError> for ExecutorError {
    fn from(error: journal::JournalError) -> Self {
        Self::Journal(error.to_string())
    }
}
