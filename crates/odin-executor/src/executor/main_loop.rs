//! The loop: wait, take what happened, write it down, act on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use odin_model::output::Stream;
use odin_model::{Boottime, Clock};

use super::control::Control;
use super::descriptors::Shares;
use super::events::Events;
use super::foreign_kills::ForeignKills;
use super::kept::Kept;
use super::leaving_groups::LeavingGroups;
use super::orphans::{Orphaned, Orphans};
use super::own_memory::OwnMemory;
use super::prepare::Preparer;
use super::queue::Queue;
use super::running::Whose;
use super::slots::{Slot, Slots};
use super::sources::{Source, Sources};
use super::timers::{Timer, Timers};
use super::{ExecutorError, ExecutorOptions, ExitReason, Rlimits, recovery};
use crate::data_dir::DataDir;
use crate::journal::{Journal, Opened, Record, SYNC_WITHIN};
use crate::limits::Groups;
use crate::output::FRAME_BYTES_MAX;
use crate::process::tree::Snapshot;
use crate::process::{Accounts, SecretFiles, Spawners, Surroundings};
use crate::protocol::AfterLease;
use crate::socket;
use crate::values::{self, Accesses};

/// How long a disk that refused is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) struct MainLoop {
    pub(super) dir: DataDir,
    pub(super) clock: Arc<dyn Clock>,
    /// The instant that this turn of the loop began.
    pub(super) now: Boottime,
    pub(super) sources: Sources,
    pub(super) control: Control,
    pub(super) journal: Journal,
    pub(super) executor_id: u64,
    pub(super) boot_id: String,
    pub(super) events: Events,
    pub(super) slots: Slots,
    /// Armed attempts.
    pub(super) armed: Queue,
    /// Attempts whose start is written.
    pub(super) starting: Queue,
    /// Where in the journal the newest start ends.
    pub(super) newest_start: u64,
    pub(super) lease_until: Boottime,
    pub(super) after_lease: AfterLease,
    pub(super) spawners: Spawners,
    pub(super) preparer: Preparer,
    /// Attempts that a spawner has or that run.
    pub(super) running: usize,
    pub(super) running_max: usize,
    /// The first process of each running attempt, waited for or not: it names the session and the group.
    pub(super) by_pid: HashMap<u32, Slot>,
    pub(super) orphans: Orphans,
    pub(super) kept: Kept,
    pub(super) groups: Groups,
    pub(super) leaving: LeavingGroups,
    pub(super) accesses: Accesses,
    pub(super) own_memory: OwnMemory,
    pub(super) foreign_kills: ForeignKills,
    pub(super) timers: Timers,
    /// What `/proc` showed in this turn of the loop, if somebody looked.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) buffer: Box<[u8]>,
    /// By then, what is written must be asked to the disk.
    sync_at: Option<Boottime>,
    /// Until then, a disk that refused is left alone.
    retry_at: Option<Boottime>,
    pub(super) draining: bool,
    /// Whether it drains because it was told to, and another one takes its place.
    pub(super) is_retired: bool,
    pub(super) protocol: u16,
    pub(super) build: String,
    idle_since: Option<Boottime>,
    idle_exit: Duration,
}

impl MainLoop {
    pub(super) fn start(
        options: &ExecutorOptions,
        dir: DataDir,
        clock: Arc<dyn Clock>,
        rlimits: Rlimits,
        protected: bool,
    ) -> Result<Self, ExecutorError> {
        let sources = Sources::open()?;
        let Opened {
            mut journal,
            mut replay,
        } = Journal::open(&dir.executor(), sources.waker())?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_err(ExecutorError::system("read the boot id"))?
            .trim()
            .to_owned();
        let executor_id = draw_id().map_err(ExecutorError::system("draw random bits"))?;
        let groups = Groups::new(&dir.executor());
        let lost =
            recovery::end_what_was_left(&replay, &boot_id, &*clock, &groups, &dir.values_socket());
        let left_groups = groups.sweep(|_| false);
        journal.add(&Record::Opened {
            executor: executor_id,
            pid: std::process::id(),
            boot_id: boot_id.clone(),
        });
        let now = clock.boottime();
        let shares = Shares::of_the_limit();
        let own_memory =
            OwnMemory::open().map_err(ExecutorError::system("open /proc/self/status"))?;
        let accesses =
            Accesses::new(sources.waker()).map_err(ExecutorError::system("make an eventfd"))?;
        let accounts = Accounts::new(&clock);
        let secret_files = SecretFiles::new(&dir);
        let surroundings = Surroundings {
            accounts: &accounts,
            groups: &groups,
            dir: &dir,
            clock: &clock,
            accesses: &accesses,
            secret_files: &secret_files,
            open_files: rlimits.open_files,
            core: rlimits.core,
            reset_oom: protected,
        };
        let spawners = Spawners::start(&surroundings, sources.waker())
            .map_err(ExecutorError::system("start the spawner threads"))?;
        let preparer = Preparer::start(&dir, &accounts, &clock, sources.waker())
            .map_err(ExecutorError::system("start a thread"))?;
        let mut this = Self {
            dir,
            clock,
            now,
            sources,
            control: Control::default(),
            journal,
            executor_id,
            boot_id,
            events: Events::replayed(&mut replay, now),
            slots: Slots::default(),
            armed: Queue::default(),
            starting: Queue::default(),
            newest_start: 0,
            lease_until: Boottime(Duration::ZERO),
            after_lease: AfterLease::RunsGoOn,
            spawners,
            preparer,
            running: 0,
            running_max: shares.running_max,
            by_pid: HashMap::new(),
            orphans: Orphans::default(),
            kept: Kept::default(),
            groups,
            // Those that were killed just now are empty in a moment.
            leaving: LeavingGroups::of(left_groups),
            accesses: accesses.clone(),
            own_memory,
            foreign_kills: ForeignKills::open(),
            timers: Timers::default(),
            snapshot: None,
            buffer: vec![0; FRAME_BYTES_MAX].into(),
            sync_at: None,
            retry_at: None,
            draining: false,
            is_retired: false,
            protocol: options.protocol,
            build: options.build.clone(),
            idle_since: None,
            idle_exit: options.idle_exit,
        };
        for (key, result) in lost {
            this.record_finish(key, result);
        }
        this.retry_groups();
        // Last: who can connect is answered.
        this.sources.listen(&this.dir)?;
        let values = socket::listen(&this.dir.values_socket(), 0o666)
            .map_err(ExecutorError::system("listen on values.sock"))?;
        let (dir, clock) = (this.dir.clone(), Arc::clone(&this.clock));
        values::open(values, dir, accesses, clock, shares.values)
            .map_err(ExecutorError::system("serve values.sock"))?;
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
            self.sources.set_timer(self.next_instant())?;
            let sources = self.sources.wait()?;
            self.now = self.clock.boottime();
            for source in sources {
                self.take(source);
            }
        }
    }

    /// Takes in what happened at one source. Nothing is started, ended or sent here.
    fn take(&mut self, source: Source) {
        match source {
            // Without descriptors or memory for it, the server tries again; jobs do not end for that.
            Source::Listener => {
                if let Some(connection) = self.sources.accept() {
                    self.take_connection(connection);
                }
            }
            Source::Wake => self.sources.clear_wakes(),
            Source::Timer => self.sources.clear_timer(),
            Source::Signals => {
                for signal in self.sources.take_signals() {
                    match signal {
                        libc::SIGCHLD => {
                            self.orphans.changed();
                            self.retry_groups();
                        }
                        // A busy one goes on, and takes more: the next server finds it as it was.
                        _ => self.draining |= self.is_idle(),
                    }
                }
            }
            Source::Control => self.take_requests(),
            Source::Stdout(slot) => self.take_output(slot, Stream::Stdout, Whose::Attempt),
            Source::Stderr(slot) => self.take_output(slot, Stream::Stderr, Whose::Attempt),
            Source::Exit(slot) => self.take_exit(slot),
            Source::OnCancelStdout(slot) => self.take_output(slot, Stream::Stdout, Whose::OnCancel),
            Source::OnCancelStderr(slot) => self.take_output(slot, Stream::Stderr, Whose::OnCancel),
            Source::OnCancelExit(slot) => self.take_on_cancel_exit(slot),
        }
    }

    /// Does everything that is to be done by now.
    fn act(&mut self) {
        self.snapshot = None;
        self.spawners.give_up(self.now);
        for spawned in self.spawners.take() {
            self.take_spawned(spawned);
        }
        for prepared in self.preparer.take() {
            self.control.queue(&prepared);
        }
        while let Some(timer) = self.timers.pop(self.now) {
            match timer {
                Timer::Queue(slot) => self.time_out_queue(slot),
                Timer::Start(slot) => self.time_out_start(slot),
                Timer::Run(slot) => self.time_out_run(slot),
                Timer::Silence(slot) => self.time_out_silence(slot),
                Timer::Unleased(slot) => self.end_unleased(slot),
                Timer::OnCancel(slot) => self.time_out_on_cancel(slot),
                Timer::Groups => self.retry_groups(),
                Timer::Drained(slot) => self.stop_reading(slot),
                Timer::Sweep(slot) => self.sweep(slot),
                Timer::Flush(slot) => self.flush_masks(slot),
                Timer::Watch(slot) => self.watch_running(slot),
                Timer::Values(slot) => self.finish_with_values(slot),
            }
        }
        for key in self.accesses.take_closed() {
            if let Some(slot) = self.slots.find(key) {
                self.finish_with_values(slot);
            }
        }
        self.timers.prune(|slot| self.slots.contains(slot));
        if self.orphans.reap() == Some(Orphaned::None) {
            self.kept.clear();
        }
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
        let compact = failed_before
            || self
                .journal
                .wants_compaction(self.remaining_records(), self.haste());
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

    /// When the loop must turn though nothing happens.
    fn next_instant(&self) -> Option<Boottime> {
        let candidates = [
            self.timers.next(),
            self.spawners.next_give_up(),
            self.next_launch(),
            self.sync_at,
            self.retry_at,
            self.control.held_until(),
            self.events.waits_for_server(self.now),
            self.idle_until(),
        ];
        candidates.into_iter().flatten().min()
    }

    fn idle_until(&self) -> Option<Boottime> {
        self.idle_since.map(|since| since.plus(self.idle_exit))
    }

    fn is_idle(&self) -> bool {
        self.slots.is_empty() && self.preparer.is_idle()
    }

    /// Whether it is over. An executor that has attempts never ends by itself.
    fn ends(&mut self) -> Option<ExitReason> {
        let idle = self.is_idle();
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
        self.groups.close();
        // What the disk does not take now reads as lost in the next executor; there is nobody left to tell.
        let _ = self.journal.write();
        if self.is_retired && self.slots.is_empty() && self.events.is_acknowledged() {
            // A journal that is there is one that somebody must take up.
            let _ = std::fs::remove_file(self.dir.journal());
        }
        let _ = std::fs::remove_file(self.dir.control_socket());
        let _ = std::fs::remove_file(self.dir.values_socket());
    }
}

/// Tells who started this process that it listens, and lets go of that pipe.
fn announce() {
    let (stdout, stderr) = (rustix::stdio::stdout(), rustix::stdio::stderr());
    // Whoever is not there to hear it does not need it.
    let _ = rustix::io::write(stdout, b"ready\n");
    let _ = rustix::stdio::dup2_stdout(stderr);
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
