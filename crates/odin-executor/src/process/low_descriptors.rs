//! Descriptors with low numbers, through which a child gets its input and output.
//!
//! A child keeps what lies below a bound and nothing else ([`Plan::descriptors_below`](super::clone::Plan)), so what
//! it needs is put below that bound for as long as it is being made.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::DupFlags;

/// Three places, taken while the process has few descriptors. Empty ones hold `/dev/null`.
pub(crate) struct LowDescriptors {
    null: OwnedFd,
    places: [OwnedFd; 3],
}

impl LowDescriptors {
    pub(crate) fn reserve() -> io::Result<Self> {
        let open = || rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        Ok(Self {
            null: open()?,
            places: [open()?, open()?, open()?],
        })
    }

    /// The places, for standard input, output and error.
    pub(crate) fn places(&self) -> [BorrowedFd<'_>; 3] {
        self.places.each_ref().map(AsFd::as_fd)
    }

    /// The first number above the three.
    pub(crate) fn end(&self) -> u32 {
        let last = self
            .places
            .iter()
            .map(AsRawFd::as_raw_fd)
            .max()
            .expect("there are three");
        u32::try_from(last).expect("descriptors are not negative") + 1
    }

    /// Fills the places; `None` is `/dev/null`.
    pub(crate) fn put(&mut self, descriptors: [Option<&OwnedFd>; 3]) -> io::Result<()> {
        for (descriptor, place) in descriptors.into_iter().zip(&mut self.places) {
            if let Some(descriptor) = descriptor {
                rustix::io::dup3(descriptor, place, DupFlags::CLOEXEC)?;
            }
        }
        Ok(())
    }

    /// Empties the places: a pipe ends only when nobody holds its writing end.
    pub(crate) fn clear(&mut self) {
        for place in &mut self.places {
            // Cannot fail: both descriptors are open and not the same.
            let _ = rustix::io::dup3(&self.null, place, DupFlags::CLOEXEC);
        }
    }
}
