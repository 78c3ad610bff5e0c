//! The threads that make processes. Several, because each is suspended while its child becomes its program.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use odin_model::{Boottime, Clock, SecretDelivery, SecretName};
use rustix::pipe::PipeFlags;

use super::accounts::{self, Accounts, Known};
use super::clone::{self, Plan, Stack};
use super::environment::{Drawn, environment};
use super::identity::Account;
use super::low_descriptors::LowDescriptors;
use super::orders::{Orders, Waiting};
use super::program::{Resolved, c_string};
use super::secret_files::{SecretFile, SecretFileError, SecretFiles};
use crate::data_dir::DataDir;
use crate::executor::Slot;
use crate::limits::{Group, Groups};
use crate::masking::{Patterns, RunMasks};
use crate::protocol::{Launch, LaunchProgram, LaunchSecret};
use crate::values::{Access, Accesses, Terms};

/// How many children are in the making at once, at most. On two processors, four make a sixth more processes in a
/// second than two do: a child that waits for a processor or for its program's file holds up fewer others.
const THREADS: usize = 4;

/// A process to make.
pub(crate) struct SpawnOrder {
    pub(crate) slot: Slot,
    pub(crate) launch: Box<Launch>,
    pub(crate) purpose: Purpose,
}

/// What a process is for.
pub(crate) enum Purpose {
    /// To be the attempt.
    Run,
    /// To run before an attempt that exists is ended, whether or not there is a lease.
    OnCancel {
        command: LaunchProgram,
        /// Why it is ended.
        reason: String,
        /// What was drawn for the attempt: the command speaks for it too.
        drawn: Drawn,
    },
}

/// What became of an order.
pub(crate) struct Spawned {
    pub(crate) slot: Slot,
    pub(crate) outcome: SpawnOutcome,
    /// Whether the order was for [`Purpose::OnCancel`].
    pub(crate) is_on_cancel: bool,
}

pub(crate) enum SpawnOutcome {
    Made(Box<Made>),
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
    /// Its processes' way into the values socket; `None` for a command that has the attempt's.
    pub(crate) access: Option<Access>,
    /// The control groups of its limits, if it has any.
    pub(crate) group: Option<Group>,
    pub(crate) drawn: Drawn,
    /// What masks its output; `None` without secrets.
    pub(crate) masks: Option<Box<RunMasks>>,
    /// The secrets that it got as files.
    pub(crate) secret_files: Vec<SecretFile>,
    pub(crate) launch: Box<Launch>,
}

struct Shared {
    orders: Mutex<Orders<SpawnOrder>>,
    /// No more will come, and those that wait are not made.
    closed: AtomicBool,
    /// How many orders are parked, so that nobody takes the lock to find none.
    parked: AtomicUsize,
    arrived: Condvar,
    spawned: Mutex<Vec<Spawned>>,
    lease_until_nanos: AtomicU64,
}

/// What spawners need of the executor.
pub(crate) struct Surroundings<'a> {
    pub(crate) dir: &'a DataDir,
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// Where a process's token is made known before the process exists.
    pub(crate) accesses: &'a Accesses,
    pub(crate) accounts: &'a Accounts,
    pub(crate) groups: &'a Groups,
    pub(crate) secret_files: &'a SecretFiles,
    /// The open files limit of jobs; `None` for the executor's own.
    pub(crate) open_files: Option<libc::rlimit>,
    /// The core dump limit of jobs; `None` for the executor's own.
    pub(crate) core: Option<libc::rlimit>,
    /// Whether the executor lowered its own chance of being ended for memory.
    pub(crate) reset_oom: bool,
}

/// What a spawner thread makes processes with.
struct Maker {
    dir: DataDir,
    values_socket: PathBuf,
    clock: Arc<dyn Clock>,
    accesses: Accesses,
    accounts: Accounts,
    groups: Groups,
    secret_files: SecretFiles,
    open_files: Option<libc::rlimit>,
    core: Option<libc::rlimit>,
    reset_oom: bool,
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
            closed: AtomicBool::new(false),
            parked: AtomicUsize::new(0),
            arrived: Condvar::new(),
            spawned: Mutex::default(),
            lease_until_nanos: AtomicU64::new(0),
        });
        let for_answers = Arc::clone(&shared);
        surroundings.accounts.tell(move || for_answers.unpark());
        for index in 0..THREADS {
            let mut maker = Maker {
                dir: surroundings.dir.clone(),
                values_socket: surroundings.dir.values_socket(),
                clock: Arc::clone(surroundings.clock),
                accesses: surroundings.accesses.clone(),
                accounts: surroundings.accounts.clone(),
                groups: surroundings.groups.clone(),
                secret_files: surroundings.secret_files.clone(),
                open_files: surroundings.open_files,
                core: surroundings.core,
                reset_oom: surroundings.reset_oom,
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
        let mut waiting = self.shared.orders.lock().expect(NEVER_POISONED);
        let before = waiting.len();
        orders.into_iter().for_each(|order| waiting.add(order));
        match waiting.len() - before {
            0 => {}
            1 => self.shared.arrived.notify_one(),
            _ => self.shared.arrived.notify_all(),
        }
    }

    /// How many orders wait for a thread; those that wait for the user database apart.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.orders.lock().expect(NEVER_POISONED).len()
    }

    /// What was spawned since the last call.
    pub(crate) fn take(&self) -> Vec<Spawned> {
        std::mem::take(&mut *self.shared.spawned.lock().expect(NEVER_POISONED))
    }

    /// When the first of those that wait for the user database has waited long enough.
    pub(crate) fn next_give_up(&self) -> Option<Boottime> {
        if self.shared.parked.load(Ordering::Acquire) == 0 {
            return None;
        }
        let orders = self.shared.orders.lock().expect(NEVER_POISONED);
        orders.next_give_up()
    }

    /// Refuses those that have waited long enough.
    pub(crate) fn give_up(&self, now: Boottime) {
        if self.shared.parked.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut orders = self.shared.orders.lock().expect(NEVER_POISONED);
        let late = orders.give_up(now);
        self.shared.count_parked(&orders);
        drop(orders);
        let mut spawned = self.shared.spawned.lock().expect(NEVER_POISONED);
        spawned.extend(late.into_iter().map(|order| {
            let reason = accounts::silent(&order.launch.owner).to_string();
            order.becomes(|_| SpawnOutcome::NotStartable { reason })
        }));
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
        let orders = self.shared.orders.lock().expect(NEVER_POISONED);
        self.shared.closed.store(true, Ordering::Relaxed);
        drop(orders);
        self.shared.arrived.notify_all();
    }
}

fn spawn_until_closed(shared: &Shared, maker: &mut Maker, wake: impl Fn()) {
    let lease = || {
        Boottime(Duration::from_nanos(
            shared.lease_until_nanos.load(Ordering::Acquire),
        ))
    };
    while let Some(waiting) = next_order(shared) {
        let account = match maker.accounts.get(&waiting.order.launch.owner) {
            Known::Now(account) => account,
            Known::Later => {
                shared.park(waiting, maker);
                // The loop must know until when.
                wake();
                continue;
            }
        };
        let outcome = match account {
            Ok(account) => maker.make(waiting.order, &account, lease),
            Err(error) => {
                let reason = error.to_string();
                waiting
                    .order
                    .becomes(|_| SpawnOutcome::NotStartable { reason })
            }
        };
        let mut spawned = shared.spawned.lock().expect(NEVER_POISONED);
        let is_first = spawned.is_empty();
        spawned.push(outcome);
        drop(spawned);
        if is_first {
            wake();
        }
    }
}

impl SpawnOrder {
    fn becomes(self, outcome: impl FnOnce(Box<Launch>) -> SpawnOutcome) -> Spawned {
        Spawned {
            slot: self.slot,
            is_on_cancel: matches!(self.purpose, Purpose::OnCancel { .. }),
            outcome: outcome(self.launch),
        }
    }
}

impl Shared {
    /// Puts an order aside until the user database has said who its owner is.
    fn park(&self, waiting: Waiting<SpawnOrder>, maker: &Maker) {
        let until = maker.clock.boottime().plus(accounts::ANSWER_WITHIN);
        let mut orders = self.orders.lock().expect(NEVER_POISONED);
        // It may have answered before this lock was taken, and then tells nobody.
        match maker.accounts.get(&waiting.order.launch.owner) {
            Known::Now(_) => {
                orders.put_back(waiting);
                self.arrived.notify_one();
            }
            Known::Later => orders.park(waiting, until),
        }
        self.count_parked(&orders);
    }

    /// The user database has answered: all look again.
    fn unpark(&self) {
        let mut orders = self.orders.lock().expect(NEVER_POISONED);
        orders.unpark();
        self.count_parked(&orders);
        self.arrived.notify_all();
    }

    fn count_parked(&self, orders: &Orders<SpawnOrder>) {
        self.parked.store(orders.parked(), Ordering::Release);
    }
}

/// Waits for an order; `None` when no more will come.
fn next_order(shared: &Shared) -> Option<Waiting<SpawnOrder>> {
    let mut orders = shared.orders.lock().expect(NEVER_POISONED);
    loop {
        if shared.closed.load(Ordering::Relaxed) {
            return None;
        }
        match orders.next() {
            Some(waiting) => return Some(waiting),
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
    access: Option<Access>,
    group: Option<Group>,
    drawn: Drawn,
    masks: Option<Box<RunMasks>>,
    secret_files: Vec<SecretFile>,
}

impl Maker {
    fn make(
        &mut self,
        order: SpawnOrder,
        account: &Account,
        lease: impl Fn() -> Boottime,
    ) -> Spawned {
        let parts = self.try_make(&order, account, lease);
        order.becomes(|launch| match parts {
            Ok(Some(parts)) => SpawnOutcome::Made(Box::new(parts.with(launch))),
            Ok(None) => SpawnOutcome::NoLease(launch),
            Err(reason) => SpawnOutcome::NotStartable {
                reason: Patterns::new(launch.secrets.iter().map(|it| &it.value)).masked(&reason),
            },
        })
    }

    /// A process; `None` without a lease; the reason when there can be none.
    fn try_make(
        &mut self,
        order: &SpawnOrder,
        account: &Account,
        lease: impl Fn() -> Boottime,
    ) -> Result<Option<Parts>, String> {
        let launch = &*order.launch;
        let (program, drawn, cancel_reason) = match &order.purpose {
            Purpose::Run => (&launch.program, Drawn::draw()?, None),
            Purpose::OnCancel {
                command,
                reason,
                drawn,
            } => (command, drawn.clone(), Some(reason.as_str())),
        };
        let program = Resolved::of(program, &launch.env).map_err(|error| error.to_string())?;
        let switches = self.accounts.must_switch().then_some(account);
        let is_run = cancel_reason.is_none();
        let paths = self
            .paths_of_secrets(launch)
            .map_err(|error| error.to_string())?;
        let secrets: Vec<(&SecretName, &[u8])> = launch
            .secrets
            .iter()
            .zip(&paths)
            .map(|(it, path)| {
                let value = match path {
                    Some(path) => path.as_os_str().as_encoded_bytes(),
                    None => it.value.expose(),
                };
                (&it.name, value)
            })
            .collect();
        let envp = environment(
            launch,
            account,
            &self.values_socket,
            &drawn,
            &secrets,
            cancel_reason,
        )
        .map_err(|error| error.to_string())?;
        let directory = self
            .dir
            .version(launch.job, launch.version)
            .to_string_lossy()
            .into_owned();
        let directory = c_string(directory).map_err(|error| error.to_string())?;
        let (stdout, stdout_end) = pipe().map_err(|error| no_pipe(&error))?;
        let (stderr, stderr_end) = pipe().map_err(|error| no_pipe(&error))?;
        // The command must be able to run when the attempt has used up what it may.
        let name = match cancel_reason {
            None => launch.key.to_string(),
            Some(_) => format!("{}{ON_CANCEL_SUFFIX}", launch.key),
        };
        let group = self.groups.make(&name, &launch.limits)?;
        let doors = group.as_ref().map_or_else(Vec::new, Group::doors);
        self.low
            .put([None, Some(&stdout_end), Some(&stderr_end)])
            .map_err(|error| no_pipe(&error))?;
        drop((stdout_end, stderr_end));
        let plan = Plan {
            candidates: &program.candidates,
            argv: &program.argv,
            envp: envp.all(),
            directory: &directory,
            account: switches,
            stdio: self.low.places(),
            descriptors_below: self.low.end(),
            group_doors: &doors,
            open_files: launch.limits.open_files.map(both).or(self.open_files),
            core: self.core,
            processes: processes_of_the_user(launch, group.as_ref()),
            reset_oom: self.reset_oom,
        };
        // The command before the end finds the files of its run.
        let secret_files = match is_run {
            true => self
                .make_secret_files(launch, switches)
                .map_err(|error| error.to_string())?,
            false => Vec::new(),
        };
        let patterns = (is_run && !launch.secrets.is_empty())
            .then(|| Arc::new(Patterns::new(launch.secrets.iter().map(|it| &it.value))));
        let masks = patterns.clone().and_then(RunMasks::new);
        let access = is_run.then(|| {
            let terms = Terms {
                bytes_max: launch.values_bytes_max,
                masks: patterns.filter(|it| !it.is_empty()),
            };
            self.accesses
                .grant(launch.key, launch.owner.uid, drawn.token, terms)
        });
        let (made, started_at) = (self.clock.boottime(), self.clock.wall());
        // The last look before the process exists: nothing slow may come between this and the next line.
        let spawned = (!is_run || lease() > made).then(|| clone::spawn(&plan, &mut self.stack));
        self.low.clear();
        if !matches!(spawned, Some(Ok(_)))
            && let Some(group) = &group
        {
            // What is busy for a moment longer is removed when the executor ends.
            let _ = group.remove();
        }
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
                group,
                drawn,
                masks,
                secret_files,
            })),
            Some(Err(failure)) => Err(program.explain(failure, launch)),
        }
    }
}

impl Maker {
    /// The path of each secret that is a file.
    fn paths_of_secrets(&self, launch: &Launch) -> Result<Vec<Option<PathBuf>>, SecretFileError> {
        let path = |it: &LaunchSecret| match it.delivery {
            SecretDelivery::Env => Ok(None),
            SecretDelivery::File => self.secret_files.path(launch.key, &it.name).map(Some),
        };
        launch.secrets.iter().map(path).collect()
    }

    fn make_secret_files(
        &self,
        launch: &Launch,
        account: Option<&Account>,
    ) -> Result<Vec<SecretFile>, SecretFileError> {
        let files = launch.secrets.iter();
        files
            .filter(|it| it.delivery == SecretDelivery::File)
            .map(|it| {
                let value = it.value.expose();
                self.secret_files.make(launch.key, &it.name, value, account)
            })
            .collect()
    }
}

impl Parts {
    fn with(self, launch: Box<Launch>) -> Made {
        Made {
            pid: self.pid,
            pidfd: self.pidfd,
            stdout: self.stdout,
            stderr: self.stderr,
            made: self.made,
            started_at: self.started_at,
            access: self.access,
            group: self.group,
            drawn: self.drawn,
            masks: self.masks,
            secret_files: self.secret_files,
            launch,
        }
    }
}

/// What the name of the group of a command before a cancel has behind the attempt's.
pub(crate) const ON_CANCEL_SUFFIX: &str = ".on-cancel";

fn both(value: u32) -> libc::rlimit {
    let value = libc::rlim_t::from(value);
    libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    }
}

/// Where no control group bounds the processes of a run, those of its user are bounded: better than nothing, which is
/// what the job said would do.
fn processes_of_the_user(launch: &Launch, group: Option<&Group>) -> Option<libc::rlimit> {
    let is_bounded = group.is_some_and(|group| group.bounds_processes);
    launch.limits.processes.filter(|_| !is_bounded).map(both)
}

fn no_pipe(error: &io::Error) -> String {
    format!(
        "the system made no pipe for the output: {error}; raise the server's limit of open files"
    )
}

/// A pipe whose reading end does not block. The writing end is the job's and does.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((read, write))
}
