//! What attempts report, on its way to the disk: one file for each, all of them synced together.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use odin_model::Boottime;

use super::access::Terms;
use super::file::{Frames, Kept, ValuesFile};
use super::results::is_result;
use super::sync::{Round, Syncer};
use crate::data_dir::DataDir;
use crate::executor::Wake;
use crate::protocol::AttemptKey;

/// How far a round of the disk begins after the one before at the earliest. What is written after a longer silence is
/// synced at once; a flood costs the disk fifty rounds a second.
pub(super) const ROUND_EVERY: Duration = Duration::from_millis(20);
/// How much of one attempt may wait for the disk. Beyond it, its connections are not read.
const UNSYNCED_BYTES_MAX: u64 = 1 << 20;
/// How much of an attempt's results is kept beside what its reports may take: a run must not end well because it has
/// said too much before it said that it failed. Beyond it only the latest result is kept.
const RESULTS_BYTES_MAX: u64 = 64 << 10;
/// What a line takes in the file beside itself, at most.
const FRAME_BYTES_MAX: u64 = 64;

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
    /// Whether the latest line had no room in it.
    is_full: bool,
    /// Results that were kept after that.
    results: Results,
    /// Lines that were not kept, in all.
    dropped: Dropped,
    /// How many of them the file tells of, and whether that was since it is full.
    told_lines: u64,
    is_told_full: bool,
    /// Bytes that wait for the next round, and for the one under way.
    waiting: u64,
    syncing: u64,
}

#[derive(Default)]
struct Results {
    kept_bytes: u64,
    is_full: bool,
    /// The latest one when there was no room for it, with its length: it is written when the attempt is over.
    latest: Option<(Kept, u64)>,
}

#[derive(Default, Clone, Copy)]
struct Dropped {
    lines: u64,
    bytes: u64,
}

/// What an attempt was before lines were taken: they may not get to the disk.
struct Before {
    kept_bytes: u64,
    results_bytes: u64,
    told_lines: u64,
    is_told_full: bool,
}

/// Where a line goes.
enum Place {
    Reports,
    Results,
    /// It is the latest result, and has no room.
    Latest,
    Nowhere,
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
            is_full: false,
            results: Results::default(),
            dropped: Dropped::default(),
            told_lines: 0,
            is_told_full: false,
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
        let before = attempt.before();
        let mut framed = Dropped::default();
        for (kept, length) in lines {
            if kept == Kept::Line(Vec::new()) {
                continue;
            }
            let kept = attempt.terms.without_secrets(kept);
            match attempt.place(&kept, length) {
                Place::Reports => {
                    let began = self.frames.len() as u64;
                    attempt.tell_dropped(&mut self.frames, at);
                    self.frames.push(at, &kept);
                    framed.add(length);
                    attempt.kept_bytes += self.frames.len() as u64 - began;
                }
                Place::Results => {
                    attempt.tell_full(&mut self.frames, at);
                    let began = self.frames.len() as u64;
                    self.frames.push(at, &kept);
                    framed.add(length);
                    attempt.results.kept_bytes += self.frames.len() as u64 - began;
                }
                Place::Latest => attempt.keep_latest(kept, length),
                Place::Nowhere => attempt.dropped.add(length),
            }
        }
        attempt.tell_full(&mut self.frames, at);
        if self.frames.len() > 0 && self.write(key).is_err() {
            self.not_kept(key, framed, &before);
        }
    }

    /// What was about to be written is not: the latest result of it is tried again at the end.
    fn not_kept(&mut self, key: AttemptKey, framed: Dropped, before: &Before) {
        if let Some(attempt) = self.attempts.get_mut(&key) {
            attempt.kept_bytes = before.kept_bytes;
            attempt.results.kept_bytes = before.results_bytes;
            attempt.told_lines = before.told_lines;
            attempt.is_told_full = before.is_told_full;
            attempt.dropped.lines += framed.lines;
            attempt.dropped.bytes += framed.bytes;
            // One that had no room came after those that had.
            if attempt.results.latest.is_none()
                && let Some(result) = self.frames.kept().into_iter().rfind(is_result)
            {
                let length = result.length();
                attempt.dropped.lines -= 1;
                attempt.dropped.bytes -= length.min(attempt.dropped.bytes);
                attempt.results.latest = Some((result, length));
            }
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

    /// Nobody speaks for the attempt any more: what was not told of is told, and the latest result has room.
    pub(super) fn end(&mut self, key: AttemptKey, at: Timestamp) {
        let Some(attempt) = self.attempts.get_mut(&key) else {
            return;
        };
        self.frames.clear();
        attempt.tell_dropped(&mut self.frames, at);
        if let Some((latest, _)) = attempt.results.latest.take() {
            self.frames.push(at, &latest);
        }
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
    fn before(&self) -> Before {
        Before {
            kept_bytes: self.kept_bytes,
            results_bytes: self.results.kept_bytes,
            told_lines: self.told_lines,
            is_told_full: self.is_told_full,
        }
    }

    fn place(&mut self, kept: &Kept, length: u64) -> Place {
        let needed = length.min(super::LINE_BYTES_MAX as u64) + FRAME_BYTES_MAX;
        self.is_full |= needed > self.terms.bytes_max.saturating_sub(self.kept_bytes);
        if !self.is_full {
            return Place::Reports;
        }
        if !is_result(kept) {
            return Place::Nowhere;
        }
        let room = RESULTS_BYTES_MAX.saturating_sub(self.results.kept_bytes);
        self.results.is_full |= needed > room;
        match self.results.is_full {
            true => Place::Latest,
            false => Place::Results,
        }
    }

    fn keep_latest(&mut self, kept: Kept, length: u64) {
        if let Some((_, earlier)) = self.results.latest.replace((kept, length)) {
            self.dropped.add(earlier);
        }
    }

    /// Tells at once that the room is used up, so that it shows while the run goes on. How much was dropped in all is told
    /// at the end.
    fn tell_full(&mut self, frames: &mut Frames, at: Timestamp) {
        if self.is_full && !self.is_told_full && self.dropped.lines > 0 {
            self.tell_dropped(frames, at);
            self.is_told_full = true;
        }
    }

    /// Tells how much was dropped in all, if that is more than was told.
    fn tell_dropped(&mut self, frames: &mut Frames, at: Timestamp) {
        let Dropped { lines, bytes } = self.dropped;
        if lines > self.told_lines {
            frames.push(at, &Kept::Dropped { lines, bytes });
            self.told_lines = lines;
        }
    }
}

impl Dropped {
    fn add(&mut self, length: u64) {
        self.lines += 1;
        self.bytes += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::access::Accesses;
    use crate::values::read;

    #[test]
    fn a_result_that_the_disk_refused_is_written_at_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        let accesses = Accesses::new(|| {}).unwrap();
        let mut keeper = Keeper::start(dir.clone(), accesses.wake().clone()).unwrap();
        let key = AttemptKey::of_bits(7, 1);
        let terms = Terms {
            bytes_max: 1 << 20,
            masks: None,
        };
        keeper.open(key, terms);
        let at = Timestamp::UNIX_EPOCH;
        let watch = br#"{"kind":"watch","name":"n"}"#;
        let result = br#"{"kind":"result","name":"bad","status":500}"#;
        let lines = [&watch[..], result, watch].map(|line| {
            let length = line.len() as u64;
            (Kept::Line(line.to_vec()), length)
        });
        // Without its directory no file can be made.
        keeper.keep(key, at, lines);
        std::fs::create_dir(dir.values()).unwrap();
        keeper.end(key, at);
        let page = read(&dir, key, 0, 1 << 20).unwrap().unwrap();
        let kept: Vec<Kept> = page.lines.into_iter().map(|line| line.kept).collect();
        let bytes = 2 * watch.len() as u64;
        let dropped = Kept::Dropped { lines: 2, bytes };
        assert_eq!(kept, [dropped, Kept::Line(result.to_vec())]);
    }
}
