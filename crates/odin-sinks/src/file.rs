//! A file of JSON lines. A batch is on the disk before it counts as taken; what the file's last line of
//! this sink says was written is not written again, so that on one node each record stands there once.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::json_lines::{feed_id, line};
use crate::{Record, Unsent};

/// How much of a file's end is looked at for its last whole line: more than the longest line.
const TAIL_BYTES: u64 = 1 << 20;

/// A file of JSON lines.
#[derive(Debug, Clone)]
pub(crate) struct JsonFile {
    pub(crate) path: PathBuf,
    pub(crate) rotate_bytes: u64,
    pub(crate) keep: u32,
    pub(crate) token: u64,
}

impl JsonFile {
    pub(crate) async fn send(&self, records: &[Record]) -> Result<(), Unsent> {
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let (entry, index) = record.place;
            lines.push((feed_id(self.token, entry, index), line(record, self.token)));
        }
        let this = self.clone();
        let writing = tokio::task::spawn_blocking(move || this.write(&lines));
        let done = writing
            .await
            .map_err(|error| Unsent::not_now(error.to_string()))?;
        done.map_err(|error| {
            Unsent::not_now(format!(
                "{} cannot be written: {error}",
                self.path.display()
            ))
        })
    }

    fn write(&self, lines: &[(String, String)]) -> io::Result<()> {
        let prefix = format!("{:016x}-", self.token);
        // A record by which the sink is tried is in no feed: it is written each time, and says nothing of what was sent.
        let trial = feed_id(self.token, 0, 0);
        let counts = |id: &str| id.starts_with(&prefix) && id != trial;
        let mut file = open(&self.path)?;
        let mut last = last_id(&mut file, counts)?;
        if last.is_none()
            && let Ok(mut before) = File::open(rotated(&self.path, 1))
        {
            last = last_id_of(&mut before, counts)?.0;
        }
        let last = last.unwrap_or_default();
        let mut bytes = Vec::new();
        let mut size = file.seek(SeekFrom::End(0))?;
        for (id, line) in lines.iter().filter(|(id, _)| *id > last || *id == trial) {
            debug_assert!(id.len() > prefix.len());
            if size + bytes.len() as u64 >= self.rotate_bytes {
                append(&mut file, &bytes)?;
                bytes.clear();
                self.rotate()?;
                file = open(&self.path)?;
                size = 0;
            }
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        append(&mut file, &bytes)
    }

    /// `x` becomes `x.1`, and so on; the oldest goes.
    fn rotate(&self) -> io::Result<()> {
        let missing_is_fine = |done: io::Result<()>| match done {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        };
        if self.keep == 0 {
            return missing_is_fine(std::fs::remove_file(&self.path));
        }
        for number in (1..self.keep).rev() {
            let (from, to) = (rotated(&self.path, number), rotated(&self.path, number + 1));
            missing_is_fine(std::fs::rename(from, to))?;
        }
        missing_is_fine(std::fs::rename(&self.path, rotated(&self.path, 1)))?;
        sync_folder(&self.path)
    }
}

fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn open(path: &Path) -> io::Result<File> {
    let is_new = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)?;
    if is_new {
        sync_folder(path)?;
    }
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    file.write_all(bytes)?;
    file.sync_data()
}

/// The id of the last whole line that `counts`. A line that a crash cut off is taken away.
fn last_id(file: &mut File, counts: impl Fn(&str) -> bool) -> io::Result<Option<String>> {
    let (id, end) = last_id_of(file, counts)?;
    if end < file.metadata()?.len() {
        file.set_len(end)?;
    }
    Ok(id)
}

/// The id of the last whole line that `counts`, and where the last whole line ends.
fn last_id_of(file: &mut File, counts: impl Fn(&str) -> bool) -> io::Result<(Option<String>, u64)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        // What does not begin as a line of Odin's is somebody else's, and stays.
        let is_ours = from == 0 && tail.first() == Some(&b'{');
        return Ok((None, if is_ours { 0 } else { length }));
    };
    let id_of = |line: &[u8]| {
        let line: serde_json::Value = serde_json::from_slice(line).ok()?;
        let id = line.get("feed")?.as_str()?;
        counts(id).then(|| id.to_owned())
    };
    let id = tail[..end].rsplit(|byte| *byte == b'\n').find_map(id_of);
    Ok((id, from + end as u64 + 1))
}

#[cfg(test)]
mod tests {
    use odin_model::ValueData;

    use super::*;
    use crate::record::tests::value;

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
        JsonFile {
            path: folder.join("odin.jsonl"),
            rotate_bytes,
            keep: 2,
            token: 9,
        }
    }

    #[tokio::test]
    async fn what_comes_again_is_written_once_even_after_a_line_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path(), 1 << 30);
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
        let other = JsonFile {
            token: 1,
            ..sink.clone()
        };
        other.send(&records(0..1)).await.unwrap();
        assert_eq!(values(&sink.path), [0, 1, 2, 3, 4, 5, 0, 0, 6, 0]);
    }

    #[tokio::test]
    async fn a_full_file_makes_room_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path(), 1_000);
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
        let sink = sink(Path::new("/nonexistent/odin"), 1_000);
        let error = sink.send(&records(0..1)).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/nonexistent/odin/odin.jsonl cannot be written")
        );
    }
}
