//! What attempts report, on its way to the disk: one file for each, all of them synced together.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use odin_model::Boottime;

use super::access::Terms;
use super::file::{Frames, Kept, ValuesFile};
use super::sync::{Round, Syncer};
use crate::data_dir::DataDir;
use crate::executor::Wake;
use crate::masking::Mask;
use crate::protocol::AttemptKey;

/// How far a round of the disk begins after the one before at the earliest. What is written after a longer silence is
/// synced at once; a flood costs the disk fifty rounds a second.
pub(super) const ROUND_EVERY: Duration = Duration::from_millis(20);
/// How much of one attempt may wait for the disk. Beyond it, its connections are not read.
const UNSYNCED_BYTES_MAX: u64 = 1 << 20;

/// The files of attempts that have reported something.
pub(super) struct Keeper {
    dir: DataDir,
    attempts: HashMap<AttemptKey, Attempt>,
    /// Attempts that wrote something since the latest round began.
    dirty: BTreeSet<AttemptKey>,
    has_new: bool,
    syncer: Syncer,
    is_syncing: bool,
    next_round: Boottime,
    frames: Frames,
}

struct Attempt {
    terms: Terms,
    /// `None` until the first line, and when the file cannot be made.
    file: Option<ValuesFile>,
    kept_bytes: u64,
    /// Lines that were not kept and not told of.
    dropped: Dropped,
    is_full: bool,
    /// Bytes that wait for the next round, and for the one under way.
    waiting: u64,
    syncing: u64,
}

#[derive(Default)]
struct Dropped {
    lines: u64,
    bytes: u64,
}

impl Keeper {
    pub(super) fn start(dir: DataDir, wake: Wake) -> io::Result<Self> {
        let syncer = Syncer::start(dir.values(), wake)?;
        Ok(Self {
            dir,
            attempts: HashMap::new(),
            dirty: BTreeSet::new(),
            has_new: false,
            syncer,
            is_syncing: false,
            next_round: Boottime(Duration::ZERO),
            frames: Frames::default(),
        })
    }

    /// An attempt has somebody who may speak.
    pub(super) fn open(&mut self, key: AttemptKey, terms: Terms) {
        self.attempts.entry(key).or_insert_with(|| Attempt {
            terms,
            file: None,
            kept_bytes: 0,
            dropped: Dropped::default(),
            is_full: false,
            waiting: 0,
            syncing: 0,
        });
    }

    /// Keeps lines of an attempt, each with its length: on their way to the disk, or counted as not kept.
    pub(super) fn keep(
        &mut self,
        key: AttemptKey,
        at: Timestamp,
        lines: impl IntoIterator<Item = (Kept, u64)>,
    ) {
        let Some(attempt) = self.attempts.get_mut(&key) else {
            return;
        };
        self.frames.clear();
        let (mut count, mut bytes, mut over) = (0, 0, Dropped::default());
        for (kept, length) in lines {
            if kept == Kept::Line(Vec::new()) {
                continue;
            }
            let kept = attempt.terms.without_secrets(kept);
            let room = attempt.terms.bytes_max.saturating_sub(attempt.kept_bytes);
            let needed = self.frames.len() as u64 + length.min(super::LINE_BYTES_MAX as u64) + 64;
            if attempt.is_full || needed > room {
                attempt.is_full = true;
                over.lines += 1;
                over.bytes += length;
            } else {
                attempt.tell_dropped(&mut self.frames, at);
                self.frames.push(at, &kept);
                count += 1;
                bytes += length;
            }
        }
        let is_first = over.lines > 0 && attempt.dropped.lines == 0 && !attempt.was_told();
        attempt.dropped.lines += over.lines;
        attempt.dropped.bytes += over.bytes;
        if is_first {
            // At once, so that it shows while the run goes on; what follows is told at the end.
            attempt.tell_dropped(&mut self.frames, at);
            attempt.kept_bytes = attempt.terms.bytes_max.saturating_add(1);
        }
        if self.frames.len() > 0 && self.write(key).is_err() {
            self.not_kept(key, count + u64::from(is_first) * over.lines, bytes);
        }
    }

    fn not_kept(&mut self, key: AttemptKey, lines: u64, bytes: u64) {
        if let Some(attempt) = self.attempts.get_mut(&key) {
            attempt.dropped.lines += lines;
            attempt.dropped.bytes += bytes;
        }
    }

    fn write(&mut self, key: AttemptKey) -> io::Result<()> {
        let Some(attempt) = self.attempts.get_mut(&key) else {
            return Ok(());
        };
        if attempt.file.is_none() {
            attempt.file = Some(ValuesFile::create(&self.dir, key)?);
            self.has_new = true;
        }
        let written = self.frames.len() as u64;
        if let Some(file) = &mut attempt.file {
            file.append(&self.frames)?;
        }
        attempt.kept_bytes = attempt.kept_bytes.saturating_add(written);
        attempt.waiting += written;
        self.dirty.insert(key);
        Ok(())
    }

    /// Whether an attempt's connections are to be read: not while too much of it waits for the disk.
    pub(super) fn takes_more(&self, key: AttemptKey) -> bool {
        self.attempts
            .get(&key)
            .is_none_or(|attempt| attempt.waiting + attempt.syncing < UNSYNCED_BYTES_MAX)
    }

    /// When the next round is to begin, if something waits for it.
    pub(super) fn round_at(&self, somebody_waits: bool) -> Option<Boottime> {
        let wants = somebody_waits || !self.dirty.is_empty();
        (wants && !self.is_syncing).then_some(self.next_round)
    }

    /// Begins a round with everything that was written.
    pub(super) fn begin_round(&mut self, now: Boottime) {
        self.next_round = now.plus(ROUND_EVERY);
        let mut files = Vec::new();
        for key in std::mem::take(&mut self.dirty) {
            let Some(attempt) = self.attempts.get_mut(&key) else {
                continue;
            };
            match attempt.file.as_ref().map(ValuesFile::handle) {
                Some(Ok(file)) => {
                    attempt.syncing = std::mem::take(&mut attempt.waiting);
                    files.push((key, file));
                }
                // Without a descriptor for it, it waits for the next round.
                Some(Err(_)) => _ = self.dirty.insert(key),
                None => {}
            }
        }
        self.is_syncing = true;
        self.syncer.begin(Round {
            files,
            has_new: std::mem::take(&mut self.has_new),
        });
    }

    /// The attempts whose disk failed, once the round is done.
    pub(super) fn end_round(&mut self) -> Option<Vec<AttemptKey>> {
        let done = self.syncer.take_done()?;
        self.is_syncing = false;
        for attempt in self.attempts.values_mut() {
            attempt.syncing = 0;
        }
        Some(done.failed)
    }

    /// Nobody speaks for the attempt any more: what was not told of is told.
    pub(super) fn end(&mut self, key: AttemptKey, at: Timestamp) {
        let Some(attempt) = self.attempts.get_mut(&key) else {
            return;
        };
        self.frames.clear();
        attempt.tell_dropped(&mut self.frames, at);
        if self.frames.len() > 0 {
            // A disk that refuses even this: the executor has said all that it can.
            let _ = self.write(key);
        }
    }

    /// Whether nothing of an attempt waits for the disk.
    pub(super) fn is_durable(&self, key: AttemptKey) -> bool {
        self.attempts
            .get(&key)
            .is_none_or(|attempt| attempt.waiting == 0 && attempt.syncing == 0)
    }

    /// Lets go of an attempt that is over.
    pub(super) fn forget(&mut self, key: AttemptKey) {
        self.attempts.remove(&key);
        self.dirty.remove(&key);
    }
}

impl Attempt {
    fn was_told(&self) -> bool {
        self.kept_bytes > self.terms.bytes_max
    }

    fn tell_dropped(&mut self, frames: &mut Frames, at: Timestamp) {
        let Dropped { lines, bytes } = std::mem::take(&mut self.dropped);
        if lines > 0 {
            frames.push(at, &Kept::Dropped { lines, bytes });
        }
    }
}

impl Terms {
    /// A line as it may be stored.
    fn without_secrets(&self, kept: Kept) -> Kept {
        let Some(patterns) = &self.masks else {
            return kept;
        };
        let masked = |bytes: &[u8], is_whole: bool| {
            let (mut mask, mut out) = (Mask::default(), Vec::with_capacity(bytes.len()));
            mask.push(patterns, bytes, &mut out);
            // What a cut line ends with may be the beginning of a secret.
            if is_whole {
                mask.flush(&mut out);
            }
            out.truncate(super::LINE_BYTES_MAX);
            out
        };
        match kept {
            Kept::Line(line) => Kept::Line(masked(&line, true)),
            Kept::CutLine { start, bytes } => Kept::CutLine {
                start: masked(&start, false),
                bytes,
            },
            Kept::Dropped { .. } => kept,
        }
    }
}
