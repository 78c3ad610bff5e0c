//! The whole state as one file: written beside apply, installed on a node that is far behind.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::schema::{self, Found};
use crate::store::{make_private, open_to_read, open_to_write, sync_directory_of};
use crate::{StoreError, local, settings};

/// All pages in one step.
const ALL_PAGES: i32 = -1;

/// The state as it was when it was frozen. While it lives, the write-ahead log is not emptied beyond it.
#[derive(Debug)]
pub struct Frozen {
    conn: Connection,
}

impl Frozen {
    pub(crate) fn of(path: &Path) -> Result<Self, StoreError> {
        let conn = open_to_read(path)?;
        conn.execute_batch("BEGIN")?;
        // A transaction fixes what it sees with its first read.
        local::mark(&conn)?;
        Ok(Self { conn })
    }

    /// The mark of the frozen state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn mark(&self) -> Result<Option<Vec<u8>>, StoreError> {
        local::mark(&self.conn)
    }

    /// What is in it, in numbers.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn contents(&self) -> Result<Contents, StoreError> {
        Contents::of(&self.conn)
    }

    /// Writes it into the file `into`, which must not exist, and syncs the file and its directory.
    ///
    /// # Errors
    /// The file exists or cannot be written. What was begun is left for the caller to remove.
    pub fn write(self, into: &Path) -> Result<(), StoreError> {
        // SQLite would open an existing file and add to it.
        make_private(into)?;
        let mut target = open_to_write(into)?;
        // In one step: between steps, a page copied already may be changed by apply, and the copy begins again.
        copy(&self.conn, &mut target)?;
        // The copied header says WAL; a snapshot is one file.
        target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        target.close().map_err(|(_, error)| error)?;

        File::open(into)?.sync_all()?;
        Ok(sync_directory_of(into)?)
    }
}

/// What a state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// The format of the file.
    pub format: i64,
    /// How often it was restored from a backup.
    pub generation: u8,
    /// The log index of the latest command applied.
    pub applied: u64,
    /// Jobs that are not removed.
    pub jobs: u64,
    /// Runs that are not over.
    pub open_runs: u64,
    /// Bytes of its pages.
    pub bytes: u64,
}

impl Contents {
    fn of(conn: &Connection) -> Result<Self, StoreError> {
        let number = |sql: &str| {
            let number: i64 = conn.query_row(sql, [], |row| row.get(0))?;
            Ok::<_, StoreError>(number.max(0).cast_unsigned())
        };
        Ok(Self {
            format: schema::VERSION,
            generation: settings::generation(conn)?,
            applied: local::applied(conn)?,
            jobs: number("SELECT count(*) FROM jobs WHERE state <> 2 AND visibility = 0")?,
            open_runs: number("SELECT count(*) FROM runs WHERE outcome IS NULL")?,
            bytes: number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?),
        })
    }
}

/// Looks at a state in a file that no server has open, every page of it, without changing it.
///
/// # Errors
/// It is damaged, of something else, of another version, or cannot be read.
pub fn inspect(path: &Path) -> Result<Contents, StoreError> {
    let conn = open_to_read(path)?;
    check_pages(&conn)?;
    Contents::of(&conn)
}

/// The generation of a state in a file, which is otherwise not looked at.
///
/// # Errors
/// It cannot be read.
pub fn generation_of(path: &Path) -> Result<u8, StoreError> {
    settings::generation(&open_to_read(path)?)
}

fn check_pages(conn: &Connection) -> Result<(), StoreError> {
    if schema::check(conn)? == Found::Empty {
        return Err(StoreError::NotAState);
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Corrupt { detail: verdict }),
    }
}

/// Replaces the content of the open state by that of the snapshot `from`. One transaction of the write-ahead log,
/// so a crash leaves the one or the other, and open readers see the new one with their next query.
pub(crate) fn install(from: &Path, conn: &mut Connection) -> Result<(), StoreError> {
    let source = open_to_read(from)?;
    check_pages(&source)?;
    conn.flush_prepared_statement_cache();
    // This commit is to be on the disk: the log below the snapshot may be gone.
    conn.pragma_update(None, "synchronous", "FULL")?;
    let copied = copy(&source, conn);
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    copied?;
    // The write-ahead log is now as long as the state. A reader may keep it so; then a later checkpoint shortens it.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn copy(from: &Connection, to: &mut Connection) -> Result<(), StoreError> {
    match Backup::new(from, to)?.step(ALL_PAGES)? {
        StepResult::Done => Ok(()),
        _ => Err(StoreError::InUse),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use crate::scenario::{Scenario, deploy, minute};
    use crate::{Counts, Store};

    /// A store with a job and a run, its snapshot, and its hash.
    fn scenario() -> (Scenario, PathBuf, [u8; 32]) {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        scenario.run_of(id, 1);
        let path = scenario.directory.path().join("snapshot.db");
        scenario.store.snapshot(&path).unwrap();
        let hash = scenario.store.state_hash().unwrap();
        (scenario, path, hash)
    }

    #[test]
    fn a_snapshot_is_one_file_that_brings_another_node_up_to_date() {
        let (first, snapshot, hash) = scenario();
        let beside = first.directory.path().join("snapshot.db-wal");
        assert!(!beside.exists());

        let mut second = Scenario::new();
        second.deploy(deploy("somebody's"));
        let (view, reader) = (second.store.view(), second.store.reader());
        second.store.install(&snapshot).unwrap();
        assert_eq!(second.store.state_hash().unwrap(), hash);
        assert_eq!(second.store.mark().unwrap(), first.store.mark().unwrap());
        // Who holds a view or a reader from before sees the new state.
        assert_eq!(
            view.due(minute(9), 9),
            [(minute(2), deploy("nightly").fresh_id)]
        );
        assert_eq!(
            view.counts(),
            Counts {
                jobs: 1,
                open_runs: 1
            }
        );
        assert_eq!(view.applied(), first.index);
        assert_eq!(reader.jobs(None, None, 9).unwrap().jobs.len(), 1);

        // It goes on from there, now and after a restart.
        second.index = first.index;
        let mut second = second.reopened();
        assert_eq!(second.store.state_hash().unwrap(), hash);
        second.run_of(deploy("nightly").fresh_id, 2);
    }

    #[test]
    fn a_frozen_state_is_as_it_was_whatever_is_applied_meanwhile() {
        let (mut scenario, _, hash) = scenario();
        let mark = scenario.store.mark().unwrap();
        let frozen = scenario.store.freeze().unwrap();
        for at in 2..50 {
            scenario.run_of(deploy("nightly").fresh_id, at);
        }
        assert_eq!(frozen.mark().unwrap(), mark);
        let path = scenario.directory.path().join("frozen.db");
        frozen.write(&path).unwrap();
        let mut second = Scenario::new();
        second.store.install(&path).unwrap();
        assert_eq!(second.store.state_hash().unwrap(), hash);
        assert_eq!(second.store.mark().unwrap(), mark);
    }

    #[test]
    fn a_file_that_exists_is_not_written_over() {
        let (scenario, path, _) = scenario();
        let before = fs::read(&path).unwrap();
        let error = scenario.store.snapshot(&path).unwrap_err();
        assert_eq!(error.code(), "store/io");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    /// Installs what `spoil` makes of a snapshot, which is to fail and to leave the state.
    #[track_caller]
    fn check(spoil: impl Fn(&mut Vec<u8>), code: &str) {
        let (mut scenario, path, hash) = scenario();
        let mut bytes = fs::read(&path).unwrap();
        spoil(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let error = scenario.store.install(&path).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(scenario.store.state_hash().unwrap(), hash);
        assert_eq!(scenario.due_minutes(), [2]);
    }

    #[test]
    fn a_snapshot_that_is_not_whole_leaves_the_old_state() {
        check(Vec::clear, "store/not-a-state");
        check(|bytes| bytes.truncate(bytes.len() / 2), "store/corrupt");
        check(|bytes| bytes[0] = b'X', "store/corrupt");
        // The page after the header's.
        check(|bytes| bytes[4096..8192].fill(0xee), "store/corrupt");
    }

    #[test]
    fn an_empty_store_can_be_frozen() {
        let scenario = Scenario::new();
        let path = scenario.directory.path().join("snapshot.db");
        scenario.store.snapshot(&path).unwrap();
        drop(Store::open(&path).unwrap());
    }
}
