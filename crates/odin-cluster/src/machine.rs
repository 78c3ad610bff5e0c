//! What the log is applied to.

use std::io;
use std::path::Path;

use bytes::Bytes;

/// One committed command, in log order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its position in the log. Positions grow, but skip those of the log's own entries.
    pub index: u64,
    /// The term of the leader that proposed it.
    pub term: u64,
    /// What was proposed.
    pub command: Bytes,
}

/// Writes a snapshot into the file named, which does not exist yet.
pub type SnapshotJob<E> = Box<dyn FnOnce(&Path) -> Result<(), E> + Send>;

/// What holds the state that the log's commands change.
///
/// All methods are synchronous and may block on the disk. They are called one at a time, except that a
/// [`SnapshotJob`] runs beside `apply`. On a multi-threaded runtime they run where blocking is allowed; on a
/// single-threaded one they run inline.
///
/// An error is an I/O error: the node stops applying for good, and [`Log::failed`](crate::Log::failed) resolves.
/// A command that the state refuses is not an error but a reply.
pub trait Machine: Send + 'static {
    /// An I/O error.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The mark stored with the last applied batch, or none in a new state.
    ///
    /// # Errors
    /// The state cannot be read.
    fn mark(&self) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Applies all commands in order and stores `mark`, in one transaction: after a crash either all of it is
    /// there or nothing. It need not be on the disk when this returns: the log replays what was lost.
    ///
    /// `commands` may be empty, when the log holds entries of its own; `mark` is stored all the same.
    /// The result has one reply a command. What the commands cause elsewhere happens after the commit.
    ///
    /// # Errors
    /// The transaction did not commit.
    fn apply(&mut self, commands: &[Committed], mark: &[u8]) -> Result<Vec<Bytes>, Self::Error>;

    /// Fixes the present state, mark included, and returns the job that writes it into a file.
    ///
    /// This call must be short: nothing is applied meanwhile. The job may take long; it must write the state as
    /// it was at this call, whatever is applied while it runs, and sync the file.
    ///
    /// # Errors
    /// The state cannot be read.
    fn snapshot(&mut self) -> Result<SnapshotJob<Self::Error>, Self::Error>;

    /// Replaces the state, mark included, by that of the snapshot file, durably. The file must stay as it is:
    /// copy it.
    ///
    /// # Errors
    /// The file is not a snapshot, or the state cannot be written. The old state must then still be there.
    fn install(&mut self, from: &Path) -> Result<(), Self::Error>;
}

/// A [`Machine`] whose error type is forgotten, so that [`Log`](crate::Log) is not generic.
pub(crate) trait AnyMachine: Send + 'static {
    fn mark(&self) -> io::Result<Option<Vec<u8>>>;
    fn apply(&mut self, commands: &[Committed], mark: &[u8]) -> io::Result<Vec<Bytes>>;
    fn snapshot(&mut self) -> io::Result<SnapshotJob<io::Error>>;
    fn install(&mut self, from: &Path) -> io::Result<()>;
}

impl<M: Machine> AnyMachine for M {
    fn mark(&self) -> io::Result<Option<Vec<u8>>> {
        Machine::mark(self).map_err(io::Error::other)
    }

    fn apply(&mut self, commands: &[Committed], mark: &[u8]) -> io::Result<Vec<Bytes>> {
        Machine::apply(self, commands, mark).map_err(io::Error::other)
    }

    fn snapshot(&mut self) -> io::Result<SnapshotJob<io::Error>> {
        let job = Machine::snapshot(self).map_err(io::Error::other)?;
        Ok(Box::new(move |into| job(into).map_err(io::Error::other)))
    }

    fn install(&mut self, from: &Path) -> io::Result<()> {
        Machine::install(self, from).map_err(io::Error::other)
    }
}
