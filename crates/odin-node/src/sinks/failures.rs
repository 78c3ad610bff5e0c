//! How often sinks' receivers took nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odin_model::sink::Sink;

/// What goes to a sink by a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Values and the ends of runs.
    Feed,
    /// Metrics.
    Metrics,
}

/// Failed attempts of each sink since this node started. A clone is the same numbers.
///
/// They are counted here and not in the state: each would be a command of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures(Arc<Mutex<BTreeMap<(u64, Part), u64>>>);

impl Failures {
    /// One more.
    pub(super) fn count(&self, sink: &Sink, part: Part) {
        *self.all().entry((sink.token, part)).or_default() += 1;
    }

    /// How many there were.
    pub(crate) fn of(&self, sink: &Sink, part: Part) -> u64 {
        self.all().get(&(sink.token, part)).copied().unwrap_or(0)
    }

    /// Forgets all other sinks.
    pub(super) fn keep(&self, sinks: &[Sink]) {
        self.all()
            .retain(|(token, _), _| sinks.iter().any(|sink| sink.token == *token));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(u64, Part), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
