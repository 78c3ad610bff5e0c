//! Opens the state and applies committed commands to it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use odin_model::Reply;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::apply::{Batch, write_statistics};
use crate::history::{Archive, Historian};
use crate::reader::Reader;
use crate::snapshot::{self, Frozen};
use crate::view::View;
use crate::{Checkpointer, Effect, Observation, StoreError, local, schema, settings, state_hash};

/// How long a statement waits for another process on the file, such as a person's `sqlite3`, before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay compiled: more than apply has.
const STATEMENTS_KEPT: usize = 512;
/// How long the write-ahead log may grow, in pages of 4 KiB, before a commit shortens it itself: 64 MiB. A
/// [`Checkpointer`] on a thread of its own does it before, so that no commit waits for it.
const WAL_PAGES_MAX: u32 = 16 * 1024;

/// The last generation: run ids order as signed numbers.
pub const GENERATION_MAX: u8 = 127;

/// The state, for the one thread that applies the log.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    path: PathBuf,
    generation: u8,
    applied: u64,
    view: Arc<View>,
    archive: Arc<Archive>,
    reader: Reader,
}

/// One committed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its position in the log; ascending, with gaps where the log has entries of its own.
    pub index: u64,
    /// What [`odin_model::codec::encode`] made of an [`odin_model::Command`].
    pub command: &'a [u8],
}

/// What a batch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// One for each entry.
    pub replies: Vec<Reply>,
    /// What is to happen now, in order.
    pub effects: Vec<Effect>,
    /// What to count.
    pub observations: Vec<Observation>,
}

impl Store {
    /// Opens the state in the file `path`, or makes an empty one.
    ///
    /// That no second server uses the file is the caller's to see to.
    ///
    /// # Errors
    /// The file cannot be read or written, is damaged, of something else or of a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_file(path)?;
        let mut conn = open_to_write(path)?;
        // Looked at before anything is written: a newer or foreign file stays as it is.
        schema::check(&conn)?;
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // A commit reaches the disk with the next checkpoint. A power loss may take the latest ones back, whole and
        // in order, and the replicated log applies them again: the mark is in the same transaction.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
        conn.pragma_update(None, "journal_size_limit", i64::from(WAL_PAGES_MAX) * 4096)?;
        schema::prepare(&mut conn)?;

        let view = Arc::new(View::default());
        view.rebuild(&conn)?;
        let archive = Arc::new(Archive::beside(path));
        archive.load(&conn)?;
        Ok(Self {
            generation: settings::generation(&conn)?,
            applied: local::applied(&conn)?,
            reader: Reader::open(path, Arc::clone(&archive))?,
            archive,
            path: path.to_owned(),
            conn,
            view,
        })
    }

    /// The mark stored with the latest batch. `None`: nothing was ever applied.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn mark(&self) -> Result<Option<Vec<u8>>, StoreError> {
        local::mark(&self.conn)
    }

    /// Applies entries in order and stores `mark`, in one transaction: after a crash either all of it is there or
    /// nothing. `entries` may be empty. The [`View`] changes after the commit only.
    ///
    /// # Errors
    /// Nothing was applied: the state is as it was. The node stops, since it cannot skip a committed command.
    pub fn apply(&mut self, entries: &[Entry<'_>], mark: &[u8]) -> Result<Applied, StoreError> {
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::new(&transaction, self.generation);
        let mut applied = self.applied;
        let mut replies = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.index <= applied {
                return Err(StoreError::OutOfOrder {
                    index: entry.index,
                    applied,
                });
            }
            replies.push(batch.apply(entry.index, entry.command)?);
            applied = entry.index;
        }
        let Batch {
            effects,
            changes,
            counted,
            observations,
            ..
        } = batch;
        write_statistics(&transaction, &counted)?;
        local::set(&transaction, mark, applied)?;
        transaction.commit()?;

        self.applied = applied;
        self.view.take(&changes, applied);
        Ok(Applied {
            replies,
            effects,
            observations,
        })
    }

    /// Begins a generation: what is applied from now on makes run ids that sort after all of before. For a restore
    /// only, before anything else is applied. Durable when it returns.
    ///
    /// # Errors
    /// It is not later than the present one or above [`GENERATION_MAX`], or the state cannot be written.
    pub fn begin_generation(&mut self, generation: u8) -> Result<(), StoreError> {
        if generation <= self.generation || generation > GENERATION_MAX {
            return Err(StoreError::Generation {
                asked: generation,
                present: self.generation,
            });
        }
        self.conn.pragma_update(None, "synchronous", "FULL")?;
        let set = settings::set_generation(&self.conn, generation);
        self.conn.pragma_update(None, "synchronous", "NORMAL")?;
        set?;
        self.generation = generation;
        Ok(())
    }

    /// The due index and counts, shared with the leader's loop.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// Queries of the committed state, from any thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// What keeps the write-ahead log short, for a thread of its own.
    ///
    /// # Errors
    /// The state cannot be opened.
    pub fn checkpointer(&self) -> Result<Checkpointer, StoreError> {
        Checkpointer::open(&self.path)
    }

    /// What moves sealed periods into files of history, for a thread of its own.
    ///
    /// # Errors
    /// The state or the directory of history cannot be opened.
    pub fn historian(&self) -> Result<Historian, StoreError> {
        Historian::open(&self.path, Arc::clone(&self.archive))
    }

    /// The SHA-256 of all replicated rows. Reads everything: for tests and the simulator.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn state_hash(&self) -> Result<[u8; 32], StoreError> {
        state_hash::of(&self.conn)
    }

    /// Fixes the present state, mark included, for a snapshot that is written while more is applied.
    ///
    /// # Errors
    /// The state cannot be opened a second time.
    pub fn freeze(&self) -> Result<Frozen, StoreError> {
        Frozen::of(&self.path)
    }

    /// Writes a snapshot of the present state into the file `into`, which must not exist.
    ///
    /// # Errors
    /// The state cannot be read, or the file not be written.
    pub fn snapshot(&self, into: &Path) -> Result<(), StoreError> {
        self.freeze()?.write(into)
    }

    /// Replaces the state, mark and generation included, by that of a snapshot, durably. Readers and the [`View`]
    /// go on with the new one. The snapshot's file stays as it is.
    ///
    /// # Errors
    /// The file is not a whole snapshot, or the state cannot be written: the old state is still there.
    pub fn install(&mut self, from: &Path) -> Result<(), StoreError> {
        snapshot::install(from, &mut self.conn)?;
        self.generation = settings::generation(&self.conn)?;
        self.applied = local::applied(&self.conn)?;
        self.archive.load(&self.conn)?;
        self.view.rebuild(&self.conn)
    }
}

/// Makes the file where there is none, readable by its owner alone; SQLite gives the files beside it the same mode.
fn make_file(path: &Path) -> Result<(), StoreError> {
    match make_private(path) {
        Ok(()) => Ok(sync_directory_of(path)?),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes an empty file that only its owner may read.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map(drop)
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// A connection to a file that exists. Its path is never read as a URI.
pub(crate) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// A connection that cannot write, to a state that is open elsewhere.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open_with(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Plans that do not depend on what is bound: those that the tests look at, and a statement with `LIMIT ?` is not
    // compiled again for each new limit.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

#[cfg(test)]
impl Store {
    /// What apply would write with.
    pub(crate) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.conn.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// Lets the file grow by so many pages only, as a full disk would.
    fn leave_room(&self, pages: i64) {
        let now: i64 = self
            .conn
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        self.conn
            .pragma_update_and_check(None, "max_page_count", now + pages, |_| Ok(()))
            .unwrap();
    }
}

#[cfg(test)]
mod tests {
    use odin_model::command::{Command, FireAnswer};
    use odin_model::{JobState, Revision, codec};
    use rusqlite::{Connection, StatementStatus};

    use super::*;
    use crate::scenario::{NODE, Scenario, ann, deploy, finished, minute, name, started};
    use odin_model::attempt::Ending;

    /// A short life: jobs, runs in every state, edits.
    fn commands() -> Vec<Command> {
        let mut scenario = Scenario::new();
        let mut commands = vec![Command::NodeUp {
            node: NODE,
            facts: crate::scenario::facts("worker1"),
            at: minute(0),
        }];
        commands.extend(["a", "b"].map(|job| Command::Deploy(Box::new(deploy(job)))));
        for command in &commands {
            scenario.apply(command);
        }
        for at in 1..4 {
            let items = ["a", "b"].map(|job| scenario.item(deploy(job).fresh_id, &[at]));
            let fire = Command::Fire(odin_model::command::Fire {
                items: items.to_vec(),
                proposed_at: minute(at),
            });
            scenario.apply(&fire);
            commands.push(fire);
            let runs = scenario.store.reader().open_runs_of_node(NODE).unwrap();
            let report = Command::Report {
                node: NODE,
                events: vec![
                    started(runs[0].id),
                    finished(runs[1].id, Ending::Exited { code: 1 }),
                ],
            };
            scenario.apply(&report);
            commands.push(report);
        }
        commands.push(Command::Remove {
            by: ann(),
            job: deploy("b").fresh_id,
            expected: None,
            at: minute(0),
        });
        commands
    }

    /// The hash and effects after the commands in batches of that size.
    fn applied_in_batches(size: usize) -> ([u8; 32], Vec<Effect>) {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(&directory.path().join("state.db")).unwrap();
        let encoded: Vec<_> = commands().iter().map(codec::encode).collect();
        let entries: Vec<_> = (1..)
            .zip(&encoded)
            .map(|(index, command)| Entry { index, command })
            .collect();
        let mut effects = Vec::new();
        for batch in entries.chunks(size) {
            effects.extend(store.apply(batch, b"mark").unwrap().effects);
        }
        (store.state_hash().unwrap(), effects)
    }

    #[test]
    fn another_bound_limit_does_not_compile_a_statement_again() {
        let scenario = Scenario::new();
        let mut statement = scenario
            .store
            .conn
            .prepare("SELECT id FROM runs WHERE state = ?1 LIMIT ?2")
            .unwrap();
        for limit in 1..4 {
            let rows = statement.query_map([limit, limit], |row| row.get::<_, i64>(0));
            assert_eq!(rows.unwrap().count(), 0);
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }

    #[test]
    fn the_same_commands_give_the_same_state_in_batches_of_any_size() {
        let one_by_one = applied_in_batches(1);
        for size in [1, 3, 1000] {
            assert_eq!(applied_in_batches(size), one_by_one, "batches of {size}");
        }
    }

    #[test]
    fn a_store_that_is_opened_again_goes_on_where_it_was() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        scenario.run_of(id, 1);
        let hash = scenario.store.state_hash().unwrap();
        let counts = scenario.store.view().counts();
        let mut scenario = scenario.reopened();
        assert_eq!(scenario.store.state_hash().unwrap(), hash);
        assert_eq!(scenario.store.view().counts(), counts);
        assert_eq!(scenario.store.view().applied(), scenario.index);
        assert_eq!(scenario.due_minutes(), [2]);
        let mark = scenario.store.mark().unwrap();
        assert_eq!(mark, Some(scenario.index.to_le_bytes().to_vec()));
        assert_eq!(scenario.fire(id, &[2], 2), FireAnswer::Decided);
    }

    #[test]
    fn an_empty_batch_moves_the_mark() {
        let mut scenario = Scenario::with_node();
        scenario.store.apply(&[], b"later").unwrap();
        assert_eq!(scenario.store.mark().unwrap(), Some(b"later".to_vec()));
    }

    /// Applies the batch, which is to fail, and looks whether everything is as before.
    #[track_caller]
    fn check_failed_batch(scenario: &mut Scenario, entries: &[Entry<'_>]) -> StoreError {
        let before = (
            scenario.store.state_hash().unwrap(),
            scenario.store.mark().unwrap(),
            scenario.store.view().counts(),
            scenario.due_minutes(),
            scenario.store.view().applied(),
        );
        let error = scenario.store.apply(entries, b"new mark").unwrap_err();
        let after = (
            scenario.store.state_hash().unwrap(),
            scenario.store.mark().unwrap(),
            scenario.store.view().counts(),
            scenario.due_minutes(),
            scenario.store.view().applied(),
        );
        assert_eq!(after, before);
        error
    }

    #[test]
    fn an_entry_that_cannot_be_read_takes_its_batch_back() {
        let mut scenario = Scenario::with_node();
        let good = codec::encode(&Command::Deploy(Box::new(deploy("nightly"))));
        for (bad, code) in [
            (&[2u8, 0][..], "store/unreadable-entry"),
            (&[1, 255], "store/unreadable-entry"),
            (&[], "store/unreadable-entry"),
        ] {
            let entries = [
                Entry {
                    index: 2,
                    command: &good,
                },
                Entry {
                    index: 3,
                    command: bad,
                },
            ];
            assert_eq!(check_failed_batch(&mut scenario, &entries).code(), code);
        }
    }

    #[test]
    fn an_entry_is_not_applied_twice() {
        let mut scenario = Scenario::with_node();
        let command = codec::encode(&Command::Deploy(Box::new(deploy("nightly"))));
        let entry = Entry {
            index: 1,
            command: &command,
        };
        let error = check_failed_batch(&mut scenario, &[entry]);
        assert_eq!(error.code(), "store/out-of-order");
    }

    #[test]
    fn a_full_disk_leaves_the_state_before_and_recovers() {
        let mut scenario = Scenario::with_node();
        scenario.store.leave_room(1);
        let mut big = deploy("nightly");
        big.spec.description = "x".repeat(100_000);
        let command = codec::encode(&Command::Deploy(Box::new(big)));
        let entry = Entry {
            index: 2,
            command: &command,
        };
        let error = check_failed_batch(&mut scenario, &[entry]);
        assert_eq!(error.code(), "store/disk-full");
        scenario.store.leave_room(1000);
        scenario.store.apply(&[entry], b"mark").unwrap();
        assert_eq!(scenario.due_minutes(), [1]);
    }

    #[test]
    fn a_transaction_that_never_commits_leaves_mark_and_state_in_step() {
        let mut scenario = Scenario::with_node();
        scenario.deploy(deploy("nightly"));
        let hash = scenario.store.state_hash().unwrap();
        // What a process that is killed in the middle of a batch leaves behind.
        scenario.store.conn.execute_batch("BEGIN").unwrap();
        let mut batch = Batch::new(&scenario.store.conn, 0);
        let command = codec::encode(&Command::Deploy(Box::new(deploy("weekly"))));
        batch.apply(3, &command).unwrap();
        drop(batch);
        local::set(&scenario.store.conn, b"never", 3).unwrap();
        let mut scenario = scenario.reopened();
        assert_eq!(scenario.store.state_hash().unwrap(), hash);
        assert_eq!(
            scenario.store.mark().unwrap(),
            Some(2u64.to_le_bytes().to_vec())
        );
        let id = scenario.deploy(deploy("weekly"));
        assert_eq!(scenario.job(id).revision, Revision(3));
    }

    #[track_caller]
    fn check_refused_file(prepare: impl Fn(&Path), code: &str) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        prepare(&path);
        let before = std::fs::read(&path).unwrap();
        assert_eq!(Store::open(&path).unwrap_err().code(), code);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_newer_foreign_or_damaged_file_is_refused_and_stays_as_it_is() {
        check_refused_file(
            |path| {
                drop(Store::open(path).unwrap());
                let conn = Connection::open(path).unwrap();
                conn.pragma_update(None, "user_version", 9).unwrap();
            },
            "store/newer-version",
        );
        check_refused_file(
            |path| {
                let conn = Connection::open(path).unwrap();
                conn.execute_batch("CREATE TABLE recipes (title)").unwrap();
            },
            "store/not-a-state",
        );
        check_refused_file(
            |path| {
                std::fs::write(path, "not a database, but long enough for one".repeat(99)).unwrap();
            },
            "store/corrupt",
        );
    }

    #[test]
    fn the_store_moves_to_the_thread_that_applies_and_readers_are_for_all() {
        fn moves<T: Send>() {}
        fn is_shared<T: Send + Sync>() {}
        moves::<(Store, Checkpointer, Frozen)>();
        is_shared::<(Reader, View)>();
    }

    #[test]
    fn nobody_else_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let mut scenario = Scenario::with_node();
        scenario.deploy(deploy("nightly"));
        let snapshot = scenario.directory.path().join("snapshot.db");
        scenario.store.snapshot(&snapshot).unwrap();
        let mut files = Vec::new();
        for file in std::fs::read_dir(scenario.directory.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            files.push(file.file_name().into_string().unwrap());
        }
        files.sort();
        assert_eq!(
            files,
            ["snapshot.db", "state.db", "state.db-shm", "state.db-wal"]
        );
    }

    #[test]
    fn a_checkpoint_moves_what_is_committed() {
        let mut scenario = Scenario::with_node();
        let mut checkpointer = scenario.store.checkpointer().unwrap();
        scenario.deploy(deploy("nightly"));
        let done = checkpointer.run().unwrap();
        assert!(done.log_pages > 0);
        assert_eq!(done.moved_pages, done.log_pages);
    }

    #[test]
    fn paused_jobs_are_not_due_after_a_restart() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        scenario.set_state(id, JobState::Paused, 0);
        let scenario = scenario.reopened();
        assert_eq!(scenario.store.view().next_due_instant(), None);
        let found = scenario
            .store
            .reader()
            .job_by_name(&ann().user, &name("nightly"));
        assert_eq!(found.unwrap().map(|job| job.id), Some(id));
    }
}
