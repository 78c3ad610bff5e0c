//! The thread that waits for the disk, so that nobody who speaks does. One round serves all attempts that have written
//! something since the one before.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::executor::Wake;
use crate::protocol::AttemptKey;

/// From this many files on, the whole file system is synced at once: that is one wait, and not one for each.
const ONE_BY_ONE_MAX: usize = 16;

/// What one round brings to the disk.
pub(super) struct Round {
    pub(super) files: Vec<(AttemptKey, File)>,
    /// Whether one of them is new: its name must be on the disk too.
    pub(super) has_new: bool,
}

/// What the latest round brought.
pub(super) struct Done {
    /// Attempts of which nobody knows what is on the disk.
    pub(super) failed: Vec<AttemptKey>,
}

#[derive(Default)]
struct State {
    wanted: Option<Round>,
    done: Option<Done>,
    is_closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code that holds this lock panics")
    }
}

pub(super) struct Syncer {
    shared: Arc<Shared>,
}

impl Syncer {
    /// `wake` tells that a round is done.
    pub(super) fn start(directory: PathBuf, wake: Wake) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("values-sync".into())
            .stack_size(64 << 10)
            .spawn(move || sync_until_closed(&for_thread, &directory, &wake))?;
        Ok(Self { shared })
    }

    /// Begins a round; the one before must be done.
    pub(super) fn begin(&self, round: Round) {
        self.shared.lock().wanted = Some(round);
        self.shared.changed.notify_one();
    }

    /// What the round brought, once it is done.
    pub(super) fn take_done(&self) -> Option<Done> {
        self.shared.lock().done.take()
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
    }
}

fn sync_until_closed(shared: &Shared, directory: &std::path::Path, wake: &Wake) {
    let mut state = shared.lock();
    while !state.is_closed {
        let Some(round) = state.wanted.take() else {
            state = shared
                .changed
                .wait(state)
                .expect("no code that holds this lock panics");
            continue;
        };
        drop(state);
        let done = sync(&round, directory);
        drop(round);
        state = shared.lock();
        state.done = Some(done);
        wake.wake();
    }
}

fn sync(round: &Round, directory: &std::path::Path) -> Done {
    let all = || round.files.iter().map(|(key, _)| *key).collect();
    if round.has_new && File::open(directory).and_then(|it| it.sync_all()).is_err() {
        return Done { failed: all() };
    }
    if round.files.len() > ONE_BY_ONE_MAX
        && let Some((_, first)) = round.files.first()
        && rustix::fs::syncfs(first).is_ok()
    {
        return Done { failed: Vec::new() };
    }
    let failed = round
        .files
        .iter()
        .filter(|(_, file)| file.sync_data().is_err())
        .map(|(key, _)| *key)
        .collect();
    Done { failed }
}
