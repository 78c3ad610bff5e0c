//! The threads that make processes. Several, because each is suspended while its child becomes its program.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use odin_model::{Boottime, Clock};
use rustix::pipe::PipeFlags;

use super::clone::{self, Plan, Stack};
use super::environment::{Drawn, environment};
use super::identity::Identities;
use super::low_descriptors::LowDescriptors;
use super::program::{Resolved, c_string};
use crate::data_dir::DataDir;
use crate::executor::Slot;
use crate::protocol::Launch;
use crate::values::{Access, Accesses, RunToken};

/// How many children are in the making at once, at most. On two processors, four make a sixth more processes in a
/// second than two do: a child that waits for a processor or for its program's file holds up fewer others.
const THREADS: usize = 4;

/// A process to make.
pub(crate) struct SpawnOrder {
    pub(crate) slot: Slot,
    pub(crate) launch: Box<Launch>,
}

/// What became of an order.
pub(crate) struct Spawned {
    pub(crate) slot: Slot,
    pub(crate) outcome: SpawnOutcome,
}

pub(crate) enum SpawnOutcome {
    Made(Made),
    /// The lease had ended. The launch comes back to wait for the next one.
    NoLease(Box<Launch>),
    NotStartable {
        reason: String,
    },
}

/// A process, and what the executor holds of it.
pub(crate) struct Made {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// Immediately before the process was made.
    pub(crate) made: Boottime,
    /// The same instant on the wall clock.
    pub(crate) started_at: Timestamp,
    /// Its processes' way into the values socket.
    pub(crate) access: Access,
    pub(crate) launch: Box<Launch>,
}

struct Shared {
    orders: Mutex<Orders>,
    arrived: Condvar,
    spawned: Mutex<Vec<Spawned>>,
    lease_until_nanos: AtomicU64,
}

#[derive(Default)]
struct Orders {
    queue: VecDeque<SpawnOrder>,
    closed: bool,
}

/// What spawners need of the executor.
pub(crate) struct Surroundings<'a> {
    pub(crate) dir: &'a DataDir,
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// Where a process's token is made known before the process exists.
    pub(crate) accesses: &'a Accesses,
    /// The open files limit of jobs; `None` for the executor's own.
    pub(crate) open_files: Option<libc::rlimit>,
    /// Whether the executor lowered its own chance of being ended for memory.
    pub(crate) reset_oom: bool,
}

/// What a spawner thread makes processes with.
struct Maker {
    dir: DataDir,
    values_socket: PathBuf,
    clock: Arc<dyn Clock>,
    accesses: Accesses,
    open_files: Option<libc::rlimit>,
    reset_oom: bool,
    identities: Identities,
    stack: Stack,
    low: LowDescriptors,
}

/// The spawner threads, seen from the main loop.
pub(crate) struct Spawners {
    shared: Arc<Shared>,
}

const NEVER_POISONED: &str = "no code that holds this lock panics";

impl Spawners {
    /// Starts the threads. `wake` is called when something was spawned after the last [`take`](Self::take).
    pub(crate) fn start(
        surroundings: &Surroundings<'_>,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            orders: Mutex::default(),
            arrived: Condvar::new(),
            spawned: Mutex::default(),
            lease_until_nanos: AtomicU64::new(0),
        });
        for index in 0..THREADS {
            let mut maker = Maker {
                dir: surroundings.dir.clone(),
                values_socket: surroundings.dir.values_socket(),
                clock: Arc::clone(surroundings.clock),
                accesses: surroundings.accesses.clone(),
                open_files: surroundings.open_files,
                reset_oom: surroundings.reset_oom,
                identities: Identities::new(),
                stack: Stack::new()?,
                low: LowDescriptors::reserve()?,
            };
            let (shared, wake) = (Arc::clone(&shared), wake.clone());
            let builder = std::thread::Builder::new()
                .name(format!("spawner-{index}"))
                .stack_size(256 << 10);
            builder.spawn(move || spawn_until_closed(&shared, &mut maker, wake))?;
        }
        Ok(Self { shared })
    }

    /// Gives the threads these orders, in order.
    pub(crate) fn order(&self, orders: impl IntoIterator<Item = SpawnOrder>) {
        let mut queue = self.shared.orders.lock().expect(NEVER_POISONED);
        let before = queue.queue.len();
        queue.queue.extend(orders);
        match queue.queue.len() - before {
            0 => {}
            1 => self.shared.arrived.notify_one(),
            _ => self.shared.arrived.notify_all(),
        }
    }

    /// What was spawned since the last call.
    pub(crate) fn take(&self) -> Vec<Spawned> {
        std::mem::take(&mut *self.shared.spawned.lock().expect(NEVER_POISONED))
    }

    /// Processes may be made until then.
    pub(crate) fn set_lease(&self, until: Boottime) {
        let nanos = u64::try_from(until.0.as_nanos()).unwrap_or(u64::MAX);
        self.shared
            .lease_until_nanos
            .store(nanos, Ordering::Release);
    }
}

impl Drop for Spawners {
    fn drop(&mut self) {
        self.shared.orders.lock().expect(NEVER_POISONED).closed = true;
        self.shared.arrived.notify_all();
    }
}

fn spawn_until_closed(shared: &Shared, maker: &mut Maker, wake: impl Fn()) {
    let lease = || {
        Boottime(Duration::from_nanos(
            shared.lease_until_nanos.load(Ordering::Acquire),
        ))
    };
    while let Some(SpawnOrder { slot, launch }) = next_order(shared) {
        let outcome = maker.make(launch, lease);
        let mut spawned = shared.spawned.lock().expect(NEVER_POISONED);
        let is_first = spawned.is_empty();
        spawned.push(Spawned { slot, outcome });
        drop(spawned);
        if is_first {
            wake();
        }
    }
}

/// Waits for an order; `None` when no more will come.
fn next_order(shared: &Shared) -> Option<SpawnOrder> {
    let mut orders = shared.orders.lock().expect(NEVER_POISONED);
    loop {
        if orders.closed {
            return None;
        }
        match orders.queue.pop_front() {
            Some(order) => return Some(order),
            None => orders = shared.arrived.wait(orders).expect(NEVER_POISONED),
        }
    }
}

/// Everything of [`Made`] but the launch, which is still borrowed while these are made.
struct Parts {
    pid: u32,
    pidfd: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    made: Boottime,
    started_at: Timestamp,
    access: Access,
}

impl Maker {
    fn make(&mut self, launch: Box<Launch>, lease: impl Fn() -> Boottime) -> SpawnOutcome {
        match self.try_make(&launch, lease) {
            Ok(Some(parts)) => {
                let Parts {
                    pid,
                    pidfd,
                    stdout,
                    stderr,
                    made,
                    started_at,
                    access,
                } = parts;
                SpawnOutcome::Made(Made {
                    pid,
                    pidfd,
                    stdout,
                    stderr,
                    made,
                    started_at,
                    access,
                    launch,
                })
            }
            Ok(None) => SpawnOutcome::NoLease(launch),
            Err(reason) => SpawnOutcome::NotStartable { reason },
        }
    }

    /// A process; `None` without a lease; the reason when there can be none.
    fn try_make(
        &mut self,
        launch: &Launch,
        lease: impl Fn() -> Boottime,
    ) -> Result<Option<Parts>, String> {
        let switch = self.identities.must_switch();
        let now = self.clock.boottime();
        let account = self
            .identities
            .account(&launch.owner, now)
            .map_err(|error| error.to_string())?;
        let program = Resolved::of(launch).map_err(|error| error.to_string())?;
        let drawn = draw().map_err(|error| {
            format!("the system gave no random bits for the run's token: {error}")
        })?;
        let envp = environment(launch, account, &self.values_socket, &drawn)
            .map_err(|error| error.to_string())?;
        let directory = self
            .dir
            .version(launch.job, launch.version)
            .to_string_lossy()
            .into_owned();
        let directory = c_string(directory).map_err(|error| error.to_string())?;
        let no_pipe = |error: io::Error| {
            format!(
                "the system made no pipe for the output: {error}; raise the server's limit of open files"
            )
        };
        let (stdout, stdout_end) = pipe().map_err(no_pipe)?;
        let (stderr, stderr_end) = pipe().map_err(no_pipe)?;
        self.low
            .put([None, Some(&stdout_end), Some(&stderr_end)])
            .map_err(no_pipe)?;
        drop((stdout_end, stderr_end));
        let plan = Plan {
            candidates: &program.candidates,
            argv: &program.argv,
            envp: &envp,
            directory: &directory,
            account: switch.then_some(account),
            stdio: self.low.places(),
            descriptors_below: self.low.end(),
            open_files: self.open_files,
            reset_oom: self.reset_oom,
        };
        let access = self
            .accesses
            .grant(launch.key, launch.owner.uid, drawn.token);
        let (made, started_at) = (self.clock.boottime(), self.clock.wall());
        // The last look before the process exists: nothing slow may come between this and the next line.
        let spawned = (lease() > made).then(|| clone::spawn(&plan, &mut self.stack));
        self.low.clear();
        match spawned {
            None => Ok(None),
            Some(Ok((pid, pidfd))) => Ok(Some(Parts {
                pid,
                pidfd,
                stdout,
                stderr,
                made,
                started_at,
                access,
            })),
            Some(Err(failure)) => Err(program.explain(failure, launch)),
        }
    }
}

/// A pipe whose reading end does not block. The writing end is the job's and does.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((read, write))
}

fn draw() -> io::Result<Drawn> {
    let mut bytes = [0; 40];
    // SAFETY: the buffer's length is given. Requests up to 256 bytes are answered whole.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if count != 40 {
        return Err(io::Error::last_os_error());
    }
    let mut drawn = Drawn {
        token: RunToken([0; 16]),
        trace: [0; 16],
        span: [0; 8],
    };
    drawn.token.0.copy_from_slice(&bytes[..16]);
    drawn.trace.copy_from_slice(&bytes[16..32]);
    drawn.span.copy_from_slice(&bytes[32..]);
    Ok(drawn)
}
