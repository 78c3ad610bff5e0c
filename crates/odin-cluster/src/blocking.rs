//! Blocking calls inside async code.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs `work`, which may block on the disk, without stopping other tasks where the runtime has other threads.
///
/// A single-threaded runtime runs it inline: that is the simulator, whose time stands still meanwhile.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
