//! Which files of reports have grown: the kernel tells.

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;

use odin_executor::protocol::AttemptKey;
use odin_executor::{DataDir, values};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::io::unix::AsyncFd;

/// Tells of the files of one directory.
pub(super) struct Watch {
    dir: DataDir,
    descriptor: AsyncFd<OwnedFd>,
}

impl Watch {
    /// Watches the directory, which is made if it is not there.
    pub(super) fn new(dir: &DataDir) -> io::Result<Self> {
        let made = std::fs::DirBuilder::new().mode(0o700).create(dir.values());
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let descriptor = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(
            &descriptor,
            dir.values(),
            WatchFlags::MODIFY | WatchFlags::ONLYDIR,
        )?;
        // SAFETY: the descriptor is owned, open, and stays the same until it is dropped with its registration.
        let descriptor = unsafe { AsyncFd::register(descriptor) }?;
        Ok(Self {
            dir: dir.clone(),
            descriptor,
        })
    }

    /// Waits until files have grown, and tells which; all of them when the kernel lost count.
    pub(super) async fn grown(&self) -> io::Result<BTreeSet<AttemptKey>> {
        let mut guard = self.descriptor.readable().await?;
        let mut grown = BTreeSet::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(self.descriptor.get_ref(), &mut buffer);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    grown.extend(values::list(&self.dir)?);
                }
                Ok(event) => {
                    let name = event.file_name().and_then(|name| name.to_str().ok());
                    grown.extend(name.and_then(AttemptKey::parse));
                }
                Err(rustix::io::Errno::AGAIN) => {
                    guard.clear_ready();
                    return Ok(grown);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
