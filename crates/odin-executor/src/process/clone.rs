//! One process by `clone(CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD)`: neither memory nor descriptors are
//! copied, however many the parent has.
//!
//! Until it executes, the child shares the parent's memory while the calling thread waits. It therefore only makes
//! system calls, on memory that was prepared before: no allocation, no locks, no libc wrapper that would speak to
//! other threads (glibc's `setuid` does). It runs on a stack of its own with all signals blocked.
//!
//! `posix_spawn` would do the same and cannot change ids, the umask or the working directory by the new ids.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, c_long, c_void};

use super::identity::Account;

const STACK_BYTES: usize = 64 << 10;

/// A stack for children, used by one child at a time, with a page below it that may not be touched.
pub(crate) struct Stack {
    base: *mut c_void,
    guard: usize,
}

// SAFETY: the mapping belongs to this value alone and is not tied to the thread that made it.
unsafe impl Send for Stack {}

impl Stack {
    pub(crate) fn new() -> io::Result<Self> {
        let guard = rustix::param::page_size();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping touches no memory that exists.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                guard + STACK_BYTES,
                protection,
                flags,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self { base, guard };
        // SAFETY: the first page of the mapping that was just made.
        if unsafe { libc::mprotect(base, guard, libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    /// Stacks grow downwards on every architecture that Odin runs on.
    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping, and aligned, as its length is a multiple of the page size.
        unsafe { self.base.byte_add(self.guard + STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`; no child runs on it, since `spawn` borrows the stack mutably.
        unsafe { libc::munmap(self.base, self.guard + STACK_BYTES) };
    }
}

/// What a child becomes.
pub(crate) struct Plan<'a> {
    /// Paths to try in order, as `execvp` does: the next one when a file is missing or may not be executed.
    pub(crate) candidates: &'a [CString],
    pub(crate) argv: &'a [CString],
    pub(crate) envp: &'a [CString],
    /// Entered with the new ids.
    pub(crate) directory: &'a CString,
    /// The ids to take; `None` keeps those of the parent.
    pub(crate) account: Option<&'a Account>,
    /// Standard input, output and error.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// From this descriptor on, the child has none of the parent's: those of `stdio` must be below it. So a parent
    /// with thousands of descriptors does not have them copied for every child.
    pub(crate) descriptors_below: u32,
    /// The files to write `0` to, to enter the control groups of its limits.
    pub(crate) group_doors: &'a [CString],
    /// The open files limit to set; `None` keeps the parent's.
    pub(crate) open_files: Option<libc::rlimit>,
    /// The core dump limit to set; `None` keeps the parent's.
    pub(crate) core: Option<libc::rlimit>,
    /// The limit of all processes of the user to set; `None` keeps the parent's.
    pub(crate) processes: Option<libc::rlimit>,
    /// Whether the parent lowered its own chance of being ended for memory, which a child inherits.
    pub(crate) reset_oom: bool,
}

/// What a child was about to do when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The parent could not make it.
    Clone,
    Session,
    Group,
    Limits,
    Groups,
    Ids,
    /// It could have become root again.
    NoWayBack,
    Directory,
    Descriptors,
    Execute,
}

/// Why there is no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
    /// Which of the candidates the error is about, when the stage is [`Stage::Execute`].
    pub(crate) candidate: usize,
}

/// Written by the child, read by the parent after the child has executed or is gone.
struct Shared<'a> {
    plan: &'a Plan<'a>,
    argv: *const *const c_char,
    envp: *const *const c_char,
    failure: Option<Failure>,
}

/// Makes one process. It is a child of the calling *thread*: see `waitpid(2)` on `__WNOTHREAD`.
///
/// All signals must be blocked in the calling thread, and all dispositions be the default
/// ([`reset_inherited_signals`]).
///
/// # Errors
/// When there is no process: none was made, or it failed before it became the program.
pub(crate) fn spawn(plan: &Plan<'_>, stack: &mut Stack) -> Result<(u32, OwnedFd), Failure> {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings
            .iter()
            .map(|text| text.as_ptr())
            .chain([ptr::null()])
            .collect()
    };
    let (argv, envp) = (pointers(plan.argv), pointers(plan.envp));
    let mut shared = Shared {
        plan,
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        failure: None,
    };
    let mut pidfd: c_int = -1;
    let flags =
        libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: `child` runs on `stack`, which nothing else uses, while this thread is suspended by CLONE_VFORK; what
    // it reads lives in this frame and its callers' frames; it never returns into this frame and never unwinds.
    let pid = unsafe {
        libc::clone(
            child,
            stack.top(),
            flags,
            ptr::from_mut(&mut shared).cast(),
            ptr::from_mut(&mut pidfd),
        )
    };
    if plan.account.is_some() {
        // The child changed its ids while the memory was shared, and with that what a dump of it is allowed.
        keep_undumpable();
    }
    if pid < 0 {
        return Err(Failure {
            stage: Stage::Clone,
            errno: last_errno(),
            candidate: 0,
        });
    }
    // SAFETY: the kernel made this descriptor for us in the successful call above.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // SAFETY: the child wrote through a pointer that the compiler has lost sight of, and is done.
    let failure = unsafe { ptr::read_volatile(&raw const shared.failure) };
    if let Some(failure) = failure {
        // SAFETY: waits for the child that just exited; no memory is written.
        unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
        return Err(failure);
    }
    Ok((u32::try_from(pid).expect("process ids are positive"), pidfd))
}

/// Keeps this process's memory out of core dumps, and from other processes of its user.
pub(crate) fn keep_undumpable() {
    // SAFETY: plain numbers.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

fn last_errno() -> i32 {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its own `Shared`, which outlives this function, and does not touch it meanwhile.
    let shared = unsafe { &mut *shared.cast::<Shared<'_>>() };
    // SAFETY: all pointers in `shared` and its plan are valid for as long as the parent is suspended.
    shared.failure = Some(unsafe { become_program(shared.plan, shared.argv, shared.envp) });
    // SAFETY: ends this process alone; it shares memory with the parent, so nothing may be cleaned up.
    unsafe { libc::_exit(127) }
}

/// Returns only when it failed.
///
/// # Safety
/// Only in a child made by [`spawn`]. `argv` and `envp` are arrays of C strings that end with a null pointer.
unsafe fn become_program(
    plan: &Plan<'_>,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Failure {
    // SAFETY: every call below passes plain numbers, or pointers into the plan, which the suspended parent keeps.
    unsafe {
        // First of all: until here the table of descriptors is the parent's own.
        let below = c_long::from(plan.descriptors_below);
        let unshare = libc::CLOSE_RANGE_UNSHARE;
        if libc::syscall(
            libc::SYS_close_range,
            below,
            c_long::from(u32::MAX),
            unshare,
        ) < 0
        {
            return failed(Stage::Descriptors);
        }
        if libc::syscall(libc::SYS_setsid) < 0 {
            return failed(Stage::Session);
        }
        if plan.reset_oom {
            reset_oom();
        }
        // With the parent's ids, which may write there, and before anything that the limits are to hold for.
        for door in plan.group_doors {
            if !enter(door) {
                return failed(Stage::Group);
            }
        }
        for (resource, limit) in [
            (libc::RLIMIT_NOFILE, &plan.open_files),
            (libc::RLIMIT_CORE, &plan.core),
            (libc::RLIMIT_NPROC, &plan.processes),
        ] {
            let Some(limit) = limit else { continue };
            let limit = ptr::from_ref(limit);
            let none: *mut libc::rlimit = ptr::null_mut();
            if libc::syscall(libc::SYS_prlimit64, 0, resource, limit, none) < 0 {
                return failed(Stage::Limits);
            }
        }
        if let Some(account) = plan.account
            && let Err(failure) = take_ids(account)
        {
            return failure;
        }
        libc::syscall(libc::SYS_umask, 0o022);
        if libc::syscall(libc::SYS_chdir, plan.directory.as_ptr()) < 0 {
            return failed(Stage::Directory);
        }
        for (source, target) in plan.stdio.iter().zip(0..) {
            let source: RawFd = source.as_raw_fd();
            if libc::syscall(libc::SYS_dup3, source, target as c_int, 0) < 0 {
                return failed(Stage::Descriptors);
            }
        }
        if libc::syscall(libc::SYS_close_range, 3, c_long::from(u32::MAX), 0) < 0 {
            return failed(Stage::Descriptors);
        }
        let nothing_blocked: u64 = 0;
        let none: *mut u64 = ptr::null_mut();
        let mask = ptr::from_ref(&nothing_blocked);
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            mask,
            none,
            size_of::<u64>(),
        );
        execute(plan.candidates, argv, envp)
    }
}

/// Takes the account's groups and ids, all of them, and makes sure that there is no way back.
///
/// # Safety
/// As [`become_program`].
unsafe fn take_ids(account: &Account) -> Result<(), Failure> {
    let (uid, gid) = (account.uid, account.gid);
    // SAFETY: plain numbers, and an array with its length.
    unsafe {
        if libc::syscall(
            libc::SYS_setgroups,
            account.groups.len(),
            account.groups.as_ptr(),
        ) < 0
        {
            return Err(failed(Stage::Groups));
        }
        if libc::syscall(libc::SYS_setresgid, gid, gid, gid) < 0
            || libc::syscall(libc::SYS_setresuid, uid, uid, uid) < 0
        {
            return Err(failed(Stage::Ids));
        }
        if uid != 0 && libc::syscall(libc::SYS_setresuid, 0, 0, 0) >= 0 {
            return Err(Failure {
                stage: Stage::NoWayBack,
                errno: libc::EPERM,
                candidate: 0,
            });
        }
    }
    Ok(())
}

/// Enters a control group: writes `0`, which is the writer, to its `cgroup.procs`. `errno` says why not.
///
/// # Safety
/// As [`become_program`].
unsafe fn enter(door: &CString) -> bool {
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: strings that end with a null byte, and a descriptor that is this process's own.
    unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, door.as_ptr(), flags, 0);
        if fd < 0 {
            return false;
        }
        if libc::syscall(libc::SYS_write, fd, c"0".as_ptr(), 1) != 1 {
            return false;
        }
        libc::syscall(libc::SYS_close, fd);
        true
    }
}

/// The parent's lowered score is not the job's. Where it cannot be reset, the job merely lives longer.
///
/// # Safety
/// As [`become_program`].
unsafe fn reset_oom() {
    // SAFETY: constant strings that end with a null byte.
    unsafe {
        let path = c"/proc/self/oom_score_adj";
        let fd = libc::syscall(
            libc::SYS_openat,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::O_WRONLY | libc::O_CLOEXEC,
            0,
        );
        if fd >= 0 {
            libc::syscall(libc::SYS_write, fd, c"0".as_ptr(), 1);
            libc::syscall(libc::SYS_close, fd);
        }
    }
}

/// Tries the candidates in order. What it reports is the first error that is not about a missing file: that one the
/// user can mend where it is.
///
/// # Safety
/// As [`become_program`].
unsafe fn execute(
    candidates: &[CString],
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Failure {
    let mut worth_saying = Failure {
        stage: Stage::Execute,
        errno: libc::ENOENT,
        candidate: 0,
    };
    for (index, path) in candidates.iter().enumerate() {
        // SAFETY: a C string and two arrays of them that end with a null pointer.
        unsafe { libc::syscall(libc::SYS_execve, path.as_ptr(), argv, envp) };
        let errno = last_errno();
        if errno != libc::ENOENT && errno != libc::ENOTDIR && worth_saying.errno == libc::ENOENT {
            worth_saying = Failure {
                stage: Stage::Execute,
                errno,
                candidate: index,
            };
        }
        if !matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::EACCES) {
            break;
        }
    }
    worth_saying
}

fn failed(stage: Stage) -> Failure {
    Failure {
        stage,
        errno: last_errno(),
        candidate: 0,
    }
}

/// Sets every signal's disposition to the default and blocks them all in the calling thread and those it will make.
/// An executor takes signals from a descriptor, and a child must not inherit what its server ignored.
pub(crate) fn reset_inherited_signals() {
    // SAFETY: the default disposition is all zeroes and runs no code of ours; writes initialised structures of this
    // frame. Signals whose disposition cannot change answer with an error that means just that. By system call,
    // because libc refuses the signals that it uses itself, and those too may have been ignored by a parent.
    unsafe {
        let default = [0u64; 4];
        let none: *mut c_void = ptr::null_mut();
        for signal in 1..=64 {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                none,
                size_of::<u64>(),
            );
        }
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut());
    }
}
