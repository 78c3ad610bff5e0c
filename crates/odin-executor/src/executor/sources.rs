//! What the main loop waits for: the kernel side of it.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use odin_model::Boottime;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

use super::ExecutorError;
use super::slots::Slot;
use super::wake::Wake;
use crate::data_dir::DataDir;
use crate::socket;

/// Events taken from the kernel at once: bounds what is handled before the loop acts.
const EVENTS_AT_ONCE: usize = 256;

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Listener,
    Wake,
    Timer,
    Signals,
    Control,
    Stdout(Slot),
    Stderr(Slot),
    Exit(Slot),
    /// Of the command that runs before an attempt is ended, and the next two likewise.
    OnCancelStdout(Slot),
    OnCancelStderr(Slot),
    OnCancelExit(Slot),
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
            Self::OnCancelStdout(slot) => (8, Some(slot)),
            Self::OnCancelStderr(slot) => (9, Some(slot)),
            Self::OnCancelExit(slot) => (10, Some(slot)),
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
            7 => Self::Exit(slot),
            8 => Self::OnCancelStdout(slot),
            9 => Self::OnCancelStderr(slot),
            _ => Self::OnCancelExit(slot),
        }
    }
}

/// The descriptors of the loop itself. Those of attempts and of the connection belong to them, and are watched here.
pub(super) struct Sources {
    epoll: OwnedFd,
    timer: OwnedFd,
    timer_at: Option<Boottime>,
    signals: OwnedFd,
    wake: Wake,
    /// `None` until [`listen`](Self::listen).
    listener: Option<OwnedFd>,
}

impl Sources {
    pub(super) fn open() -> Result<Self, ExecutorError> {
        let epoll =
            epoll::create(CreateFlags::CLOEXEC).map_err(ExecutorError::system("make an epoll"))?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Boottime, flags)
            .map_err(ExecutorError::system("make a timer"))?;
        let signals = signal_descriptor().map_err(ExecutorError::system("make a signalfd"))?;
        let wake = Wake::new().map_err(ExecutorError::system("make an eventfd"))?;
        let this = Self {
            epoll,
            timer,
            timer_at: None,
            signals,
            wake,
            listener: None,
        };
        for (descriptor, source) in [
            (this.wake.as_fd(), Source::Wake),
            (this.timer.as_fd(), Source::Timer),
            (this.signals.as_fd(), Source::Signals),
        ] {
            this.watch(descriptor, source, EventFlags::IN)
                .map_err(ExecutorError::system("watch a descriptor"))?;
        }
        Ok(this)
    }

    /// Binds the control socket.
    pub(super) fn listen(&mut self, dir: &DataDir) -> Result<(), ExecutorError> {
        let listener = socket::listen(&dir.control_socket(), 0o600)
            .map_err(ExecutorError::system("listen on executor.sock"))?;
        self.watch(&listener, Source::Listener, EventFlags::IN)
            .map_err(ExecutorError::system("watch a socket"))?;
        self.listener = Some(listener);
        Ok(())
    }

    /// What another thread calls to make the loop turn.
    pub(super) fn waker(&self) -> impl Fn() + Clone + Send + 'static + use<> {
        let wake = self.wake.clone();
        move || wake.wake()
    }

    /// Waits until something happens.
    pub(super) fn wait(&self) -> Result<Vec<Source>, ExecutorError> {
        let mut ready = Vec::with_capacity(EVENTS_AT_ONCE);
        let buffer = rustix::buffer::spare_capacity(&mut ready);
        match epoll::wait(&self.epoll, buffer, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {
                let sources = ready.into_iter().map(|event| Source::of(event.data));
                Ok(sources.collect())
            }
            Err(error) => Err(ExecutorError::System {
                what: "wait for events",
                error: error.into(),
            }),
        }
    }

    /// Makes [`wait`](Self::wait) return at that instant; never by itself for `None`.
    pub(super) fn set_timer(&mut self, next: Option<Boottime>) -> Result<(), ExecutorError> {
        if next == self.timer_at {
            return Ok(());
        }
        let never = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // Zero would disarm it, and no boot lasts until the end of 64 bits of seconds.
        let it_value = next.map_or(never, |at| {
            let at = at.0.max(std::time::Duration::from_nanos(1));
            Timespec::try_from(at).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            })
        });
        let setting = Itimerspec {
            it_interval: never,
            it_value,
        };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &setting)
            .map_err(ExecutorError::system("set the timer"))?;
        self.timer_at = next;
        Ok(())
    }

    pub(super) fn clear_timer(&mut self) {
        let _ = rustix::io::read(&self.timer, &mut [0u8; 8]);
        self.timer_at = None;
    }

    pub(super) fn clear_wakes(&self) {
        self.wake.clear();
    }

    /// The signals that came.
    pub(super) fn take_signals(&self) -> Vec<i32> {
        // Each signalfd_siginfo is 128 bytes; the number of the signal is its first field.
        let mut buffer = [0u8; 128 * 8];
        let count = rustix::io::read(&self.signals, &mut buffer).unwrap_or(0);
        let infos = buffer[..count].chunks_exact(128);
        let number = |info: &[u8]| *info.first_chunk::<4>().expect("128 bytes");
        infos.map(|info| i32::from_ne_bytes(number(info))).collect()
    }

    /// The next connection of a server.
    pub(super) fn accept(&self) -> Option<OwnedFd> {
        socket::accept(self.listener.as_ref()?).ok().flatten()
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

    /// Closes a watched descriptor. Closing alone would not do: if another process has a copy, what stays open stays
    /// watched, and the loop would spin on events of what it no longer has.
    pub(super) fn close(&self, descriptor: Option<OwnedFd>) {
        if let Some(descriptor) = descriptor {
            // Fails only for a descriptor that the kernel refused to watch.
            let _ = epoll::delete(&self.epoll, &descriptor);
        }
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
