//! What this machine can do without Odin: the measure for the executor's speed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use odin_model::Clock;

/// Runs `/bin/true` `count` times, `in_flight` at once, by the standard library's `posix_spawn`, both outputs piped
/// and read. How long that took.
///
/// # Errors
/// When a process cannot be made.
pub fn spawn_and_wait(clock: &dyn Clock, count: usize, in_flight: usize) -> io::Result<Duration> {
    let started = clock.boottime();
    let taken = Arc::new(AtomicUsize::new(0));
    let loops: Vec<_> = (0..in_flight.max(1))
        .map(|_| {
            let taken = Arc::clone(&taken);
            std::thread::spawn(move || {
                while taken.fetch_add(1, Ordering::Relaxed) < count {
                    run_true()?;
                }
                Ok(())
            })
        })
        .collect();
    for one in loops {
        one.join()
            .unwrap_or_else(|_| Err(io::Error::other("a measuring thread panicked")))?;
    }
    Ok(clock.boottime().since(started))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is what the executor is measured against"
)]
fn run_true() -> io::Result<()> {
    use std::process::{Command, Stdio};
    let output = Command::new("/bin/true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other("/bin/true failed"))
    }
}
