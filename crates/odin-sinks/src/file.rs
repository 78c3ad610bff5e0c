//! A file of JSON lines. A batch is on the disk before it counts as taken; what the file's last line of
//! this sink says was written is not written again, so that on one node each record stands there once. Whoever writes
//! holds the file's lock: records and metrics come from two tasks, and two sinks may share a file.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::file_place::{FileFault, must_be_own, open_or_make, open_own, sync_folder};
use crate::json_lines::{feed_id, line, may_become_record, metric_lines};
use crate::{Record, Snapshot, Unsent};

/// How much of a file's end is looked at for its last whole line: more than the longest line. Where that has no record of
/// the sink, among many metrics say, more is looked at.
const TAILS_BYTES: [u64; 3] = [1 << 20, 8 << 20, 64 << 20];
/// How often a file that is rotated away in the moment in which it is opened is opened again.
const OPENS_MAX: usize = 20;

/// A file of JSON lines.
#[derive(Debug, Clone)]
pub(crate) struct JsonFile {
    path: PathBuf,
    /// The server's own files, none of which it is.
    data_dir: Option<PathBuf>,
    rotate_bytes: u64,
    keep: u32,
    token: u64,
    /// What is known of the file's end, so that it need not be read for each batch.
    known: Option<End>,
}

/// A file's end after it was written.
#[derive(Debug, Clone)]
struct End {
    /// Of which file.
    inode: u64,
    /// Its length then. What is behind it is not this sink's record.
    length: u64,
    /// The id of this sink's last record.
    last: String,
}

/// A line to be written.
struct NewLine {
    /// `None`: it is no record of the feed, and is written each time.
    id: Option<String>,
    text: String,
}

impl JsonFile {
    pub(crate) fn new(path: &str, (rotate_bytes, keep): (u64, u32), token: u64) -> Self {
        Self {
            path: path.into(),
            data_dir: None,
            rotate_bytes,
            keep,
            token,
            known: None,
        }
    }

    /// Never writes into this directory.
    pub(crate) fn keep_out_of(&mut self, data_dir: &Path) {
        self.data_dir = Some(data_dir.to_owned());
    }

    pub(crate) async fn send(&mut self, records: &[Record]) -> Result<(), Unsent> {
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let (entry, index) = record.place;
            // A record by which the sink is tried is in no feed, and says nothing of what was sent.
            let is_trial = record.place == (0, 0);
            lines.push(NewLine {
                id: (!is_trial).then(|| feed_id(self.token, entry, index)),
                text: line(record, self.token),
            });
        }
        self.append(lines).await
    }

    pub(crate) async fn send_metrics(&mut self, snapshot: &Snapshot) -> Result<(), Unsent> {
        let lines = metric_lines(snapshot).into_iter();
        let lines = lines.map(|text| NewLine { id: None, text });
        self.append(lines.collect()).await
    }

    async fn append(&mut self, lines: Vec<NewLine>) -> Result<(), Unsent> {
        let mut this = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let done = this.write(&lines);
            (done, this.known)
        });
        let (done, known) = writing
            .await
            .map_err(|error| Unsent::not_now(error.to_string()))?;
        self.known = known;
        done.map_err(|error| Unsent::not_now(error.to_string()))
    }

    fn write(&mut self, lines: &[NewLine]) -> Result<(), FileFault> {
        let path = self.path.clone();
        let of = |source| FileFault::io(&path, source);
        let mut file = self.open()?;
        end_last_line(&mut file).map_err(of)?;
        let mut last = match lines.iter().any(|line| line.id.is_some()) {
            true => self.last_id(&mut file).map_err(of)?,
            false => String::new(),
        };
        let mut bytes = Vec::new();
        let mut size = file.seek(SeekFrom::End(0)).map_err(of)?;
        for NewLine { id, text } in lines {
            if id.as_ref().is_some_and(|id| *id <= last) {
                continue;
            }
            if size + bytes.len() as u64 >= self.rotate_bytes {
                append(&mut file, &bytes).map_err(of)?;
                bytes.clear();
                self.rotate()?;
                file = self.open()?;
                size = file.seek(SeekFrom::End(0)).map_err(of)?;
            }
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(b'\n');
            if let Some(id) = id {
                last.clone_from(id);
            }
        }
        // Whatever is not known for sure after an error is read again.
        let known = self.known.take();
        append(&mut file, &bytes).map_err(of)?;
        let metadata = file.metadata().map_err(of)?;
        self.known = match last.is_empty() {
            // Metrics were written, and the file may be another one now.
            true => known.filter(|known| known.inode == metadata.ino()),
            false => Some(End {
                inode: metadata.ino(),
                length: metadata.len(),
                last,
            }),
        };
        Ok(())
    }

    /// The id of this sink's last record in the file, or in the one before it; empty where there is none.
    fn last_id(&self, file: &mut File) -> io::Result<String> {
        let metadata = file.metadata()?;
        if let Some(known) = &self.known
            && known.inode == metadata.ino()
            && known.length <= metadata.len()
        {
            return Ok(known.last.clone());
        }
        let prefix = format!("{:016x}-", self.token);
        let trial = feed_id(self.token, 0, 0);
        let counts = |id: &str| id.starts_with(&prefix) && id != trial;
        let mut last = last_id_of(file, counts)?;
        if last.is_none()
            && let Ok(Some(mut before)) = open_own(&rotated(&self.path, 1))
        {
            last = last_id_of(&mut before, counts)?;
        }
        Ok(last.unwrap_or_default())
    }

    /// `x` becomes `x.1`, and so on; the oldest goes. Where one of those is somebody else's, nothing does.
    fn rotate(&self) -> Result<(), FileFault> {
        for number in 1..=self.keep {
            open_own(&rotated(&self.path, number))?;
        }
        self.rename_all()
            .map_err(|source| FileFault::io(&self.path, source))
    }

    fn rename_all(&self) -> io::Result<()> {
        let missing_is_fine = |done: io::Result<()>| match done {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        };
        if self.keep == 0 {
            return missing_is_fine(fs::remove_file(&self.path));
        }
        for number in (1..self.keep).rev() {
            let (from, to) = (rotated(&self.path, number), rotated(&self.path, number + 1));
            missing_is_fine(fs::rename(from, to))?;
        }
        missing_is_fine(fs::rename(&self.path, rotated(&self.path, 1)))?;
        sync_folder(&self.path)
    }

    /// The file, which nobody else writes to for as long as it is open.
    fn open(&self) -> Result<File, FileFault> {
        let path = &self.path;
        let of = |source| FileFault::io(path, source);
        for _ in 0..OPENS_MAX {
            let Some(file) = open_or_make(path, self.data_dir.as_deref())? else {
                continue;
            };
            match file.lock() {
                Ok(()) => {}
                // Some network file systems have no locks. Only a rotation in the middle of another's write is left to
                // chance.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    must_be_own(path, &file)?;
                    return Ok(file);
                }
                Err(error) => return Err(of(error)),
            }
            // Before the lock was there, the file may have been rotated away.
            let opened = file.metadata().map_err(of)?;
            let is_current = fs::metadata(path)
                .is_ok_and(|now| (now.dev(), now.ino()) == (opened.dev(), opened.ino()));
            if is_current {
                must_be_own(path, &file)?;
                return Ok(file);
            }
        }
        Err(of(io::Error::other(
            "it is rotated faster than it is opened",
        )))
    }
}

fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    file.write_all(bytes)?;
    file.sync_data()
}

/// The last bytes of a file, up to `most`, and where they begin.
fn tail(file: &mut File, most: u64) -> io::Result<(Vec<u8>, u64)> {
    let from = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(most).read_to_end(&mut tail)?;
    Ok((tail, from))
}

/// Takes away a record's line that a crash cut off. What is not one of Odin's stays, and gets an end.
fn end_last_line(file: &mut File) -> io::Result<()> {
    if tail(file, 1)?.0.iter().all(|byte| *byte == b'\n') {
        return Ok(());
    }
    for most in TAILS_BYTES {
        let (tail, from) = tail(file, most)?;
        let begin = match tail.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if from == 0 => 0,
            None => continue,
        };
        if may_become_record(&tail[begin..]) {
            return file.set_len(from + begin as u64);
        }
        break;
    }
    file.write_all(b"\n")
}

/// The id of the last whole line that `counts`.
fn last_id_of(file: &mut File, counts: impl Fn(&str) -> bool) -> io::Result<Option<String>> {
    let id_of = |line: &[u8]| {
        let line: serde_json::Value = serde_json::from_slice(line).ok()?;
        let id = line.get("feed")?.as_str()?;
        counts(id).then(|| id.to_owned())
    };
    for most in TAILS_BYTES {
        let (tail, from) = tail(file, most)?;
        let id = tail.rsplit(|byte| *byte == b'\n').find_map(id_of);
        if id.is_some() || from == 0 {
            return Ok(id);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use odin_model::ValueData;

    use super::*;
    use crate::record::tests::value;
    use crate::snapshot::tests::snapshot;

    fn records(range: std::ops::Range<u32>) -> Vec<Record> {
        range
            .map(|index| value(index, "n", ValueData::Number(index.to_string())))
            .collect()
    }

    fn values(path: &Path) -> Vec<i64> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["value"].as_i64().unwrap()
            })
            .collect()
    }

    fn sink(folder: &Path, rotate_bytes: u64) -> JsonFile {
        let path = folder.join("odin.jsonl");
        JsonFile::new(path.to_str().unwrap(), (rotate_bytes, 2), 9)
    }

    #[tokio::test]
    async fn what_comes_again_is_written_once_even_after_a_line_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(folder.path(), 1 << 30);
        sink.send(&records(0..3)).await.unwrap();
        sink.send(&records(0..5)).await.unwrap();
        assert_eq!(values(&sink.path), [0, 1, 2, 3, 4]);
        let whole = std::fs::read(&sink.path).unwrap();
        std::fs::write(&sink.path, &whole[..whole.len() - 10]).unwrap();
        sink.send(&records(3..6)).await.unwrap();
        assert_eq!(values(&sink.path), [0, 1, 2, 3, 4, 5]);
        // A trial is written each time, and hides nothing of what was sent.
        let mut trial = records(0..1);
        trial[0].place = (0, 0);
        sink.send(&trial).await.unwrap();
        sink.send(&trial).await.unwrap();
        sink.send(&records(5..7)).await.unwrap();
        assert_eq!(values(&sink.path), [0, 1, 2, 3, 4, 5, 0, 0, 6]);
        // Another sink's records are not mistaken for these.
        let mut other = JsonFile {
            token: 1,
            known: None,
            ..sink.clone()
        };
        other.send(&records(0..1)).await.unwrap();
        assert_eq!(values(&sink.path), [0, 1, 2, 3, 4, 5, 0, 0, 6, 0]);
    }

    #[tokio::test]
    async fn records_are_found_again_behind_many_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(folder.path(), 1 << 30);
        sink.send(&records(0..3)).await.unwrap();
        let mut metrics = sink.clone();
        let mut length = 0;
        while length < 2 * TAILS_BYTES[0] {
            for _ in 0..500 {
                metrics.send_metrics(&snapshot()).await.unwrap();
            }
            length = std::fs::metadata(&sink.path).unwrap().len();
        }
        // One that has written before knows it, one that begins has to look for it.
        sink.send(&records(0..4)).await.unwrap();
        let mut begun = JsonFile {
            known: None,
            ..sink
        };
        begun.send(&records(0..5)).await.unwrap();
        let text = std::fs::read_to_string(&begun.path).unwrap();
        let seen = text.lines().filter(|line| line.contains("\"feed\""));
        assert_eq!(seen.count(), 5);
    }

    #[tokio::test]
    async fn a_file_that_is_not_odins_is_left_as_it_is_and_the_sink_says_what_to_do() {
        for other in [
            "no JSON",
            "{\"level\":\"info\"}\n{\"level\":\"in",
            "SQLite format 3\0\n\0",
            "{",
            "\n",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut sink = sink(folder.path(), 1 << 30);
            fs::write(&sink.path, other).unwrap();
            for _ in 0..2 {
                let error = sink.send(&records(0..1)).await.unwrap_err().to_string();
                assert!(
                    error.contains("move it away, or name another file"),
                    "{error}"
                );
            }
            assert_eq!(fs::read_to_string(&sink.path).unwrap(), other);
            // Once it is out of the way, the sink goes on by itself.
            fs::remove_file(&sink.path).unwrap();
            sink.send(&records(0..1)).await.unwrap();
            assert_eq!(values(&sink.path), [0]);
        }
    }

    #[tokio::test]
    async fn only_odins_own_half_line_is_cut_off_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(folder.path(), 1 << 30);
        sink.send(&records(0..1)).await.unwrap();
        let whole = fs::read_to_string(&sink.path).unwrap();
        for (half, stays) in [
            ("{\"rec", ""),
            ("{\"record\":\"run\",\"feed\":\"00", ""),
            ("a note", "a note\n"),
            ("{\"a\":1", "{\"a\":1\n"),
        ] {
            fs::write(&sink.path, whole.clone() + half).unwrap();
            sink.send(&records(0..2)).await.unwrap();
            let text = fs::read_to_string(&sink.path).unwrap();
            let rest = text.strip_prefix(&(whole.clone() + stays)).unwrap();
            assert!(rest.starts_with("{\"record\":\"value\""), "{half}: {rest}");
        }
        // The first line of a new file may be the one that was cut off.
        fs::write(&sink.path, &whole[..40]).unwrap();
        sink.known = None;
        sink.send(&records(0..1)).await.unwrap();
        assert_eq!(fs::read_to_string(&sink.path).unwrap(), whole);
    }

    #[tokio::test]
    async fn no_file_of_somebody_elses_is_moved_or_overwritten_to_make_room() {
        for number in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let mut sink = sink(folder.path(), 1_000);
            let theirs = rotated(&sink.path, number);
            fs::write(&theirs, "theirs").unwrap();
            let error = sink.send(&records(0..40)).await.unwrap_err().to_string();
            let named = theirs.to_str().unwrap();
            assert!(
                error.contains(named) && error.contains("move it away"),
                "{error}"
            );
            assert_eq!(fs::read_to_string(&theirs).unwrap(), "theirs");
            fs::remove_file(&theirs).unwrap();
            sink.send(&records(0..40)).await.unwrap();
            assert_eq!(values(&sink.path).last(), Some(&39));
        }
    }

    #[tokio::test]
    async fn nothing_is_written_among_the_servers_own_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(folder.path(), 1 << 30);
        sink.keep_out_of(folder.path());
        let error = sink.send(&records(0..1)).await.unwrap_err().to_string();
        assert!(error.contains("the server keeps its own files"), "{error}");
        assert!(!sink.path.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_that_write_and_rotate_at_once_lose_and_garble_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odin.jsonl");
        let path = path.to_str().unwrap();
        let writers = [1, 2].map(|token| {
            let mut sink = JsonFile::new(path, (4_096, 10_000), token);
            tokio::spawn(async move {
                for index in 0..200 {
                    sink.send(&records(index..index + 1)).await.unwrap();
                    sink.send_metrics(&snapshot()).await.unwrap();
                }
            })
        });
        for writer in writers {
            writer.await.unwrap();
        }
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(text.ends_with('\n'));
            for line in text.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                ids.extend(line["feed"].as_str().map(ToOwned::to_owned));
            }
        }
        ids.sort();
        let expected = [1, 2].map(|token| (0..200).map(move |index| feed_id(token, 7, index)));
        let expected: Vec<_> = expected.into_iter().flatten().collect();
        assert_eq!(ids, expected);
    }

    #[tokio::test]
    async fn a_full_file_makes_room_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(folder.path(), 1_000);
        sink.send(&records(0..40)).await.unwrap();
        let mut seen = Vec::new();
        for path in [
            rotated(&sink.path, 2),
            rotated(&sink.path, 1),
            sink.path.clone(),
        ] {
            assert!(std::fs::metadata(&path).unwrap().len() < 1_500);
            seen.extend(values(&path));
        }
        let first = seen[0];
        assert_eq!(seen, (first..40).collect::<Vec<_>>());
        assert!(first > 0);
        assert!(!rotated(&sink.path, 3).exists());
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_said() {
        let mut sink = sink(Path::new("/nonexistent/odin"), 1_000);
        let error = sink.send(&records(0..1)).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/nonexistent/odin/odin.jsonl cannot be written")
        );
    }
}
