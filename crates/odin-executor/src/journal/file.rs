//! The journal's file: reading it back, appending, writing it anew.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use odin_model::codec;

use super::record::{Record, Replay};
use super::sync::Syncer;
use super::{COMPACT_AT_ONCE_FROM_BYTES, COMPACT_FROM_BYTES, MAGIC};
use crate::fault::{self, Point};

const HEADER: usize = 8;
/// A record holds at most an environment-free result with 4 KiB of output; anything longer is damage.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// The file is filled with zeroes this far ahead: a sync of bytes that replace zeroes does not wait for the file
/// system's own journal, which costs more than the bytes. A length of zero is no record, so zeroes are the end.
const ZEROED_AHEAD: u64 = 1 << 20;

/// Why the journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error(
        "{path} is not a journal of this version of Odin; start the newer version, or move the file away"
    )]
    Foreign { path: PathBuf },
    #[error("cannot open the journal {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

/// Whether a wait for the disk would make something late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    NothingIsDue,
    SomethingIsDue,
}

/// An open journal and what was in it.
pub(crate) struct Opened {
    pub(crate) journal: Journal,
    pub(crate) replay: Replay,
}

/// The journal. Records are collected with [`add`](Self::add), written together with [`write`](Self::write), and
/// synced by a thread of their own.
pub(crate) struct Journal {
    path: PathBuf,
    file: Arc<File>,
    /// Up to here the file holds whole records.
    length: u64,
    /// Up to here the file holds zeroes behind them.
    zeroed: u64,
    /// Records that are not in the file yet, as bytes.
    pending: Vec<u8>,
    syncer: Syncer,
    /// What `write` last failed with.
    failing: Option<io::ErrorKind>,
}

impl Journal {
    /// Opens or makes the journal. `wake` is called by the sync thread whenever it is done with a sync.
    ///
    /// The caller must hold the executor's lock.
    pub(crate) fn open(
        directory: &Path,
        wake: impl Fn() + Send + 'static,
    ) -> Result<Opened, JournalError> {
        let path = directory.join("journal");
        let failed = |error| JournalError::Io {
            path: path.clone(),
            error,
        };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(failed)?;
        let bytes = std::fs::read(&path).map_err(failed)?;
        let mut replay = Replay::new();
        let mut length = MAGIC.len();
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) {
            file.write_all_at(&MAGIC, 0).map_err(failed)?;
        } else if bytes.starts_with(&MAGIC) {
            while let Some((record, after)) = record_at(&bytes, length) {
                replay.apply(record);
                length = after;
            }
            if is_foreign(&bytes, length) {
                return Err(JournalError::Foreign { path });
            }
        } else {
            return Err(JournalError::Foreign { path });
        }
        let length = to_u64(length);
        file.set_len(length).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        sync_directory(directory).map_err(failed)?;
        let file = Arc::new(file);
        let syncer = Syncer::start(Arc::clone(&file), length, wake).map_err(failed)?;
        let journal = Self {
            path,
            file,
            length,
            zeroed: length,
            pending: Vec::new(),
            syncer,
            failing: None,
        };
        Ok(Opened { journal, replay })
    }

    /// Collects a record for the next [`write`](Self::write). What it returns is the record's position: see
    /// [`durable`](Self::durable).
    pub(crate) fn add(&mut self, record: &Record) -> u64 {
        append_record(&mut self.pending, record);
        self.length + to_u64(self.pending.len())
    }

    /// Hands everything collected to the kernel. After an error the file ends at its last whole record and what was
    /// collected stays collected.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all_at(&self.pending, self.length) {
            self.failing = Some(error.kind());
            // What was written in part must not look like a record to a later reader; a longer write covers it.
            let _ = self.file.set_len(self.length);
            self.zeroed = self.length;
            return Err(error);
        }
        self.failing = None;
        self.length += to_u64(self.pending.len());
        self.pending.clear();
        self.pending.shrink_to(64 << 10);
        if self.length >= self.zeroed {
            self.zeroed = zero_ahead(&self.file, self.length);
        }
        Ok(())
    }

    /// Asks for everything written to be on the disk soon; [`durable`](Self::durable) tells when it is.
    pub(crate) fn sync(&mut self) {
        self.syncer.request(self.length);
    }

    /// Up to this position everything is on the disk.
    pub(crate) fn durable(&self) -> u64 {
        self.syncer.durable()
    }

    /// Up to this position everything is with the kernel.
    pub(crate) fn written(&self) -> u64 {
        self.length
    }

    /// Why the disk refuses, if it does.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failing
            .or(self.syncer.failure())
            .map(|kind| io::Error::from(kind).to_string())
    }

    /// Whether writing it anew is worth the while, given how many records would remain and whether there is a while:
    /// the caller waits for the disk.
    pub(crate) fn wants_compaction(&self, remaining_records: usize, haste: Haste) -> bool {
        let from = match haste {
            Haste::NothingIsDue => COMPACT_FROM_BYTES,
            Haste::SomethingIsDue => COMPACT_AT_ONCE_FROM_BYTES,
        };
        // A remaining record is taken for 200 bytes; a journal of results that nobody takes is not rewritten
        // again and again.
        self.length > from && self.length > 3 * 200 * to_u64(remaining_records)
    }

    /// Replaces the journal by one with only these records, on the disk before it takes the old one's place.
    /// Positions begin anew, so the caller must not be waiting for one. After an error the old one goes on.
    pub(crate) fn compact(&mut self, records: &[Record]) -> io::Result<()> {
        self.write()?;
        fault::reach(Point::ExecutorCompactBefore);
        let mut bytes = MAGIC.to_vec();
        for record in records {
            append_record(&mut bytes, record);
        }
        let new = self.path.with_extension("new");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&bytes)?;
        let zeroed = zero_ahead(&file, to_u64(bytes.len()));
        file.sync_all()?;
        fault::reach(Point::ExecutorCompactMiddle);
        std::fs::rename(&new, &self.path)?;
        if let Some(directory) = self.path.parent() {
            sync_directory(directory)?;
        }
        self.file = Arc::new(file);
        self.length = to_u64(bytes.len());
        self.zeroed = zeroed;
        self.syncer.replace(Arc::clone(&self.file), self.length);
        fault::reach(Point::ExecutorCompactAfter);
        Ok(())
    }
}

/// Fills the file with zeroes from `length` on, as far as there is room; how far.
fn zero_ahead(file: &File, length: u64) -> u64 {
    static ZEROES: [u8; 32 << 10] = [0; 32 << 10];
    let end = (length / ZEROED_AHEAD + 1) * ZEROED_AHEAD;
    let mut zeroed = length;
    while zeroed < end {
        let count = usize::try_from(end - zeroed)
            .unwrap_or(usize::MAX)
            .min(ZEROES.len());
        // A disk without room for it has room for records perhaps, which is tried when there are some.
        if file.write_all_at(&ZEROES[..count], zeroed).is_err() {
            break;
        }
        zeroed += to_u64(count);
    }
    zeroed
}

fn append_record(out: &mut Vec<u8>, record: &Record) {
    let body = codec::encode(record);
    let length = u32::try_from(body.len()).expect("records are far below 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    out.extend_from_slice(&body);
}

/// The record at `offset` and where the next one begins; `None` at the end, at a torn one and at damage.
fn record_at(bytes: &[u8], offset: usize) -> Option<(Record, usize)> {
    let body = body_at(bytes, offset)?;
    Some((codec::decode(body).ok()?, offset + HEADER + body.len()))
}

/// A record's bytes, if they are what was written.
fn body_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(offset..)?.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length))
        .ok()
        .filter(|&length| length <= RECORD_BYTES_MAX)?;
    let body = rest.get(..length)?;
    (crc32fast::hash(body) == u32::from_le_bytes(*sum)).then_some(body)
}

/// Whether a whole record is there that this version cannot read: to take it for the journal's end would forget runs.
fn is_foreign(bytes: &[u8], offset: usize) -> bool {
    body_at(bytes, offset).is_some_and(|body| !body.is_empty())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).expect("usize fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::AttemptKey;
    use odin_model::attempt::{AttemptResult, Ending};

    fn finished(number: u64, run: u64) -> Record {
        Record::Finished {
            number,
            key: AttemptKey::of_bits(run, 1),
            result: AttemptResult {
                ending: Ending::Exited { code: 0 },
                started_at: None,
                finished_at: jiff::Timestamp::UNIX_EPOCH,
                usage: Default::default(),
                output: Default::default(),
            },
        }
    }

    fn records() -> Vec<Record> {
        vec![
            Record::Opened {
                executor: 1,
                pid: 2,
                boot_id: "b".into(),
            },
            Record::Starting {
                key: AttemptKey::of_bits(1, 1),
            },
            finished(1, 1),
            Record::Starting {
                key: AttemptKey::of_bits(2, 1),
            },
            finished(2, 2),
            Record::Acked { up_to: 1 },
        ]
    }

    fn expected(records: &[Record]) -> Replay {
        let mut replay = Replay::new();
        records
            .iter()
            .cloned()
            .for_each(|record| replay.apply(record));
        replay
    }

    fn open(directory: &Path) -> Opened {
        Journal::open(directory, || {}).unwrap()
    }

    #[test]
    fn a_journal_cut_at_any_byte_keeps_its_whole_records_and_goes_on() {
        let temp = tempfile::tempdir().unwrap();
        let mut ends = vec![8];
        {
            let mut journal = open(temp.path()).journal;
            for record in records() {
                journal.add(&record);
                journal.write().unwrap();
                ends.push(journal.length);
            }
        }
        let end = usize::try_from(*ends.last().unwrap()).unwrap();
        let whole = std::fs::read(temp.path().join("journal")).unwrap();
        assert!(whole[end..].iter().all(|&byte| byte == 0) && whole.len() > end);
        for length in 0..=end {
            std::fs::write(temp.path().join("journal"), &whole[..length]).unwrap();
            let kept = ends
                .iter()
                .filter(|&&end| end <= to_u64(length))
                .count()
                .saturating_sub(1);
            let Opened {
                mut journal,
                replay,
            } = open(temp.path());
            assert_eq!(replay, expected(&records()[..kept]), "cut at {length}");
            journal.add(&finished(9, 9));
            journal.write().unwrap();
            drop(journal);
            assert!(
                open(temp.path()).replay.unacked.contains_key(&9),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn a_changed_byte_anywhere_in_the_last_record_drops_that_record_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("journal");
        let mut journal = open(temp.path()).journal;
        let all = records();
        all[..5].iter().for_each(|record| _ = journal.add(record));
        journal.write().unwrap();
        let last = usize::try_from(journal.length).unwrap();
        journal.add(&all[5]);
        journal.write().unwrap();
        let end = usize::try_from(journal.length).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for index in last..end {
            let mut bytes = whole.clone();
            bytes[index] ^= 0x10;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(
                open(temp.path()).replay,
                expected(&all[..5]),
                "byte {index}"
            );
        }
    }

    #[test]
    fn a_file_that_is_no_journal_is_refused_and_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("journal"), b"odinjnl9 from the future").unwrap();
        assert!(matches!(
            Journal::open(temp.path(), || {}),
            Err(JournalError::Foreign { .. })
        ));
        assert_eq!(
            std::fs::read(temp.path().join("journal")).unwrap(),
            b"odinjnl9 from the future"
        );
    }

    #[test]
    fn a_record_of_a_newer_version_is_not_taken_for_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let mut bytes = MAGIC.to_vec();
        let body = [u8::MAX, 1, 2, 3];
        bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        std::fs::write(temp.path().join("journal"), &bytes).unwrap();
        assert!(matches!(
            Journal::open(temp.path(), || {}),
            Err(JournalError::Foreign { .. })
        ));
        assert_eq!(std::fs::read(temp.path().join("journal")).unwrap(), bytes);
    }

    #[test]
    fn a_journal_is_written_anew_when_nothing_is_due_or_when_it_is_large() {
        let temp = tempfile::tempdir().unwrap();
        let mut journal = open(temp.path()).journal;
        let megabyte = Record::Opened {
            executor: 1,
            pid: 1,
            boot_id: "x".repeat(1_000_000),
        };
        for (megabytes, remaining, quiet, due) in [
            (4, 0, false, false),
            (1, 0, true, false),
            (11, 0, true, false),
            (1, 0, true, true),
            (0, 100_000, false, false),
        ] {
            (0..megabytes).for_each(|_| _ = journal.add(&megabyte));
            journal.write().unwrap();
            let wants = |haste| journal.wants_compaction(remaining, haste);
            let wanted = (wants(Haste::NothingIsDue), wants(Haste::SomethingIsDue));
            assert_eq!(wanted, (quiet, due), "{}", journal.written());
        }
    }

    #[test]
    fn numbers_are_not_used_again_after_compaction() {
        let temp = tempfile::tempdir().unwrap();
        let mut journal = open(temp.path()).journal;
        journal.add(&finished(41, 1));
        journal
            .compact(&[
                Record::NextNumber { number: 42 },
                Record::Tombstone {
                    key: AttemptKey::of_bits(1, 1),
                },
            ])
            .unwrap();
        drop(journal);
        let replay = open(temp.path()).replay;
        assert_eq!(
            (
                replay.next_number,
                replay.tombstones.len(),
                replay.unacked.len()
            ),
            (42, 1, 0)
        );
    }
}
