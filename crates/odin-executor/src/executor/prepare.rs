//! Unpacking bundles, on a thread of its own, by a child that runs as the job's owner.

use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pipe::PipeFlags;

use crate::data_dir::DataDir;
use crate::process::{Account, Accounts, LowDescriptors, Plan, Stack, spawn};
use crate::protocol::{Prepare, PrepareFailure, Report};

/// Bundles waiting, at most. Beyond it the server is told to ask again.
const QUEUE_MAX: usize = 64;
const NEVER_POISONED: &str = "no code that holds this lock panics";

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Prepare>,
    is_working: bool,
    done: Vec<Report>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

/// The thread, seen from the main loop.
pub(super) struct Preparer(Arc<Shared>);

impl Preparer {
    pub(super) fn start(
        dir: &DataDir,
        accounts: &Accounts,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
        });
        let mut work = Work {
            dir: dir.clone(),
            accounts: accounts.clone(),
            stack: Stack::new()?,
            low: LowDescriptors::reserve()?,
        };
        let for_thread = Arc::clone(&shared);
        let builder = std::thread::Builder::new()
            .name("preparer".into())
            .stack_size(256 << 10);
        builder.spawn(move || work_until_closed(&for_thread, &mut work, wake))?;
        Ok(Self(shared))
    }

    /// Queues a bundle; the answer, when there is no room.
    pub(super) fn order(&self, prepare: Prepare) -> Option<Report> {
        let mut queue = self.0.queue.lock().expect(NEVER_POISONED);
        if queue.waiting.len() < QUEUE_MAX {
            queue.waiting.push_back(prepare);
            self.0.arrived.notify_one();
            return None;
        }
        let message = format!("{QUEUE_MAX} bundles are waiting to be unpacked: ask again later");
        Some(report(&prepare, Err(failure("bundle/busy", message))))
    }

    /// What was done since the last call.
    pub(super) fn take(&self) -> Vec<Report> {
        std::mem::take(&mut self.0.queue.lock().expect(NEVER_POISONED).done)
    }

    pub(super) fn is_idle(&self) -> bool {
        let queue = self.0.queue.lock().expect(NEVER_POISONED);
        queue.waiting.is_empty() && queue.done.is_empty() && !queue.is_working
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.0.queue.lock().expect(NEVER_POISONED).closed = true;
        self.0.arrived.notify_one();
    }
}

fn work_until_closed(shared: &Shared, work: &mut Work, wake: impl Fn()) {
    let mut queue = shared.queue.lock().expect(NEVER_POISONED);
    while !queue.closed {
        let Some(prepare) = queue.waiting.pop_front() else {
            queue = shared.arrived.wait(queue).expect(NEVER_POISONED);
            continue;
        };
        queue.is_working = true;
        drop(queue);
        let done = report(&prepare, work.prepare(&prepare));
        queue = shared.queue.lock().expect(NEVER_POISONED);
        queue.is_working = false;
        queue.done.push(done);
        wake();
    }
}

fn report(prepare: &Prepare, result: Result<(), PrepareFailure>) -> Report {
    Report::Prepared {
        job: prepare.job,
        version: prepare.version,
        failure: result.err(),
    }
}

fn failure(code: &str, message: String) -> PrepareFailure {
    PrepareFailure {
        code: code.to_owned(),
        message,
    }
}

fn system<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> PrepareFailure {
    move |error| failure("bundle/system", format!("cannot {what}: {error}"))
}

struct Work {
    dir: DataDir,
    accounts: Accounts,
    stack: Stack,
    low: LowDescriptors,
}

impl Work {
    /// `jobs/<job>/<version>/` is there afterwards, whole, or not at all: it gets its name when it is complete.
    fn prepare(&mut self, prepare: &Prepare) -> Result<(), PrepareFailure> {
        let target = self.dir.version(prepare.job, prepare.version);
        if target.exists() {
            return Ok(());
        }
        let switch = self.accounts.must_switch();
        let account = self.accounts.wait(&prepare.owner);
        let account = &*account.map_err(|error| failure("bundle/owner", error.to_string()))?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let bundle = rustix::fs::open(&prepare.bundle, flags, Mode::empty()).map_err(system(
            &format!("open the bundle {}", prepare.bundle.display()),
        ))?;
        let job = self.dir.job(prepare.job);
        make_job_directory(&job).map_err(system("make the job's directory"))?;
        // A directory of an earlier try that was interrupted. Removing does not follow links that its owner made.
        let partial = target.with_extension("partial");
        remove(&partial).map_err(system("remove what an earlier try left"))?;
        make_partial(&partial, switch.then_some(account))
            .map_err(system("make the version's directory"))?;
        let unpacked = unpack_as(
            account,
            switch,
            bundle,
            &partial,
            prepare,
            (&mut self.stack, &mut self.low),
        );
        let renamed = unpacked.and_then(|()| {
            std::fs::rename(&partial, &target)
                .map_err(system("give the version's directory its name"))?;
            File::open(&job)
                .and_then(|job| job.sync_all())
                .map_err(system("sync the job's directory"))
        });
        if renamed.is_err() {
            // Left for the next try when even this fails.
            let _ = remove(&partial);
        }
        renamed
    }
}

fn make_job_directory(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(0o711))?)
}

fn make_partial(path: &Path, account: Option<&Account>) -> io::Result<()> {
    // The process's umask is 077: nobody else ever sees it.
    std::fs::create_dir(path)?;
    if let Some(account) = account {
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        rustix::fs::chown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unpack_as(
    account: &Account,
    switch: bool,
    bundle: OwnedFd,
    partial: &Path,
    prepare: &Prepare,
    (stack, low): (&mut Stack, &mut LowDescriptors),
) -> Result<(), PrepareFailure> {
    let no_null =
        |text: String| CString::new(text).map_err(system("name the unpacker's arguments"));
    let (answer, answer_end) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(system("make a pipe"))?;
    let argv = [
        c"odin".to_owned(),
        crate::unpack::SUBCOMMAND.to_owned(),
        no_null(prepare.hash.to_string())?,
    ];
    let directory = no_null(partial.to_string_lossy().into_owned())?;
    low.put([Some(&bundle), Some(&answer_end), None])
        .map_err(system("hand the bundle on"))?;
    drop((bundle, answer_end));
    let plan = Plan {
        candidates: &[c"/proc/self/exe".to_owned()],
        argv: &argv,
        envp: &[],
        directory: &directory,
        account: switch.then_some(account),
        stdio: low.places(),
        descriptors_below: low.end(),
        group_doors: &[],
        open_files: None,
        core: None,
        processes: None,
        reset_oom: switch,
    };
    let spawned = spawn(&plan, stack);
    low.clear();
    let (pid, _pidfd) = spawned.map_err(|failed| {
        let error = io::Error::from_raw_os_error(failed.errno);
        failure(
            "bundle/system",
            format!("cannot start the unpacker ({:?}): {error}", failed.stage),
        )
    })?;
    let mut text = String::new();
    let read = File::from(answer).take(64 << 10).read_to_string(&mut text);
    let mut status = 0;
    let pid = libc::pid_t::try_from(pid).expect("a pid");
    // SAFETY: writes the status, of this frame.
    let waited = unsafe { libc::waitpid(pid, ptr::from_mut(&mut status), 0) };
    read.map_err(system("read the unpacker's answer"))?;
    if waited == pid && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
        return Ok(());
    }
    let (code, message) = text
        .split_once('\n')
        .unwrap_or(("bundle/system", "the unpacker was ended by the system"));
    Err(failure(code, message.to_owned()))
}
