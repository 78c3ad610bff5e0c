//! The thread that waits for the disk, so that the main loop never does. One sync serves all that waited for it.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

struct State {
    file: Arc<File>,
    /// Grows when the file is replaced, so that a sync of the old one says nothing of the new one.
    generation: u64,
    wanted: u64,
    durable: u64,
    failure: Option<io::ErrorKind>,
    closed: bool,
}

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
    pub(super) fn start(
        file: Arc<File>,
        durable: u64,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let state = State {
            file,
            generation: 0,
            wanted: durable,
            durable,
            failure: None,
            closed: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        let builder = std::thread::Builder::new()
            .name("journal".into())
            .stack_size(64 << 10);
        builder.spawn(move || sync_until_closed(&for_thread, wake))?;
        Ok(Self { shared })
    }

    pub(super) fn request(&self, position: u64) {
        let mut state = self.shared.lock();
        if position > state.wanted || (state.failure.is_some() && position > state.durable) {
            state.wanted = position;
            state.failure = None;
            self.shared.changed.notify_one();
        }
    }

    pub(super) fn durable(&self) -> u64 {
        self.shared.lock().durable
    }

    pub(super) fn failure(&self) -> Option<io::ErrorKind> {
        self.shared.lock().failure
    }

    pub(super) fn replace(&self, file: Arc<File>, durable: u64) {
        let mut state = self.shared.lock();
        state.generation += 1;
        (state.file, state.wanted, state.durable, state.failure) = (file, durable, durable, None);
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

fn sync_until_closed(shared: &Shared, wake: impl Fn()) {
    let mut state = shared.lock();
    while !state.closed {
        if state.wanted <= state.durable || state.failure.is_some() {
            state = shared
                .changed
                .wait(state)
                .expect("no code that holds this lock panics");
            continue;
        }
        let (file, generation, position) =
            (Arc::clone(&state.file), state.generation, state.wanted);
        drop(state);
        let result = file.sync_data();
        state = shared.lock();
        if state.generation == generation {
            match result {
                Ok(()) => state.durable = state.durable.max(position),
                // Tried again when the main loop asks again: a second later.
                Err(error) => state.failure = Some(error.kind()),
            }
        }
        drop(state);
        wake();
        state = shared.lock();
    }
}
