//! Keeps history: seals what is over, lets go of what no job keeps, and deletes the files of it.
//!
//! Two loops. The leader's proposes: only what is in the log decides what is sealed and what is kept, and the clock
//! that it goes by is the leader's. Each node's does the work on its own disk, a small step at a time, so that apply
//! never waits for more than a few milliseconds.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use odin_cluster::Leadership;
use odin_executor::fault::{self, Point};
use odin_executor::protocol::AttemptKey;
use odin_model::clock::Clock;
use odin_model::retention::{
    FORGET_VALUES_MAX, Forget, ForgetOf, ForgetValues, LEDGER_DAYS, LedgerTrim, Seal,
    TRIM_LEDGER_MAX, TrimLedger,
};
use odin_model::{Command, JobId};
use odin_store::{Historian, HistoryStage, HistoryStep, JobKept, Reader, SealDue, StoreError};
use tokio::sync::watch;

use crate::proposer::Proposer;

/// How often the leader looks whether something is to be sealed or let go of, at least.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How many jobs one look asks what they keep.
const JOBS_AT_ONCE: usize = 200;
/// How many finished runs a period has at most.
const PERIOD_RUNS: u64 = 200_000;
/// How large the state may grow before a period is sealed.
const STATE_BYTES: u64 = 512 << 20;
/// How long a period is at most, when nobody says so.
const PERIOD: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a run that is over stays in the state at least, or half of a shorter period: what comes late still counts
/// there.
const SETTLED: Duration = Duration::from_mins(10);
/// How long the node's loop waits between steps that take rows out: apply goes first.
const BETWEEN_SWEEPS: Duration = Duration::from_millis(20);
/// How long it waits after an error, such as a full disk, at most.
const AFTER_ERROR: Duration = Duration::from_secs(30);
/// How soon a part of history that a query could not read is in the log.
const FAULTS_EVERY: Duration = Duration::from_secs(10);
/// How many blocks of values one command takes out of the state: some milliseconds of apply.
const VALUE_BLOCKS: u32 = 500;
/// How many such commands one look makes.
const VALUE_STEPS: usize = 50;
/// How many rows of the ledger one command lets go of: some milliseconds of apply.
const LEDGER_ROWS: u32 = 1_000;
/// How many such commands one look makes.
const LEDGER_STEPS: usize = 20;
/// How many output files one step looks at.
const OUTPUTS_AT_ONCE: usize = 100;
/// How often the directory of output is gone through from its beginning, at least.
const OUTPUTS_EVERY: Duration = Duration::from_secs(60);

/// What the leader goes by.
pub(crate) struct Keeping {
    pub(crate) proposer: Proposer,
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    /// How many bytes all files of history may take. `None`: as many as the jobs keep.
    pub(crate) history_bytes: Option<u64>,
    pub(crate) pace: Pace,
    /// How long the ledger keeps what was decided. `None`: [`LEDGER_DAYS`].
    pub(crate) ledger: Option<Duration>,
}

/// How long a period of history is at most, and what goes by it: who asks for periods of seconds sees soon what
/// comes of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace(Duration);

impl Pace {
    /// By periods of that length; `None`: of a day.
    pub(crate) fn of(period: Option<Duration>) -> Self {
        Self(period.unwrap_or(PERIOD))
    }

    /// A length of time that is at most a period, and at least a second.
    pub(crate) fn at_most(self, length: Duration) -> Duration {
        length.min(self.0.max(Duration::from_secs(1)))
    }

    /// The instant so long before another.
    fn before(now: jiff::Timestamp, length: Duration) -> jiff::Timestamp {
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        now.saturating_sub(length).unwrap_or(now)
    }
}

/// Why a look ended early.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Propose(#[from] odin_cluster::ProposeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keeping {
    /// Looks every now and then, as long as this node leads.
    pub(crate) async fn run(self) {
        let mut after = None;
        loop {
            tokio::time::sleep(self.pace.at_most(LOOK_EVERY)).await;
            let leadership = *self.proposer.log().leadership().borrow();
            if !matches!(leadership, Leadership::Leading { .. }) {
                after = None;
                continue;
            }
            match self.look(after).await {
                Ok(next) => after = next,
                Err(error) => {
                    tracing::warn!(%error, "history was not kept in order: will try again");
                }
            }
        }
    }

    /// Proposes what is to be sealed and what some jobs no longer keep; the job after which the next look begins.
    async fn look(&self, after: Option<JobId>) -> Result<Option<JobId>, Interrupted> {
        let now = self.clock.wall();
        let due = SealDue {
            runs: PERIOD_RUNS,
            bytes: STATE_BYTES,
            oldest: Pace::before(now, self.pace.0),
            settled: Pace::before(now, SETTLED.min(self.pace.0 / 2)),
        };
        if let Some((after, upto)) = self.read(|reader| reader.seal_due(&due))? {
            let at = now;
            let command = Command::Seal(Seal { after, upto, at });
            self.proposer.propose(&command).await?;
            tracing::info!(after, upto, "a period of runs is sealed");
        }
        let page = self.read(|reader| reader.jobs_kept(after, JOBS_AT_ONCE))?;
        let jobs = self.read(|reader| {
            let forgettable = |of| Some((of, reader.forgettable(of, now).transpose()?));
            let found = page.iter().filter_map(forgettable);
            let found = found.map(|(of, forget)| Ok((of, forget?)));
            let found = found.collect::<Result<Vec<(&JobKept, ForgetOf)>, StoreError>>()?;
            if found.is_empty() {
                return Ok(Vec::new());
            }
            // What a sink that is down has not got waits for it.
            let unsent = reader.unsent()?;
            let without = |(of, forget)| unsent.without(of, forget);
            Ok(found.into_iter().filter_map(without).collect())
        })?;
        let files_upto = self.read(|reader| reader.files_droppable(self.history_bytes))?;
        if !jobs.is_empty() || files_upto > 0 {
            tracing::info!(
                jobs = jobs.len(),
                files_upto,
                "what is no longer kept is let go of"
            );
            let at = now;
            let command = Command::Forget(Forget {
                jobs,
                files_upto,
                at,
            });
            self.proposer.propose(&command).await?;
        }
        self.forget_values(&page).await?;
        self.trim_ledger(&page, now).await?;
        let is_last = page.len() < JOBS_AT_ONCE;
        Ok(page.last().map(|of| of.job).filter(|_| !is_last))
    }

    /// Proposes that values of runs that these jobs no longer keep go: some of them, again and again.
    async fn forget_values(&self, jobs: &[JobKept]) -> Result<(), Interrupted> {
        for _ in 0..VALUE_STEPS {
            let runs = self.read(|reader| {
                let mut runs = Vec::new();
                for of in jobs {
                    let room = FORGET_VALUES_MAX - runs.len();
                    let unkept = reader.values_unkept(of.job, room)?;
                    runs.extend(unkept.into_iter().map(|run| (of.job, run)));
                    if runs.len() == FORGET_VALUES_MAX {
                        break;
                    }
                }
                Ok(runs)
            })?;
            if runs.is_empty() {
                return Ok(());
            }
            let command = Command::ForgetValues(ForgetValues {
                runs,
                blocks_max: VALUE_BLOCKS,
            });
            self.proposer.propose(&command).await?;
            // What is due comes between.
            tokio::time::sleep(BETWEEN_SWEEPS).await;
        }
        Ok(())
    }

    /// Proposes that rows of these jobs' ledgers go that are older than what is kept: some of them, again and again.
    async fn trim_ledger(&self, jobs: &[JobKept], now: jiff::Timestamp) -> Result<(), Interrupted> {
        let before = self.ledger_from(now);
        for _ in 0..LEDGER_STEPS {
            let jobs = self.read(|reader| {
                let (mut room, mut trims) = (LEDGER_ROWS, Vec::new());
                for of in jobs.iter().take(TRIM_LEDGER_MAX) {
                    let rows = reader.ledger_trim(of.job, before, room)?;
                    if rows > 0 {
                        trims.push(LedgerTrim {
                            job: of.job,
                            before,
                            rows_max: rows,
                        });
                    }
                    room -= rows;
                    if room == 0 {
                        break;
                    }
                }
                Ok(trims)
            })?;
            if jobs.is_empty() {
                return Ok(());
            }
            self.proposer
                .propose(&Command::TrimLedger(TrimLedger { jobs }))
                .await?;
            // What is due comes between.
            tokio::time::sleep(BETWEEN_SWEEPS).await;
        }
        Ok(())
    }

    /// The instant before which the ledger goes. It moves on in steps of a 400th of what is kept, so that rows go many at
    /// a time.
    fn ledger_from(&self, now: jiff::Timestamp) -> jiff::Timestamp {
        let kept = self
            .ledger
            .unwrap_or(Duration::from_secs(u64::from(LEDGER_DAYS) * 24 * 60 * 60));
        let step = i64::try_from(kept.as_secs() / 400)
            .unwrap_or(i64::MAX)
            .max(1);
        let from = Pace::before(now, kept).as_second();
        jiff::Timestamp::from_second(from - from.rem_euclid(step)).unwrap_or(jiff::Timestamp::MIN)
    }

    fn read<T>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        tokio::task::block_in_place(|| question(&self.reader))
    }
}

/// Moves sealed periods into files, as long as anything is applied.
pub(crate) async fn settle(historian: Historian, mut applied: watch::Receiver<u64>, pace: Pace) {
    let mut historian = historian.watched(|stage| {
        pass(stage);
        Ok(())
    });
    loop {
        applied.mark_unchanged();
        match tokio::task::block_in_place(|| historian.step()) {
            Ok(HistoryStep::Idle) => {
                if applied.changed().await.is_err() {
                    return;
                }
                // What is applied in a burst is looked at once.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(HistoryStep::Swept { .. }) => tokio::time::sleep(BETWEEN_SWEEPS).await,
            Ok(HistoryStep::Written { path, bytes }) => {
                tracing::info!(path = %path.display(), bytes, "a period of runs is in its file");
            }
            Ok(HistoryStep::Removed { path }) => {
                tracing::info!(path = %path.display(), "a file of history was removed");
            }
            Err(error) => {
                tracing::warn!(%error, "history stays in the state for now");
                tokio::time::sleep(pace.at_most(AFTER_ERROR)).await;
            }
        }
    }
}

/// Tells the log of each part of history that cannot be read, once.
pub(crate) async fn tell_faults(reader: Reader) {
    let mut told = BTreeSet::new();
    loop {
        for (path, problem) in reader.history(false).faults {
            if told.insert((path.clone(), problem.clone())) {
                tracing::error!(
                    path = %path.display(), problem,
                    "a part of history cannot be read, and the rest is served: put the file back from a backup and \
                     restart the server"
                );
            }
        }
        tokio::time::sleep(FAULTS_EVERY).await;
    }
}

/// Where tests end the server.
fn pass(stage: HistoryStage) {
    let point = match stage {
        HistoryStage::Rename => Point::ServerSealRenameBefore,
        HistoryStage::Sweep => Point::ServerSealSweepBefore,
        HistoryStage::Mark => Point::ServerSealSweepMiddle,
        HistoryStage::Remove => Point::ServerSealRemoveBefore,
        HistoryStage::Write | HistoryStage::SyncDirectory | HistoryStage::Load => return,
    };
    fault::reach(point);
}

/// Deletes the output files of runs that are no longer kept, or whose output is not.
pub(crate) async fn delete_outputs(directory: PathBuf, reader: Reader, pace: Pace) {
    loop {
        tokio::time::sleep(pace.at_most(OUTPUTS_EVERY)).await;
        let files = match std::fs::read_dir(&directory) {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(%error, "old output cannot be looked for");
                continue;
            }
        };
        let mut files = files.flatten();
        loop {
            let looked_at = tokio::task::block_in_place(|| {
                let step: Vec<_> = files.by_ref().take(OUTPUTS_AT_ONCE).collect();
                for file in &step {
                    if let Err(error) = delete_if_forgotten(file, &reader) {
                        tracing::warn!(path = %file.path().display(), error, "output stays");
                    }
                }
                step.len()
            });
            if looked_at < OUTPUTS_AT_ONCE {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

fn delete_if_forgotten(file: &std::fs::DirEntry, reader: &Reader) -> Result<(), String> {
    let name = file.file_name();
    // What is not an attempt's is not ours to delete.
    let Some(key) = name.to_str().and_then(AttemptKey::parse) else {
        return Ok(());
    };
    if reader
        .keeps_output(key.run)
        .map_err(|error| error.to_string())?
    {
        return Ok(());
    }
    match std::fs::remove_file(file.path()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}
