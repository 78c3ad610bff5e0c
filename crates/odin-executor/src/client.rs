//! The server's side of the control socket: plain threads, no runtime.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;

use zeroize::Zeroizing;

use crate::data_dir::DataDir;
use crate::frame::{self, FrameBuffer, FrameError};
use crate::protocol::{PROTOCOL, Report, Request, Welcome};
use crate::socket;

/// How long an executor has to answer a hello, and one that just started to listen.
const ANSWER_WITHIN: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};
/// Between two tries while an executor is coming or going.
const TRY_AGAIN_AFTER: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
pub(crate) const TRIES: usize = 100;

/// What comes from the executor.
#[derive(Debug)]
pub enum FromExecutor {
    /// A report.
    Report(Report),
    /// The connection is over; nothing follows. Connect again: the executor sends again what was not acknowledged.
    Closed {
        /// Why, in words.
        reason: String,
    },
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No executor listens.
    #[error("no executor listens on {path}: {error}")]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// An executor of another version is still busy.
    #[error(
        "the executor speaks protocol {found}, and this server {PROTOCOL}: it goes when its last run is over"
    )]
    Incompatible {
        /// What it speaks.
        found: u16,
    },
    /// It did not answer in time, or closed the connection.
    #[error("the executor did not answer: {0}")]
    NoAnswer(io::Error),
    /// It did not speak the protocol.
    #[error("the executor's answer makes no sense: {0}")]
    Frame(#[from] FrameError),
    /// As many executors of other versions as a data directory can have are still busy.
    #[error(
        "{count} executors of other versions are still busy: one more can be started when one of them has ended its runs"
    )]
    TooMany {
        /// How many.
        count: u32,
    },
    /// The executor's program could not be started.
    #[error("cannot start the executor {program}: {error}; {log} may say more", program = .program.display(), log = .log.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// What the executor prints to.
        log: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

impl ClientError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotRunning { .. } => "executor/not-running",
            Self::Incompatible { .. } => "executor/incompatible",
            Self::NoAnswer(_) => "executor/no-answer",
            Self::Frame(_) => "executor/frame",
            Self::TooMany { .. } => "executor/too-many",
            Self::NotStarted { .. } => "executor/not-started",
        }
    }
}

/// How an executor is started when none runs.
#[derive(Debug, Clone)]
pub struct ExecutorProgram {
    /// The program, absolute.
    pub path: PathBuf,
    /// Its arguments, which lead it to [`run`](crate::run) with this data directory. For a generation other than the
    /// first, `--generation N` is added.
    pub args: Vec<OsString>,
}

impl ExecutorProgram {
    /// The program for a generation other than the first, which it is told by one more argument.
    pub(crate) fn of_generation(&self, generation: u32) -> Self {
        let mut program = self.clone();
        if generation > 1 {
            let more = ["--generation".into(), generation.to_string().into()];
            program.args.extend(more);
        }
        program
    }
}

/// A connection to an executor that said welcome. A newer connection of anybody takes its place.
#[derive(Debug)]
pub struct Client {
    socket: Arc<OwnedFd>,
    /// Keeps the frames of concurrent senders apart.
    sending: Mutex<()>,
    welcome: Welcome,
}

impl Client {
    /// Connects. `take` is called for everything that the executor says after the welcome, in order, on a thread of
    /// its own; while it does not return nothing more is read, and the executor keeps what it has to say.
    ///
    /// # Errors
    /// When no executor listens, or it does not answer in this protocol.
    pub fn connect(
        dir: &DataDir,
        take: impl FnMut(FromExecutor) + Send + 'static,
    ) -> Result<Self, ClientError> {
        Self::connect_in(PROTOCOL, dir, take)
    }

    /// Connects in another protocol, to say only what reads the same in all of them.
    pub(crate) fn connect_in(
        protocol: u16,
        dir: &DataDir,
        take: impl FnMut(FromExecutor) + Send + 'static,
    ) -> Result<Self, ClientError> {
        let path = dir.control_socket();
        let socket =
            socket::connect(&path).map_err(|error| ClientError::NotRunning { path, error })?;
        let socket = Arc::new(socket);
        let mut received = FrameBuffer::default();
        send_all(&socket, &[Request::Hello { protocol }]).map_err(ClientError::NoAnswer)?;
        let welcome = match await_report(&socket, &mut received)? {
            Report::Welcome(welcome) => welcome,
            Report::Incompatible { protocol } => {
                return Err(ClientError::Incompatible { found: protocol });
            }
            _ => {
                return Err(ClientError::NoAnswer(io::Error::other(
                    "it did not begin with a welcome",
                )));
            }
        };
        let reading = Arc::clone(&socket);
        std::thread::Builder::new()
            .name("executor-reports".into())
            .spawn(move || read_until_closed(&reading, received, take))
            .map_err(ClientError::NoAnswer)?;
        Ok(Self {
            socket,
            sending: Mutex::new(()),
            welcome,
        })
    }

    /// Connects, and starts an executor before if none listens. It is a session of its own, prints to
    /// `executor/log`, and stays when this process ends.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and when the executor cannot be started.
    pub fn connect_or_spawn(
        program: &ExecutorProgram,
        dir: &DataDir,
        mut take: impl FnMut(FromExecutor) + Send + 'static,
    ) -> Result<Self, ClientError> {
        // The callback goes to whichever try succeeds.
        let shared = Arc::new(Mutex::new(move |from: FromExecutor| take(from)));
        let connect = || {
            let shared = Arc::clone(&shared);
            Self::connect(dir, move |from| {
                if let Ok(mut take) = shared.lock() {
                    take(from);
                }
            })
        };
        for _ in 0..TRIES {
            match connect() {
                Err(ClientError::NotRunning { .. }) => {
                    if start(program, dir)? == Started::NotNeeded {
                        pause();
                    }
                }
                Err(ClientError::NoAnswer(error)) if is_going(&error) => pause(),
                result => return result,
            }
        }
        connect()
    }

    /// Who the executor is.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Sends requests, in order, in one write. Waits while the executor is busy.
    ///
    /// # Errors
    /// When the connection is over. Whether the executor took them is unknown then: connect and ask again.
    pub fn send(&self, requests: &[Request]) -> io::Result<()> {
        let _sending = self
            .sending
            .lock()
            .map_err(|_| io::Error::other("an earlier send panicked"))?;
        send_all(&self.socket, requests)
    }

    /// Ends the connection. The executor goes on.
    pub fn close(&self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

fn send_all(socket: impl AsFd, requests: &[Request]) -> io::Result<()> {
    // Launches have secrets in them.
    let mut bytes = Zeroizing::new(Vec::new());
    for request in requests {
        frame::append(&mut bytes, request)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        match rustix::net::send(&socket, rest, SendFlags::NOSIGNAL) {
            Ok(count) => rest = &rest[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn await_report(socket: impl AsFd, received: &mut FrameBuffer) -> Result<Report, ClientError> {
    loop {
        if let Some(report) = received.take()? {
            return Ok(report);
        }
        let ready = rustix::event::poll(
            &mut [PollFd::new(&socket, PollFlags::IN)],
            Some(&ANSWER_WITHIN),
        );
        if ready.map_err(|error| ClientError::NoAnswer(error.into()))? == 0 {
            return Err(ClientError::NoAnswer(io::ErrorKind::TimedOut.into()));
        }
        match receive(&socket, received) {
            Ok(true) => {}
            Ok(false) => return Err(ClientError::NoAnswer(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => return Err(ClientError::NoAnswer(error)),
        }
    }
}

/// Reads once; `false` at the end.
fn receive(socket: impl AsFd, received: &mut FrameBuffer) -> io::Result<bool> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match rustix::io::read(&socket, &mut buffer[..]) {
            Ok(count) => {
                received.extend(&buffer[..count]);
                return Ok(count > 0);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn read_until_closed(
    socket: &OwnedFd,
    mut received: FrameBuffer,
    mut take: impl FnMut(FromExecutor),
) {
    let reason = loop {
        match received.take() {
            Ok(Some(report)) => {
                take(FromExecutor::Report(report));
                continue;
            }
            Ok(None) => {}
            Err(error) => break error.to_string(),
        }
        match receive(socket, &mut received) {
            Ok(true) => {}
            Ok(false) => break "the executor closed the connection".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    take(FromExecutor::Closed { reason });
}

/// Whether the connection was made to an executor that was about to be gone.
pub(crate) fn is_going(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

#[derive(PartialEq, Eq)]
enum Started {
    /// It listens.
    Listening,
    /// Another one has the data directory: it is about to listen, or about to be gone.
    NotNeeded,
}

/// Starts an executor and waits until it listens or ends: one that finds another one running ends at once.
fn start(program: &ExecutorProgram, dir: &DataDir) -> Result<Started, ClientError> {
    let failed = |error| ClientError::NotStarted {
        program: program.path.clone(),
        log: dir.executor_log(),
        error,
    };
    match std::fs::create_dir(dir.executor()) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let log = File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(dir.executor_log());
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the executor itself is made"
    )]
    let mut command = std::process::Command::new(&program.path);
    command
        .args(&program.args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.map_err(failed)?);
    let mut child = command.spawn().map_err(failed)?;
    // The line that says that it listens, or its end.
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(6).read_to_end(&mut said).map_err(failed)?;
    }
    if said == b"ready\n" {
        // While this process lives, somebody must take its exit status.
        let builder = std::thread::Builder::new().name("executor-exit".into());
        builder.spawn(move || child.wait()).map_err(failed)?;
        return Ok(Started::Listening);
    }
    let status = child.wait().map_err(failed)?;
    if status.success() {
        return Ok(Started::NotNeeded);
    }
    Err(failed(io::Error::other(format!("it ended with {status}"))))
}

pub(crate) fn pause() {
    // Another executor is about to listen or to be gone, and nothing tells when.
    let _ = rustix::event::poll(&mut [], Some(&TRY_AGAIN_AFTER));
}
