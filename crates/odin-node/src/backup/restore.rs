//! Makes a data directory from a backup: a new generation of the same jobs, runs and history.
//!
//! Everything is unpacked, verified and made ready beside the data that is there; then one rename puts it in force
//! (see `commit`).

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use odin_cluster::{Beginning, Options, begin_from};
use odin_model::node::NodeState;
use odin_model::secret::SealingKeyId;
use odin_model::{Command, NodeId, RunId, RunState, codec};
use odin_store::{Entry, Store, generation_of};
use rustix::fs::syncfs;

use super::collect::shown;
use super::commit;
use super::error::{BackupError, RestoreError};
use super::executors;
use super::forecast::Forecast;
use super::manifest::{HISTORY, KEY, STATE};
use super::read::{Checked, read, scratch_beside};
use crate::data_dir::DataDir;
use crate::schedules::Schedules;
use crate::sealing::Keyring;
use crate::server::FOUNDER;

/// How many runs one command gives up.
const LOST_MAX: usize = 1_000;
/// The token of the server's own user: clients that have read it go on with it.
const LOCAL_TOKEN: &str = "local.token";

/// What to do with data that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// Refuse.
    Never,
    /// Move it into a directory `replaced-...` inside the data directory.
    MovedAside,
}

/// How to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub backup: PathBuf,
    /// Where to.
    pub data_dir: PathBuf,
    /// What to do with data that is there.
    pub existing: Replaced,
    /// Only look, and change nothing.
    pub dry_run: bool,
    /// The time.
    pub now: Timestamp,
}

/// What a restore did, or would do.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The backup.
    pub backup: Checked,
    /// The generation that begins: ids of runs from now on sort after all of before.
    pub generation: u8,
    /// Where the old data is now.
    pub aside: Option<PathBuf>,
    /// Runs that had begun, or may have, when the backup was made: they are over as `lost`.
    pub lost: Vec<RunId>,
    /// What the server will catch up when it starts.
    pub forecast: Forecast,
    /// Keys that seal secrets and are not there: those secrets cannot be used.
    pub keys_missing: Vec<SealingKeyId>,
    /// Whether the keys came from the data that was there.
    pub keys_kept: bool,
}

/// Restores a backup. Called inside a runtime, with no server on the data directory.
///
/// # Errors
/// Unless it says otherwise, the data directory is as it was.
pub async fn restore(options: &RestoreOptions) -> Result<Restored, RestoreError> {
    if options.dry_run {
        return look(options);
    }
    let data_dir = DataDir::open(&options.data_dir)?;
    let root = data_dir.root().to_owned();
    let failed = |error| BackupError::io(shown(&root), error);
    let is_empty = is_empty(&root).map_err(failed)?;
    if !is_empty && options.existing == Replaced::Never {
        return Err(RestoreError::NotEmpty { path: root });
    }
    if executors::have_processes(&root) {
        return Err(RestoreError::ExecutorRuns { path: root });
    }
    let new = commit::begin(&root).map_err(failed)?;
    let restored = prepare(options, &root, &new).await;
    let mut restored = match restored {
        Ok(restored) => restored,
        Err(error) => {
            // What cannot be removed now is removed by the next start or restore.
            let _ = commit::abandon(&root);
            return Err(error);
        }
    };
    if !executors::end_idle(&root).map_err(failed)? {
        let _ = commit::abandon(&root);
        return Err(RestoreError::ExecutorRuns { path: root });
    }
    let aside = aside_name(&root, options.now);
    commit::commit(&root, &aside).map_err(failed)?;
    // In force from here on: what is left is finished now, or by whoever opens the directory next.
    commit::finish(&root).map_err(failed)?;
    restored.aside = Some(root.join(aside)).filter(|aside| aside.exists() && !is_empty);
    Ok(restored)
}

/// Unpacks into `new`, verifies and makes ready.
async fn prepare(
    options: &RestoreOptions,
    root: &Path,
    new: &Path,
) -> Result<Restored, RestoreError> {
    let backup = unpack(&options.backup, new, &|_| true)?;
    let failed = |error| BackupError::io(shown(new), error);
    let mut keys_kept = false;
    for name in [KEY, LOCAL_TOKEN] {
        if !new.join(name).exists() && root.join(name).exists() {
            copy_private(&root.join(name), &new.join(name)).map_err(failed)?;
            keys_kept |= name == KEY;
        }
    }
    let ready = make_ready(new, &root.join(STATE), options.now)?;
    ready.store.snapshot(&new.join("snapshot"))?;
    drop(ready.store);
    let log = Options::on_disk(
        FOUNDER,
        new.join("log").join("entries"),
        new.join("log").join("snapshots"),
    );
    begin_from(&log, &ready.beginning, &new.join("snapshot"))
        .await
        .map_err(|error| RestoreError::Log(error.to_string()))?;
    // A million files in one go.
    File::open(new)
        .and_then(|directory| Ok(syncfs(directory)?))
        .map_err(failed)?;
    Ok(ready.findings.of(backup, keys_kept))
}

/// What a restore would do.
fn look(options: &RestoreOptions) -> Result<Restored, RestoreError> {
    let scratch = scratch_beside(&options.backup)?;
    let backup = unpack(&options.backup, scratch.path(), &|name| {
        matches!(name, STATE | KEY)
    })?;
    let root = &options.data_dir;
    let mut keys_kept = false;
    if !scratch.path().join(KEY).exists() && root.join(KEY).exists() {
        copy_private(&root.join(KEY), &scratch.path().join(KEY))
            .map_err(|error| BackupError::io(shown(&root.join(KEY)), error))?;
        keys_kept = true;
    }
    let ready = make_ready(scratch.path(), &root.join(STATE), options.now)?;
    Ok(ready.findings.of(backup, keys_kept))
}

fn unpack(
    backup: &Path,
    into: &Path,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<Checked, BackupError> {
    let file = File::open(backup).map_err(|error| BackupError::io(shown(backup), error))?;
    read(file, &mut |name| {
        if !is_wanted(name) {
            return Ok(None);
        }
        let path = into.join(name);
        let make = || {
            if let Some(parent) = path.parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(parent)?;
            }
            private().open(&path)
        };
        make()
            .map(Some)
            .map_err(|error| BackupError::io(shown(&path), error))
    })
}

struct Ready {
    store: Store,
    beginning: Beginning,
    findings: Findings,
}

struct Findings {
    generation: u8,
    lost: Vec<RunId>,
    forecast: Forecast,
    keys_missing: Vec<SealingKeyId>,
}

impl Findings {
    fn of(self, backup: Checked, keys_kept: bool) -> Restored {
        Restored {
            backup,
            generation: self.generation,
            aside: None,
            lost: self.lost,
            forecast: self.forecast,
            keys_missing: self.keys_missing,
            keys_kept,
        }
    }
}

/// Begins a generation in the state of `dir`, ends what had begun, and tells what is to be caught up. `present` is the
/// state that is replaced, if there is one.
fn make_ready(dir: &Path, present: &Path, now: Timestamp) -> Result<Ready, RestoreError> {
    let path = dir.join(STATE);
    // What is damaged there is no reason not to replace it; then the backup's generation is all that is known.
    let replaced = match present.exists() {
        true => generation_of(present).unwrap_or(0),
        false => 0,
    };
    odin_store::inspect(&path).map_err(BackupError::State)?;
    let mut store = Store::open(&path)?;
    let reader = store.reader();
    remove_strays(&dir.join(HISTORY), &reader)
        .map_err(|error| BackupError::io(shown(&dir.join(HISTORY)), error))?;
    let generation = reader.generation()?.max(replaced).saturating_add(1);
    store.begin_generation(generation)?;
    let Some(mark) = store.mark()? else {
        return Err(RestoreError::Log(
            "nothing was ever applied to the state".to_owned(),
        ));
    };
    let mut beginning =
        Beginning::after(&mark, FOUNDER).map_err(|error| RestoreError::Log(error.to_string()))?;
    let lost = end_what_had_begun(&mut store, &mut beginning, now)?;
    store.apply(&[], &beginning.mark())?;
    let view = store.view();
    let schedules = Schedules::new(Arc::clone(&view), reader.clone());
    let forecast = Forecast::of(&view, &reader, &schedules, now)?;
    let needed = reader.sealing_keys()?;
    let keys_missing = Keyring::missing(&dir.join(KEY), &needed);
    Ok(Ready {
        store,
        beginning,
        findings: Findings {
            generation,
            lost,
            forecast,
            keys_missing,
        },
    })
}

/// Removes files of history that the state does not know: they were sealed while the backup was collected. The log goes
/// on differently from here, and a period of the same number would take such a file for its own.
fn remove_strays(history: &Path, reader: &odin_store::Reader) -> io::Result<()> {
    let files = match fs::read_dir(history) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    let known = reader.history(false);
    for file in files {
        let path = file?.path();
        let is_known = known.files.iter().any(|known| known.path == path)
            || known.faults.iter().any(|(known, _)| *known == path);
        if !is_known {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The nodes of then are gone, and nobody knows what became of what they had: it is lost, and its jobs' policies say
/// what follows. The same commands as a leader's that waits in vain.
fn end_what_had_begun(
    store: &mut Store,
    beginning: &mut Beginning,
    now: Timestamp,
) -> Result<Vec<RunId>, RestoreError> {
    let reader = store.reader();
    let mut apply = |command: &Command| {
        let entry = codec::encode(command);
        let index = beginning.take_position();
        let entry = Entry {
            index,
            command: &entry,
        };
        store.apply(&[entry], &beginning.mark()).map(drop)
    };
    let mut lost = Vec::new();
    for node in reader.nodes()? {
        if node.state == NodeState::Up {
            apply(&Command::NodeDown {
                node: node.id,
                epoch: node.epoch,
                at: now,
            })?;
        }
        for runs in unreachable(&reader, node.id)?.chunks(LOST_MAX) {
            apply(&Command::Lose {
                node: node.id,
                epoch: node.epoch,
                runs: runs.to_vec(),
                at: now,
            })?;
            lost.extend(runs.iter().map(|(run, _)| *run));
        }
    }
    Ok(lost)
}

fn unreachable(
    reader: &odin_store::Reader,
    node: NodeId,
) -> Result<Vec<(RunId, odin_model::AttemptNumber)>, RestoreError> {
    let open = reader.open_runs_of_node(node)?;
    let runs = open.iter().filter_map(|run| match run.state {
        RunState::Unreachable { attempt, .. } => Some((run.id, attempt)),
        _ => None,
    });
    Ok(runs.collect())
}

/// Whether the data directory holds no data: only what every start makes.
fn is_empty(root: &Path) -> io::Result<bool> {
    for name in commit::names(root)? {
        let path = root.join(&name);
        let is_bare = path.is_dir() && fs::read_dir(&path)?.next().is_none();
        if commit::is_data(&name) && !is_bare {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A name for the old data that nothing has.
fn aside_name(root: &Path, now: Timestamp) -> String {
    let at = now.strftime("%Y-%m-%dT%H-%M-%SZ");
    let first = format!("{}{at}", commit::REPLACED);
    let mut names =
        std::iter::once(first.clone()).chain((2..).map(|n: u32| format!("{first}-{n}")));
    names
        .find(|name| !root.join(name).exists())
        .expect("numbers do not end")
}

fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options
}

fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let mut to = private().open(to)?;
    io::copy(&mut File::open(from)?, &mut to).map(drop)
}
