//! The loop: wait, take what happened, write it down, act on it.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use odin_model::{Boottime, Clock};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

use super::control::Control;
use super::events::Events;
use super::orphans::Orphans;
use super::prepare::Preparer;
use super::slots::{Slot, Slots};
use super::timers::{Timer, Timers};
use super::wake::Wake;
use super::{ExecutorError, ExecutorOptions, ExitReason, recovery};
use crate::data_dir::DataDir;
use crate::journal::{Journal, Opened, Record, SYNC_WITHIN};
use crate::output::FRAME_BYTES_MAX;
use crate::process::Spawners;
use crate::process::tree::Snapshot;
use crate::protocol::AttemptKey;
use crate::socket;

/// Events taken from the kernel at once: bounds what is handled before the loop acts.
const EVENTS_AT_ONCE: usize = 256;
/// Descriptors that an attempt takes while it runs: two pipes and the process, and both pipes' other ends meanwhile.
const DESCRIPTORS_EACH: u64 = 5;
/// Attempts that run at once, at most, however many descriptors there are.
const RUNNING_MAX: u64 = 8192;
/// How long a disk that refused is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Listener,
    Values,
    Wake,
    Timer,
    Signals,
    Control,
    Stdout(Slot),
    Stderr(Slot),
    Exit(Slot),
}

impl Source {
    fn data(self) -> EventData {
        let (kind, slot) = match self {
            Self::Listener => (0, None),
            Self::Wake => (1, None),
            Self::Timer => (2, None),
            Self::Signals => (3, None),
            Self::Control => (4, None),
            Self::Stdout(slot) => (5, Some(slot)),
            Self::Stderr(slot) => (6, Some(slot)),
            Self::Exit(slot) => (7, Some(slot)),
            Self::Values => (8, None),
        };
        let slot = slot.unwrap_or(Slot {
            index: 0,
            generation: 0,
        });
        assert!(
            slot.index < 1 << 28,
            "slots are bounded by the attempts that are armed and running"
        );
        EventData::new_u64(kind << 60 | u64::from(slot.index) << 32 | u64::from(slot.generation))
    }

    fn of(data: EventData) -> Self {
        let data = data.u64();
        let low = |bits: u64| u32::try_from(bits & 0xffff_ffff).expect("32 bits");
        let slot = Slot {
            index: low(data >> 32) & 0x0fff_ffff,
            generation: low(data),
        };
        match data >> 60 {
            0 => Self::Listener,
            1 => Self::Wake,
            2 => Self::Timer,
            3 => Self::Signals,
            4 => Self::Control,
            5 => Self::Stdout(slot),
            6 => Self::Stderr(slot),
            8 => Self::Values,
            _ => Self::Exit(slot),
        }
    }
}

pub(super) struct MainLoop {
    pub(super) dir: DataDir,
    pub(super) clock: Arc<dyn Clock>,
    /// The instant that this turn of the loop began.
    pub(super) now: Boottime,
    epoll: OwnedFd,
    timer: OwnedFd,
    timer_at: Option<Boottime>,
    signals: OwnedFd,
    listener: OwnedFd,
    values: OwnedFd,
    wake: Wake,
    pub(super) control: Control,
    pub(super) journal: Journal,
    pub(super) executor_id: u64,
    pub(super) boot_id: String,
    pub(super) events: Events,
    pub(super) slots: Slots,
    /// Armed attempts, oldest first.
    pub(super) armed: BTreeSet<(Boottime, AttemptKey, Slot)>,
    /// Attempts whose start is written, oldest first.
    pub(super) starting: BTreeSet<(Boottime, AttemptKey, Slot)>,
    /// Where in the journal the newest start ends.
    pub(super) newest_start: u64,
    pub(super) lease_until: Boottime,
    pub(super) spawners: Spawners,
    pub(super) preparer: Preparer,
    /// Attempts that a spawner has or that run.
    pub(super) running: usize,
    pub(super) running_max: usize,
    /// The first process of each running attempt, waited for or not: it names the session and the group.
    pub(super) by_pid: HashMap<u32, Slot>,
    pub(super) orphans: Orphans,
    pub(super) timers: Timers,
    /// What `/proc` showed in this turn of the loop, if somebody looked.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) buffer: Box<[u8]>,
    /// By then, what is written must be asked to the disk.
    sync_at: Option<Boottime>,
    /// Until then, a disk that refused is left alone.
    retry_at: Option<Boottime>,
    pub(super) draining: bool,
    idle_since: Option<Boottime>,
    idle_exit: Duration,
}

impl MainLoop {
    pub(super) fn start(
        options: &ExecutorOptions,
        dir: DataDir,
        clock: Arc<dyn Clock>,
        open_files: Option<libc::rlimit>,
        protected: bool,
    ) -> Result<Self, ExecutorError> {
        let wake = Wake::new().map_err(ExecutorError::system("make an eventfd"))?;
        let waker = || {
            let wake = wake.clone();
            move || wake.wake()
        };
        let Opened {
            mut journal,
            mut replay,
        } = Journal::open(&dir.executor(), waker())?;
        let now = clock.boottime();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_err(ExecutorError::system("read the boot id"))?
            .trim()
            .to_owned();
        let lost = recovery::end_what_was_left(&replay, &boot_id, &*clock);
        let mut events = Events::replayed(&mut replay, now);
        let executor_id = draw_id().map_err(ExecutorError::system("draw random bits"))?;
        journal.add(&Record::Opened {
            executor: executor_id,
            pid: std::process::id(),
            boot_id: boot_id.clone(),
        });
        for (key, result) in lost {
            let record = Record::Finished {
                number: events.take_number(),
                key,
                result,
            };
            let position = journal.add(&record);
            events.push(
                super::events::event_of(&record).expect("a finish is an event"),
                position,
            );
        }
        let spawners = Spawners::start(&dir, &clock, open_files, protected, waker())
            .map_err(ExecutorError::system("start the spawner threads"))?;
        let preparer = Preparer::start(&dir, &clock, waker())
            .map_err(ExecutorError::system("start a thread"))?;
        let listener = socket::listen(&dir.control_socket(), 0o600)
            .map_err(ExecutorError::system("listen on executor.sock"))?;
        let values = socket::listen(&dir.values_socket(), 0o666)
            .map_err(ExecutorError::system("listen on values.sock"))?;
        let epoll =
            epoll::create(CreateFlags::CLOEXEC).map_err(ExecutorError::system("make an epoll"))?;
        let timer = rustix::time::timerfd_create(
            TimerfdClockId::Boottime,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )
        .map_err(ExecutorError::system("make a timer"))?;
        let signals = signal_descriptor().map_err(ExecutorError::system("make a signalfd"))?;
        let this = Self {
            dir,
            clock,
            now,
            epoll,
            timer,
            timer_at: None,
            signals,
            listener,
            values,
            wake,
            control: Control::default(),
            journal,
            executor_id,
            boot_id,
            events,
            slots: Slots::default(),
            armed: BTreeSet::new(),
            starting: BTreeSet::new(),
            newest_start: 0,
            lease_until: Boottime(Duration::ZERO),
            spawners,
            preparer,
            running: 0,
            running_max: running_max(),
            by_pid: HashMap::new(),
            orphans: Orphans::default(),
            timers: Timers::default(),
            snapshot: None,
            buffer: vec![0; FRAME_BYTES_MAX].into(),
            sync_at: None,
            retry_at: None,
            draining: false,
            idle_since: None,
            idle_exit: options.idle_exit,
        };
        for (descriptor, source) in [
            (this.listener.as_fd(), Source::Listener),
            (this.values.as_fd(), Source::Values),
            (this.wake.as_fd(), Source::Wake),
            (this.timer.as_fd(), Source::Timer),
            (this.signals.as_fd(), Source::Signals),
        ] {
            this.watch(descriptor, source, EventFlags::IN)
                .map_err(ExecutorError::system("watch a descriptor"))?;
        }
        Ok(this)
    }

    /// Turns until the executor ends.
    pub(super) fn run(mut self) -> Result<ExitReason, ExecutorError> {
        announce();
        loop {
            self.now = self.clock.boottime();
            self.act();
            if let Some(reason) = self.ends() {
                self.flush_at_the_end();
                return Ok(reason);
            }
            self.set_timer()?;
            let sources = self.wait()?;
            self.now = self.clock.boottime();
            for source in sources {
                self.take(source);
            }
        }
    }

    fn wait(&self) -> Result<Vec<Source>, ExecutorError> {
        let mut ready = Vec::with_capacity(EVENTS_AT_ONCE);
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut ready),
            None,
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(ready
                .into_iter()
                .map(|event| Source::of(event.data))
                .collect()),
            Err(error) => Err(ExecutorError::System {
                what: "wait for events",
                error: error.into(),
            }),
        }
    }

    /// Takes in what happened at one source. Nothing is started, ended or sent here.
    fn take(&mut self, source: Source) {
        match source {
            Source::Listener => {
                // Without descriptors or memory for it, the server tries again; jobs do not end for that.
                if let Ok(Some(connection)) = socket::accept(&self.listener) {
                    self.take_connection(connection);
                }
            }
            Source::Values => super::values::refuse_waiting(&self.values),
            Source::Wake => self.wake.clear(),
            Source::Timer => {
                let _ = rustix::io::read(&self.timer, &mut [0u8; 8]);
                self.timer_at = None;
            }
            Source::Signals => self.take_signals(),
            Source::Control => self.take_requests(),
            Source::Stdout(slot) => self.take_output(slot, odin_model::output::Stream::Stdout),
            Source::Stderr(slot) => self.take_output(slot, odin_model::output::Stream::Stderr),
            Source::Exit(slot) => self.take_exit(slot),
        }
    }

    /// Does everything that is to be done by now.
    fn act(&mut self) {
        self.snapshot = None;
        for spawned in self.spawners.take() {
            self.take_spawned(spawned);
        }
        for prepared in self.preparer.take() {
            self.control.queue(&prepared);
        }
        while let Some(timer) = self.timers.pop(self.now) {
            match timer {
                Timer::Timeout(slot) => self.time_out(slot),
                Timer::Drained(slot) => self.stop_reading(slot),
                Timer::Sweep(slot) => self.sweep(slot),
            }
        }
        self.orphans.reap();
        self.events.expire(self.now);
        self.write_starts();
        self.write_journal();
        self.order_processes();
        self.send();
    }

    /// Hands the journal to the kernel, and asks for it on the disk when something waits for that.
    fn write_journal(&mut self) {
        if self.retry_at.is_some_and(|at| at > self.now) {
            return;
        }
        let failed_before = self.retry_at.take().is_some();
        let compact = failed_before || self.journal.wants_compaction(self.remaining_records());
        // A disk that failed to sync may claim success the next time: only a new file tells.
        let result = if compact {
            self.compact()
        } else {
            self.journal.write()
        };
        if result.is_err() || self.journal.failure().is_some() {
            self.retry_at = Some(self.now.plus(RETRY_AFTER));
            return;
        }
        if self.journal.written() <= self.journal.durable() {
            self.sync_at = None;
        } else if self.starts_wait_for_the_disk() || self.sync_at.is_some_and(|at| at <= self.now) {
            self.journal.sync();
            self.sync_at = None;
        } else if self.sync_at.is_none() {
            self.sync_at = Some(self.now.plus(SYNC_WITHIN));
        }
    }

    /// Whether the disk takes records now.
    pub(super) fn journal_works(&self) -> bool {
        self.retry_at.is_none()
    }

    fn set_timer(&mut self) -> Result<(), ExecutorError> {
        let candidates = [
            self.timers.next(),
            self.next_launch(),
            self.sync_at,
            self.retry_at,
            self.idle_until(),
        ];
        let next = candidates.into_iter().flatten().min();
        if next == self.timer_at {
            return Ok(());
        }
        // Zero would disarm it; an instant that has passed fires at once.
        let at = next.map_or(Duration::ZERO, |at| at.0.max(Duration::from_nanos(1)));
        let it_value = Timespec::try_from(at).unwrap_or(Timespec {
            tv_sec: i64::MAX,
            tv_nsec: 0,
        });
        let it_interval = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        rustix::time::timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec {
                it_interval,
                it_value,
            },
        )
        .map_err(ExecutorError::system("set the timer"))?;
        self.timer_at = next;
        Ok(())
    }

    fn idle_until(&self) -> Option<Boottime> {
        self.idle_since.map(|since| since.plus(self.idle_exit))
    }

    /// Whether it is over. An executor that has attempts never ends by itself.
    fn ends(&mut self) -> Option<ExitReason> {
        let idle = self.slots.is_empty() && self.preparer.is_idle();
        if !idle || self.control.is_connected() {
            self.idle_since = None;
        } else if self.idle_since.is_none() {
            self.idle_since = Some(self.now);
        }
        // A server that is there takes the last results; one that is not finds them in the journal.
        let told = !self.control.is_connected() || self.events.is_acknowledged();
        if idle && self.draining && told && self.control.is_flushed() {
            return Some(ExitReason::Drained);
        }
        self.idle_until()
            .filter(|until| *until <= self.now)
            .map(|_| ExitReason::Idle)
    }

    fn flush_at_the_end(&mut self) {
        // What the disk does not take now reads as lost in the next executor; there is nobody left to tell.
        let _ = self.journal.write();
        let _ = std::fs::remove_file(self.dir.control_socket());
        let _ = std::fs::remove_file(self.dir.values_socket());
    }

    pub(super) fn watch(
        &self,
        descriptor: impl AsFd,
        source: Source,
        interest: EventFlags,
    ) -> rustix::io::Result<()> {
        epoll::add(&self.epoll, descriptor, source.data(), interest)
    }

    pub(super) fn watch_otherwise(
        &self,
        descriptor: impl AsFd,
        source: Source,
        interest: EventFlags,
    ) {
        // Fails only for a descriptor that is not watched, and those here are.
        let _ = epoll::modify(&self.epoll, descriptor, source.data(), interest);
    }

    /// Closes a watched descriptor. Closing alone would not do: a child in the making holds a copy for a while, and
    /// what stays open stays watched, so the loop would spin on events of what it no longer has.
    pub(super) fn close(&self, descriptor: Option<OwnedFd>) {
        if let Some(descriptor) = descriptor {
            // Fails only for a descriptor that the kernel refused to watch.
            let _ = epoll::delete(&self.epoll, &descriptor);
        }
    }

    fn take_signals(&mut self) {
        // Each signalfd_siginfo is 128 bytes; the number of the signal is its first field.
        let mut buffer = [0u8; 128 * 8];
        let count = rustix::io::read(&self.signals, &mut buffer).unwrap_or(0);
        for info in buffer[..count].chunks_exact(128) {
            let (number, _) = info.split_first_chunk::<4>().expect("128 bytes");
            match i32::from_ne_bytes(*number) {
                libc::SIGCHLD => self.orphans.changed(),
                _ => self.draining = true,
            }
        }
    }
}

/// Tells who started this process that it listens, and lets go of that pipe.
fn announce() {
    let (stdout, stderr) = (rustix::stdio::stdout(), rustix::stdio::stderr());
    // Whoever is not there to hear it does not need it.
    let _ = rustix::io::write(stdout, b"ready\n");
    let _ = rustix::stdio::dup2_stdout(stderr);
}

fn running_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX);
    let running = (limit.saturating_sub(64) / DESCRIPTORS_EACH).clamp(1, RUNNING_MAX);
    usize::try_from(running).expect("at most RUNNING_MAX")
}

fn draw_id() -> std::io::Result<u64> {
    let mut bytes = [0u8; 8];
    // SAFETY: the buffer's length is given.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if count == 8 {
        Ok(u64::from_ne_bytes(bytes))
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// SIGCHLD tells of orphans that ended; the others ask the executor to end. All are blocked in every thread.
fn signal_descriptor() -> std::io::Result<OwnedFd> {
    // SAFETY: initialises a set of this frame; the descriptor that a successful call returns is ours alone.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT] {
            libc::sigaddset(&raw mut set, signal);
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            descriptor if descriptor >= 0 => Ok(OwnedFd::from_raw_fd(descriptor)),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}
