//! The streams of one run, without its secrets.

use std::sync::Arc;
use std::time::Duration;

use odin_model::Boottime;
use odin_model::output::Stream;

use super::patterns::Patterns;
use super::stream::Mask;

/// How long a stream is silent before what is held back of it is given out: a program that has stopped in the middle
/// of something that begins like a secret is waiting, most likely.
pub(crate) const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// A run's streams: those of its own process, and of the command before its end.
pub(crate) struct RunMasks {
    patterns: Arc<Patterns>,
    streams: [Masked; 4],
    out: Vec<u8>,
    /// Whether somebody will call [`flush`](Self::flush).
    pub(crate) is_watched: bool,
}

#[derive(Default)]
struct Masked {
    mask: Mask,
    /// When it last gave anything to take.
    at: Option<Boottime>,
}

/// One of a run's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) stream: Stream,
    /// Whether it is that of the command before the run's end.
    pub(crate) is_on_cancel: bool,
}

impl Source {
    fn index(self) -> usize {
        usize::from(self.stream == Stream::Stderr) + 2 * usize::from(self.is_on_cancel)
    }
}

impl RunMasks {
    /// `None` when there is nothing to mask.
    pub(crate) fn new(patterns: Arc<Patterns>) -> Option<Box<Self>> {
        (!patterns.is_empty()).then(|| {
            Box::new(Self {
                patterns,
                streams: Default::default(),
                out: Vec::new(),
                is_watched: false,
            })
        })
    }

    /// Takes what a stream printed, and tells what can be kept of it.
    pub(crate) fn take(&mut self, source: Source, now: Boottime, bytes: &[u8]) -> &[u8] {
        self.out.clear();
        let masked = &mut self.streams[source.index()];
        masked.at = Some(now);
        masked.mask.push(&self.patterns, bytes, &mut self.out);
        &self.out
    }

    /// A text without the secrets.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.patterns.masked(text)
    }

    /// When something that is held back has been so for long enough. `None`: nothing is.
    pub(crate) fn flush_at(&self) -> Option<Boottime> {
        let held = self.streams.iter().filter(|it| it.mask.is_holding());
        held.filter_map(|it| it.at)
            .map(|at| at.plus(FLUSH_AFTER))
            .min()
    }

    /// Gives out what streams that are silent since `silent_since` have held back.
    pub(crate) fn flush(&mut self, silent_since: Boottime, mut keep: impl FnMut(Stream, &[u8])) {
        for (masked, stream) in self.streams.iter_mut().zip([
            Stream::Stdout,
            Stream::Stderr,
            Stream::Stdout,
            Stream::Stderr,
        ]) {
            if masked.mask.is_holding() && masked.at.is_none_or(|at| at <= silent_since) {
                self.out.clear();
                masked.mask.flush(&mut self.out);
                keep(stream, &self.out);
            }
        }
    }
}
