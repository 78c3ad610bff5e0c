//! What a run printed, kept without its secrets.

use jiff::Timestamp;
use odin_model::Boottime;
use odin_model::output::Stream;

use super::attempt::Running;
use super::main_loop::MainLoop;
use super::slots::Slot;
use super::timers::Timer;
use crate::data_dir::DataDir;
use crate::masking::{FLUSH_AFTER, Source};
use crate::output::{Capture, FRAME_BYTES_MAX};

impl Running {
    /// Keeps what was printed now. Tells when to look for what is held back of it, unless somebody will.
    pub(super) fn keep(
        &mut self,
        dir: &DataDir,
        source: Source,
        (now, at): (Boottime, Timestamp),
        bytes: &[u8],
    ) -> Option<Boottime> {
        let Some(masks) = &mut self.masks else {
            self.capture.take(dir, source.stream, at, bytes);
            return None;
        };
        take(
            &mut self.capture,
            dir,
            source.stream,
            at,
            masks.take(source, now, bytes),
        );
        if masks.is_watched {
            return None;
        }
        let flush_at = masks.flush_at();
        masks.is_watched = flush_at.is_some();
        flush_at
    }

    fn flush(&mut self, dir: &DataDir, silent_since: Boottime, at: Timestamp) {
        if let Some(masks) = &mut self.masks {
            let capture = &mut self.capture;
            masks.flush(silent_since, |stream, bytes| {
                take(capture, dir, stream, at, bytes);
            });
        }
    }
}

/// What was held back comes with what follows it: more than one read.
fn take(capture: &mut Capture, dir: &DataDir, stream: Stream, at: Timestamp, bytes: &[u8]) {
    for piece in bytes.chunks(FRAME_BYTES_MAX) {
        capture.take(dir, stream, at, piece);
    }
}

impl MainLoop {
    /// Keeps what has been held back for long enough.
    pub(super) fn flush_masks(&mut self, slot: Slot) {
        let (dir, now, at) = (self.dir.clone(), self.now, self.clock.wall());
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        let silent_since = Boottime(now.0.saturating_sub(FLUSH_AFTER));
        running.flush(&dir, silent_since, at);
        let Some(masks) = &mut running.masks else {
            return;
        };
        let flush_at = masks.flush_at();
        masks.is_watched = flush_at.is_some();
        if let Some(flush_at) = flush_at {
            self.timers.add(flush_at, Timer::Flush(slot));
        }
    }

    /// Keeps all that is held back: nothing follows.
    pub(super) fn flush_all_masks(&mut self, slot: Slot) {
        let (dir, now, at) = (self.dir.clone(), self.now, self.clock.wall());
        if let Some(running) = self.running_mut(slot) {
            running.flush(&dir, now, at);
        }
    }
}
