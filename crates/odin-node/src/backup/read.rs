//! Reads a backup: every member is held against the sums, and nothing of it is believed before.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path};

use jiff::Timestamp;
use odin_api::proof::{VerifyQuery, verify_file};
use odin_store::Reader;
use tar::{Archive, EntryType};
use tempfile::{SpooledTempFile, TempDir};
use zstd::stream::read::Decoder;

use super::collect::shown;
use super::error::BackupError;
use super::manifest::{
    DIRECTORIES, FORMAT, HISTORY, KEY, MANIFEST, MANIFEST_BYTES_MAX, Manifest, STATE, SUMS,
};
use super::write::Hashed;

/// What every zstd frame begins with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How much of the computed sums is in memory; the rest is in a temporary file.
const SUMS_IN_MEMORY: usize = 1 << 20;
/// The longest line of the sums.
const LINE_BYTES_MAX: u64 = 4096;

/// How closely a backup is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every byte against its checksum.
    Sums,
    /// That, and the state is opened, each of its pages and of the blocks of sealed history looked at, and the ledger
    /// proved. Takes as much space beside the backup as the state and the history have.
    State,
}

/// A backup that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it says of itself.
    pub manifest: Manifest,
    /// How many files are in it.
    pub members: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What the proof of the ledger in it found. `None`: it was not looked at.
    pub ledger: Option<odin_wire::Verified>,
}

/// Reads the backup in `file` from end to end.
///
/// # Errors
/// It is not whole, not what was written, or of something else; each names the member.
pub fn check(file: &Path, depth: Depth) -> Result<Checked, BackupError> {
    let failed = |error| BackupError::io(shown(file), error);
    let input = File::open(file).map_err(failed)?;
    if depth == Depth::Sums {
        return read(input, &mut |_| Ok(None));
    }
    let scratch = scratch_beside(file)?;
    let state = scratch.path().join(STATE);
    let history = scratch.path().join(HISTORY);
    std::fs::create_dir(&history).map_err(|error| BackupError::io(shown(&history), error))?;
    let mut checked = read(input, &mut |name| {
        let path = scratch.path().join(name);
        // Files of history have no directories below theirs.
        if name != STATE && path.parent() != Some(history.as_path()) {
            return Ok(None);
        }
        File::create_new(&path)
            .map(Some)
            .map_err(|error| BackupError::io(shown(&path), error))
    })?;
    let contents = odin_store::inspect(&state)?;
    let manifest = &checked.manifest;
    let said = (manifest.generation, manifest.log_index, manifest.jobs);
    if said != (contents.generation, contents.applied, contents.jobs) {
        return Err(BackupError::Damaged {
            member: MANIFEST.to_owned(),
            detail: "the state holds something else than it says".to_owned(),
        });
    }
    let past = Reader::of_file(&state)?.history(true);
    if let Some((path, detail)) = past.faults.into_iter().next() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Err(BackupError::Damaged {
            member: format!("{HISTORY}/{name}"),
            detail,
        });
    }
    let everything = VerifyQuery {
        job: None,
        owner: None,
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        // What was undecided then is not overdue: it is caught up after a restore.
        now: Timestamp::MIN,
    };
    checked.ledger = Some(verify_file(&state, &everything)?);
    Ok(checked)
}

/// A directory for the state of the backup in `file`: beside it, where there is room for backups, or where temporary
/// files are if that cannot be written. Removed when it is dropped.
pub(super) fn scratch_beside(file: &Path) -> Result<TempDir, BackupError> {
    let beside = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut named = tempfile::Builder::new();
    let named = named.prefix(".odin-check-");
    named
        .tempdir_in(beside.unwrap_or(Path::new(".")))
        .or_else(|_| named.tempdir())
        .map_err(|error| BackupError::io("a directory for the state", error))
}

/// Where a member goes. `None`: it is only verified.
pub(super) type Sink<'a> = dyn FnMut(&str) -> Result<Option<File>, BackupError> + 'a;

/// Reads a backup and passes its members on. What was passed on counts only when this returns.
pub(super) fn read(input: impl Read, sink: &mut Sink<'_>) -> Result<Checked, BackupError> {
    let mut input = BufReader::with_capacity(128 * 1024, input);
    let begins = input
        .fill_buf()
        .map_err(|error| BackupError::io("the backup", error))?;
    if !begins.starts_with(&ZSTD_MAGIC) {
        return Err(BackupError::NotABackup(
            "it is not compressed as one".to_owned(),
        ));
    }
    let mut decoder =
        Decoder::with_buffer(input).map_err(|error| BackupError::io("the backup", error))?;
    let mut reading = Reading::new();
    {
        let mut archive = Archive::new(&mut decoder);
        let entries = archive.entries();
        for entry in entries.map_err(|error| reading.broken(&error))? {
            let mut entry = entry.map_err(|error| reading.broken(&error))?;
            reading.member(&mut entry, sink)?;
        }
    }
    // The last frame's checksum is behind its data.
    let left = io::copy(&mut decoder.take(LINE_BYTES_MAX), &mut io::sink());
    left.map_err(|error| reading.broken(&error))?;
    reading.end()
}

/// What was read so far.
struct Reading {
    manifest: Option<Manifest>,
    /// The latest member.
    last: String,
    sums: SpooledTempFile,
    members: u64,
    bytes: u64,
    has_key: bool,
    is_complete: bool,
}

impl Reading {
    fn new() -> Self {
        Self {
            manifest: None,
            last: String::new(),
            sums: SpooledTempFile::new(SUMS_IN_MEMORY),
            members: 0,
            bytes: 0,
            has_key: false,
            is_complete: false,
        }
    }

    /// The stream broke where the head of a member should be.
    fn broken(&self, error: &io::Error) -> BackupError {
        if self.last.is_empty() {
            let detail = format!("its beginning cannot be read: {error}");
            return BackupError::NotABackup(detail);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.cut_off(),
            // A frame's checksum is behind its data.
            _ => self.damaged(
                &format!("{} or what follows it", self.last),
                error.to_string(),
            ),
        }
    }

    fn cut_off(&self) -> BackupError {
        BackupError::CutOff {
            after: self.last.clone(),
        }
    }

    fn damaged(&self, member: &str, detail: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            member: member.to_owned(),
            detail: detail.into(),
        }
    }

    fn member<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        sink: &mut Sink<'_>,
    ) -> Result<(), BackupError> {
        let name = self.name_of(entry)?;
        let bytes = entry.size();
        match (self.members, name.as_str()) {
            (0, MANIFEST) => return self.manifest(entry, bytes),
            (0, _) => return Err(BackupError::NotABackup("it has no manifest".to_owned())),
            (1, STATE) => {}
            (1, _) => return Err(self.damaged(STATE, "it is not there")),
            (_, SUMS) => return self.compare(entry),
            _ => {}
        }
        self.has_key |= name == KEY;
        let into = sink(&name)?;
        let mut hashed = Hashed::new(entry);
        self.last.clone_from(&name);
        copy(&name, &mut hashed, into)?;
        if hashed.bytes != bytes {
            return Err(self.cut_off());
        }
        self.note(&name, hashed)
    }

    /// A name that this program writes: nothing outside the data directory, nothing else inside it.
    fn name_of<R: Read>(&self, entry: &tar::Entry<'_, R>) -> Result<String, BackupError> {
        let path = entry.path().map_err(|error| self.broken(&error))?;
        let plain = path.to_str().filter(|name| {
            let is_known = matches!(*name, MANIFEST | STATE | KEY | SUMS)
                || DIRECTORIES
                    .iter()
                    .any(|directory| path.starts_with(directory) && path.components().count() > 1);
            is_known
                && path
                    .components()
                    .all(|part| matches!(part, Component::Normal(_)))
        });
        match plain {
            Some(name)
                if entry.header().entry_type() == EntryType::Regular && !self.is_complete =>
            {
                Ok(name.to_owned())
            }
            _ if self.last.is_empty() => {
                Err(BackupError::NotABackup("it has no manifest".to_owned()))
            }
            _ => Err(self.damaged(
                &format!("what follows {}", self.last),
                format!("`{}` does not belong there", path.display()),
            )),
        }
    }

    fn manifest<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        bytes: u64,
    ) -> Result<(), BackupError> {
        let mut text = Vec::new();
        let mut hashed = Hashed::new(entry);
        let read = (&mut hashed)
            .take(MANIFEST_BYTES_MAX)
            .read_to_end(&mut text);
        read.map_err(|error| BackupError::NotABackup(error.to_string()))?;
        if hashed.bytes != bytes {
            return Err(BackupError::NotABackup(
                "its manifest is cut off".to_owned(),
            ));
        }
        // The form first: a newer manifest need not be understood.
        #[derive(serde::Deserialize)]
        struct Form {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| BackupError::NotABackup(error.to_string());
        let Form { format } = serde_json::from_slice(&text).map_err(unreadable)?;
        if format > FORMAT {
            return Err(BackupError::Newer { found: format });
        }
        self.manifest = Some(serde_json::from_slice(&text).map_err(unreadable)?);
        MANIFEST.clone_into(&mut self.last);
        self.note(MANIFEST, hashed)
    }

    /// Takes note of a member's sum.
    fn note<R>(&mut self, name: &str, hashed: Hashed<R>) -> Result<(), BackupError> {
        self.members += 1;
        self.bytes += hashed.bytes;
        let line = format!("{}  {name}\n", hashed.sum());
        let written = self.sums.write_all(line.as_bytes());
        written.map_err(|error| BackupError::io("a temporary file for the sums", error))
    }

    /// Holds what was read against the sums in the backup.
    fn compare<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), BackupError> {
        SUMS.clone_into(&mut self.last);
        let rewound = self.sums.seek(SeekFrom::Start(0));
        rewound.map_err(|error| BackupError::io("a temporary file for the sums", error))?;
        let (mut noted, mut seen) = (BufReader::new(entry), BufReader::new(&mut self.sums));
        loop {
            let noted = line(&mut noted).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => BackupError::CutOff {
                    after: format!("a part of {SUMS}"),
                },
                _ => BackupError::Damaged {
                    member: SUMS.to_owned(),
                    detail: error.to_string(),
                },
            })?;
            let seen = line(&mut seen)
                .map_err(|error| BackupError::io("a temporary file for the sums", error))?;
            if !noted.ends_with(b"\n") && seen.starts_with(&noted) && !seen.is_empty() {
                return Err(BackupError::CutOff {
                    after: format!("a part of {SUMS}"),
                });
            }
            if noted != seen {
                return Err(differ(&noted, &seen));
            }
            if noted.is_empty() {
                break;
            }
        }
        self.is_complete = true;
        Ok(())
    }

    fn end(self) -> Result<Checked, BackupError> {
        let Some(manifest) = self.manifest.clone() else {
            return Err(BackupError::NotABackup("it has no manifest".to_owned()));
        };
        if !self.is_complete {
            return Err(self.cut_off());
        }
        if manifest.with_key != self.has_key {
            return Err(self.damaged(KEY, "the manifest says something else of it"));
        }
        Ok(Checked {
            manifest,
            members: self.members,
            bytes: self.bytes,
            ledger: None,
        })
    }
}

/// Which member a line of the sums that differs is of.
fn differ(noted: &[u8], seen: &[u8]) -> BackupError {
    let name = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        line.split_once("  ")
            .map(|(_, name)| name.trim_end().to_owned())
    };
    let (member, detail) = match (name(noted), name(seen)) {
        (Some(noted), Some(seen)) if noted == seen => (seen, "it is not what was written"),
        _ => (SUMS.to_owned(), "it names other files than there are"),
    };
    BackupError::Damaged {
        member,
        detail: detail.to_owned(),
    }
}

/// The next line with its end; empty at the end of all.
fn line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn copy(name: &str, from: &mut impl Read, mut into: Option<File>) -> Result<(), BackupError> {
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(BackupError::CutOff {
                    after: format!("a part of {name}"),
                });
            }
            Err(error) => {
                return Err(BackupError::Damaged {
                    member: name.to_owned(),
                    detail: error.to_string(),
                });
            }
        };
        if let Some(into) = &mut into {
            into.write_all(&buffer[..read])
                .map_err(|error| BackupError::io(format!("{name} out of the backup"), error))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use odin_api::BackupContents;
    use odin_store::Store;

    use super::*;
    use crate::backup::collect::{Collected, Subject, remove_left_overs};

    /// A data directory with one of everything, and its backup in memory.
    struct Bed {
        dir: tempfile::TempDir,
        root: PathBuf,
        bytes: Vec<u8>,
    }

    fn bed() -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        for name in ["bundles", "history", "output/deep"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        for (name, text) in [
            ("bundles/b1", "a packed bundle"),
            ("bundles/.upload-1", "half of one"),
            ("history/h1", "a sealed period"),
            ("output/o1", "printed"),
            ("output/deep/o2", ""),
            ("secrets.key", "v1 ..."),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        let store = Store::open(&root.join(STATE)).unwrap();
        let subject = Subject {
            root: root.clone(),
            node: "master-node".to_owned(),
            taken_at: "2026-11-22T05:00:00Z".parse().unwrap(),
            contents: BackupContents {
                with_output: true,
                with_key: true,
            },
        };
        let collected = Collected::of(subject, &store.reader()).unwrap();
        let mut bytes = Vec::new();
        collected.write(&mut bytes, &root.join(KEY)).unwrap();
        drop(collected);
        assert!(!root.join("backup").exists(), "nothing is left behind");
        remove_left_overs(&root).unwrap();
        Bed { dir, root, bytes }
    }

    fn names(bytes: &[u8]) -> Result<Vec<String>, BackupError> {
        let mut names = Vec::new();
        read(bytes, &mut |name| {
            names.push(name.to_owned());
            Ok(None)
        })?;
        Ok(names)
    }

    /// Where each member's frames begin: its head and its data.
    fn frames(bytes: &[u8]) -> Vec<usize> {
        let is_frame = |at: &usize| bytes[*at..].starts_with(&ZSTD_MAGIC);
        (0..bytes.len()).filter(is_frame).collect()
    }

    #[test]
    fn everything_is_in_it_but_what_is_unfinished() {
        let bed = bed();
        let mut names = names(&bed.bytes).unwrap();
        assert_eq!(names[0], STATE);
        names[1..].sort();
        let expected = [
            "bundles/b1",
            "history/h1",
            "output/deep/o2",
            "output/o1",
            KEY,
        ];
        assert_eq!(names[1..], expected);
        let file = bed.dir.path().join("backup.tar.zst");
        fs::write(&file, &bed.bytes).unwrap();
        let checked = check(&file, Depth::State).unwrap();
        assert_eq!((checked.members, checked.manifest.with_key), (7, true));
        assert!(checked.ledger.is_some_and(|ledger| ledger.sound));
        assert_eq!(
            fs::read_dir(bed.dir.path()).unwrap().count(),
            2,
            "no scratch is left"
        );
        assert!(bed.root.join(STATE).exists());
    }

    #[test]
    fn a_backup_that_is_cut_off_anywhere_is_not_whole() {
        let bytes = bed().bytes;
        // Around each member's beginning, and in between.
        let around = frames(&bytes)
            .into_iter()
            .flat_map(|at| [at.saturating_sub(1), at, at + 1, at + 9]);
        let between = (0..bytes.len()).step_by(499).chain([bytes.len() - 1]);
        for end in around.chain(between) {
            let error = names(&bytes[..end]).unwrap_err();
            let expected = match end {
                ..4 => "backup/not-a-backup",
                _ => error.code(),
            };
            assert_eq!(error.code(), expected, "{end}: {error}");
            let codes = ["backup/not-a-backup", "backup/cut-off"];
            assert!(
                codes.contains(&error.code()),
                "{end} of {}: {error}",
                bytes.len()
            );
        }
    }

    #[test]
    fn damage_is_told_with_the_member_that_has_it() {
        let bytes = bed().bytes;
        let frames = frames(&bytes);
        let mut order = vec![MANIFEST.to_owned()];
        order.extend(names(&bytes).unwrap());
        order.push(SUMS.to_owned());
        let mut found = Vec::new();
        for (place, start) in frames.iter().enumerate() {
            let end = frames.get(place + 1).copied().unwrap_or(bytes.len());
            // The last byte of a frame is of its checksum, and in its middle is data.
            for at in [end - 1, start + (end - start) / 2] {
                let mut spoiled = bytes.clone();
                spoiled[at] ^= 0x55;
                let error = names(&spoiled).unwrap_err();
                assert_ne!(error.code(), "backup/io", "byte {at}: {error}");
                found.push(error.to_string());
            }
        }
        for name in &order[1..] {
            let told = found.iter().any(|error| error.starts_with(name.as_str()));
            // An empty member has only a head.
            let is_empty = name == "output/deep/o2";
            assert!(told || is_empty, "{name}: {found:#?}");
        }
    }

    #[test]
    fn a_member_that_was_replaced_does_not_match_its_sum() {
        let bed = bed();
        let mut tar = Vec::new();
        io::copy(&mut Decoder::new(&bed.bytes[..]).unwrap(), &mut tar).unwrap();
        let check = |spoil: &dyn Fn(&mut Vec<u8>), expected: &str| {
            let mut tar = tar.clone();
            spoil(&mut tar);
            let packed = zstd::encode_all(&tar[..], 1).unwrap();
            let error = names(&packed).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        let replace = |tar: &mut Vec<u8>, from: &[u8], to: &[u8]| {
            let at = tar.windows(from.len()).position(|it| it == from).unwrap();
            tar[at..at + to.len()].copy_from_slice(to);
        };
        check(
            &|tar| replace(tar, b"a sealed period", b"a forged period"),
            "history/h1 in the backup is damaged: it is not what was written",
        );
        check(
            &|tar| replace(tar, b"a packed bundle", b"a packed bungle"),
            "bundles/b1 in the backup is damaged: it is not what was written",
        );
        check(
            &|tar| replace(tar, b"\"format\": 1", b"\"format\": 9"),
            "the backup has form 9, and this Odin reads up to 1: use the newer version",
        );
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let manifest = r#"{"format":1,"odin":"0","state_format":1,"node":"n","taken_at":"2026-01-01T00:00:00Z",
            "generation":0,"log_index":0,"jobs":0,"open_runs":0,"with_output":true,"with_key":false}"#;
        for (name, kind) in [
            ("output/../../etc/passwd", EntryType::Regular),
            ("/etc/passwd", EntryType::Regular),
            ("output", EntryType::Regular),
            ("log/entries", EntryType::Regular),
            ("output/link", EntryType::Symlink),
        ] {
            let mut tar = tar::Builder::new(Vec::new());
            for (name, kind, text) in [
                (MANIFEST, EntryType::Regular, manifest),
                (STATE, EntryType::Regular, "state"),
                (name, kind, ""),
            ] {
                let mut header = tar::Header::new_ustar();
                header.set_entry_type(kind);
                header.set_size(text.len() as u64);
                // Past the checks of the library, as an attacker's program would.
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.set_cksum();
                tar.append(&header, text.as_bytes()).unwrap();
            }
            let packed = zstd::encode_all(&tar.into_inner().unwrap()[..], 1).unwrap();
            let error = names(&packed).unwrap_err();
            assert_eq!(error.code(), "backup/damaged", "{name}: {error}");
        }
    }

    #[test]
    fn what_is_something_else_is_said_to_be() {
        for bytes in [
            &b""[..],
            b"PK\x03\x04",
            &zstd::encode_all(&b"text"[..], 1).unwrap(),
        ] {
            assert_eq!(names(bytes).unwrap_err().code(), "backup/not-a-backup");
        }
    }
}
