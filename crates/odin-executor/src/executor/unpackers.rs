//! The processes that unpack bundles, each as the owner of what it unpacks.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use odin_model::{BundleHash, Owner};
use rustix::process::Signal;

use super::prepare::{failure, system};
use crate::process::{Account, LowDescriptors, Plan, Stack, spawn};
use crate::protocol::PrepareFailure;
use crate::unpack::channel::{self, Failed};

/// Unpackers that are kept for further bundles of their owners, at most. Beyond it the oldest ends.
const KEPT_MAX: usize = 8;
/// How long an unpacker may take for one bundle. Its owner can stop it, and everybody waits for it meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes unpackers, and keeps them for the bundles that come next.
pub(super) struct Unpackers {
    stack: Stack,
    low: LowDescriptors,
    kept: Vec<Unpacker>,
}

/// One process of one owner, idle between two orders. Dropped, it ends: what it has unpacked is the kernel's by then.
struct Unpacker {
    owner: Owner,
    pid: libc::pid_t,
    pidfd: OwnedFd,
    channel: OwnedFd,
}

impl Unpackers {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            stack: Stack::new()?,
            low: LowDescriptors::reserve()?,
            kept: Vec::new(),
        })
    }

    /// Unpacks a bundle into a directory as its owner. `account`: whom to become, `None` to stay who this is.
    pub(super) fn unpack(
        &mut self,
        owner: &Owner,
        account: Option<&Account>,
        hash: BundleHash,
        bundle: BorrowedFd<'_>,
        directory: BorrowedFd<'_>,
    ) -> Result<(), PrepareFailure> {
        let place = match self.kept.iter().position(|it| it.owner == *owner) {
            Some(place) => place,
            None => {
                let unpacker = self.start(owner, account)?;
                if self.kept.len() >= KEPT_MAX {
                    self.kept.remove(0);
                }
                self.kept.push(unpacker);
                self.kept.len() - 1
            }
        };
        match channel::order(&self.kept[place].channel, hash, bundle, directory) {
            Ok(()) => Ok(()),
            Err(Failed::Refused { code, message }) => Err(failure(&code, message)),
            Err(Failed::Gone(error)) => {
                // Whatever it was, the next bundle has nothing to do with it.
                self.kept.remove(place);
                Err(failure("bundle/system", gone(&error)))
            }
        }
    }

    /// Ends them all: an owner's account may be another one when there is something to unpack again.
    pub(super) fn end(&mut self) {
        self.kept.clear();
    }

    fn start(
        &mut self,
        owner: &Owner,
        account: Option<&Account>,
    ) -> Result<Unpacker, PrepareFailure> {
        let (own, unpackers) = channel::pair(PATIENCE).map_err(system("make a socket"))?;
        self.low
            .put([Some(&unpackers), None, None])
            .map_err(system("hand a socket on"))?;
        drop(unpackers);
        let plan = Plan {
            candidates: &[c"/proc/self/exe".to_owned()],
            argv: &[c"odin".to_owned(), crate::unpack::SUBCOMMAND.to_owned()],
            envp: &[],
            directory: &c"/".to_owned(),
            account,
            stdio: self.low.places(),
            descriptors_below: self.low.end(),
            group_doors: &[],
            open_files: None,
            core: None,
            processes: None,
            reset_oom: account.is_some(),
        };
        let spawned = spawn(&plan, &mut self.stack);
        self.low.clear();
        let (pid, pidfd) = spawned.map_err(|failed| {
            let error = io::Error::from_raw_os_error(failed.errno);
            let stage = failed.stage;
            failure(
                "bundle/system",
                format!("cannot start the unpacker ({stage:?}): {error}"),
            )
        })?;
        Ok(Unpacker {
            owner: owner.clone(),
            pid: libc::pid_t::try_from(pid).expect("a pid"),
            pidfd,
            channel: own,
        })
    }
}

fn gone(error: &io::Error) -> String {
    match error.kind() {
        // What a time limit of a socket is told as.
        io::ErrorKind::WouldBlock => format!(
            "the unpacker did not answer within {} s and was ended: see whether something stops processes of this user",
            PATIENCE.as_secs()
        ),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset => {
            "the unpacker was ended by somebody, or by the system for want of memory".to_owned()
        }
        _ => format!("cannot speak to the unpacker: {error}"),
    }
}

impl Drop for Unpacker {
    fn drop(&mut self) {
        // It may be stopped, and would not see that its socket is closed.
        let _ = rustix::process::pidfd_send_signal(self.pidfd.as_fd(), Signal::KILL);
        // SAFETY: no memory is written. It is a child of this thread that nobody else waits for.
        unsafe { libc::waitpid(self.pid, ptr::null_mut(), 0) };
    }
}
