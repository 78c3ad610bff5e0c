//! Unpacking bundles, on a thread of its own, by children that run as the jobs' owners; several bundles by one sync.
//!
//! A version's directory gets its name when the disk has what is in it, so that after a crash of the machine one with its
//! name is whole. That takes a sync of the file system, which takes as long for fifty versions as for one: those that
//! wait are unpacked one after the other, synced together, and named. Nobody syncs the names: a version whose name is
//! lost is unpacked again.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use odin_model::Clock;
use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::unpackers::Unpackers;
use crate::data_dir::DataDir;
use crate::process::{Account, Accounts};
use crate::protocol::{Prepare, PrepareFailure, Report};

/// Bundles waiting, at most. Beyond it the server is told to ask again.
const QUEUE_MAX: usize = 128;
/// Versions that one sync is for, at most.
const BATCH_MAX: usize = 64;
/// How long versions are unpacked after the first one, at least, before those that are there are synced and named.
const BATCH_FOR: Duration = Duration::from_millis(50);
/// How long, at most: the first of them waits for the last.
const BATCH_FOR_MAX: Duration = Duration::from_secs(1);
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
        clock: &Arc<dyn Clock>,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
        });
        let mut work = Work {
            dir: dir.clone(),
            accounts: accounts.clone(),
            clock: Arc::clone(clock),
            unpackers: Unpackers::new()?,
            naming_took: Duration::ZERO,
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
        if queue.waiting.is_empty() {
            queue = shared.arrived.wait(queue).expect(NEVER_POISONED);
            continue;
        }
        queue.is_working = true;
        drop(queue);
        work.batch(shared, &wake);
        queue = shared.queue.lock().expect(NEVER_POISONED);
        queue.is_working = false;
        drop(queue);
        // The executor may be waiting for nothing but this.
        wake();
        queue = shared.queue.lock().expect(NEVER_POISONED);
    }
}

impl Shared {
    /// The next bundle, unless `batch` has that version already: its directory has not got its name yet.
    fn next(&self, batch: &[Unpacked]) -> Option<Prepare> {
        let mut queue = self.queue.lock().expect(NEVER_POISONED);
        let is_new = |it: &mut Prepare| {
            let version = (it.job, it.version);
            batch
                .iter()
                .all(|in_it| (in_it.prepare.job, in_it.prepare.version) != version)
        };
        queue.waiting.pop_front_if(is_new)
    }

    fn done(&self, reports: impl IntoIterator<Item = Report>) {
        self.queue
            .lock()
            .expect(NEVER_POISONED)
            .done
            .extend(reports);
    }
}

fn report(prepare: &Prepare, result: Result<(), PrepareFailure>) -> Report {
    Report::Prepared {
        job: prepare.job,
        version: prepare.version,
        failure: result.err(),
    }
}

pub(super) fn failure(code: &str, message: String) -> PrepareFailure {
    PrepareFailure {
        code: code.to_owned(),
        message,
    }
}

pub(super) fn system<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> PrepareFailure {
    move |error| failure("bundle/system", format!("cannot {what}: {error}"))
}

struct Work {
    dir: DataDir,
    accounts: Accounts,
    clock: Arc<dyn Clock>,
    unpackers: Unpackers,
    /// How long the latest batch took once it was unpacked.
    naming_took: Duration,
}

/// A version that is unpacked and not yet on the disk.
struct Unpacked {
    prepare: Prepare,
    partial: PathBuf,
    target: PathBuf,
}

impl Work {
    /// Unpacks what waits, as far as it is for one sync. A bundle that is refused, and a version that is there, are
    /// answered at once.
    fn batch(&mut self, shared: &Shared, wake: impl Fn()) {
        let began = self.clock.boottime();
        let mut until = None;
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX
            && let Some(prepare) = shared.next(&batch)
        {
            match self.unpack(&prepare) {
                Ok(Some((partial, target))) => batch.push(Unpacked {
                    prepare,
                    partial,
                    target,
                }),
                over => {
                    shared.done([report(&prepare, over.map(|_| ()))]);
                    wake();
                }
            }
            // On a busy machine a process and a sync may take long: as long as they take, versions are unpacked.
            let now = self.clock.boottime();
            let until = until.get_or_insert_with(|| {
                let spent = now.since(began).saturating_add(self.naming_took);
                now.plus(spent.clamp(BATCH_FOR, BATCH_FOR_MAX))
            });
            if now >= *until {
                break;
            }
        }
        let unpacked = self.clock.boottime();
        self.unpackers.end();
        if !batch.is_empty() {
            shared.done(self.name(&batch));
        }
        self.naming_took = self.clock.boottime().since(unpacked);
    }

    /// Unpacks a version next to its place: where it is and where it will be. `None`: it is there already.
    fn unpack(&mut self, prepare: &Prepare) -> Result<Option<(PathBuf, PathBuf)>, PrepareFailure> {
        let target = self.dir.version(prepare.job, prepare.version);
        if target.exists() {
            return Ok(None);
        }
        let account = self.accounts.wait(&prepare.owner);
        let account = &*account.map_err(|error| failure("bundle/owner", error.to_string()))?;
        let account = self.accounts.must_switch().then_some(account);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let bundle = rustix::fs::open(&prepare.bundle, flags, Mode::empty()).map_err(system(
            &format!("open the bundle {}", prepare.bundle.display()),
        ))?;
        make_job_directory(&self.dir.job(prepare.job))
            .map_err(system("make the job's directory"))?;
        // A directory of an earlier try that was interrupted. Removing does not follow links that its owner made.
        let partial = target.with_extension("partial");
        remove(&partial).map_err(system("remove what an earlier try left"))?;
        make_partial(&partial, account).map_err(system("make the version's directory"))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let unpacked = rustix::fs::open(&partial, flags, Mode::empty())
            .map_err(system("open the version's directory"))
            .and_then(|directory| {
                let (bundle, directory) = (bundle.as_fd(), directory.as_fd());
                self.unpackers
                    .unpack(&prepare.owner, account, prepare.hash, bundle, directory)
            });
        if let Err(error) = unpacked {
            // Left for the next try when even this fails.
            let _ = remove(&partial);
            return Err(error);
        }
        Ok(Some((partial, target)))
    }

    /// Syncs what was unpacked, all at once, and gives each its name.
    fn name(&self, batch: &[Unpacked]) -> Vec<Report> {
        let synced = File::open(self.dir.jobs())
            .and_then(|jobs| Ok(rustix::fs::syncfs(jobs)?))
            .map_err(system("sync what was unpacked"));
        let named = batch.iter().map(|it| {
            let named = synced.clone().and_then(|()| {
                std::fs::rename(&it.partial, &it.target)
                    .map_err(system("give the version's directory its name"))
            });
            if named.is_err() {
                let _ = remove(&it.partial);
            }
            report(&it.prepare, named)
        });
        named.collect()
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
