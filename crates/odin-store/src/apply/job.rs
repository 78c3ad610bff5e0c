//! A job's row as apply reads and writes it.

use jiff::Timestamp;
use odin_model::command::DueAfter;
use odin_model::job::Visibility;
use odin_model::owner::{Owner, Principal};
use odin_model::{
    BundleHash, Concurrency, JobId, JobName, JobSpec, JobState, Outcome, Priority, Refusal, Reply,
    Revision, RunId, VersionNumber, codec,
};
use odin_scheduling::judge::Policy;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Batch, Stop, policy_of, run, secret, turn, watch};
use crate::{Effect, StoreError, columns};

/// What an edit has to know of a job.
pub(super) struct JobRow {
    pub(super) id: JobId,
    pub(super) owner: Owner,
    pub(super) state: JobState,
    pub(super) visibility: Visibility,
    pub(super) version: VersionNumber,
    pub(super) revision: Revision,
    pub(super) next_due: Option<Timestamp>,
    pub(super) last_decided: Option<Timestamp>,
    pub(super) policy: Policy,
    pub(super) priority: Priority,
    pub(super) is_quarantined: bool,
}

impl JobRow {
    /// What the due index has of it.
    pub(super) fn indexed_due(&self) -> Option<Timestamp> {
        self.next_due.filter(|_| !self.is_quarantined)
    }

    /// What an edit's next due time was computed after. `None`: it was not computed, but kept, or there is none.
    pub(super) fn computed_after(&self, due: &DueAfter, at: Timestamp) -> Option<Timestamp> {
        let is_computed = self.state == JobState::Enabled && self.held_up(at).is_none();
        is_computed.then_some(due.after)
    }

    /// The occurrence that was due by `at` and could not be decided, since the job could not be planned.
    pub(super) fn held_up(&self, at: Timestamp) -> Option<Timestamp> {
        self.next_due
            .filter(|&due| self.is_quarantined && due <= at)
    }
}

/// What a decision has to know of a job: no text, so reading it allocates nothing.
pub(super) struct Cursor {
    pub(super) version: VersionNumber,
    pub(super) next_due: Option<Timestamp>,
    pub(super) policy: Policy,
    pub(super) priority: Priority,
}

/// The columns that `read` takes, in its order.
macro_rules! job_columns {
    () => {
        "id, owner_uid, owner_user, state, visibility, version, revision, next_due, last_decided, \
                       grace, missed, concurrency, concurrency_max, concurrency_waiting, priority, \
                       quarantine IS NOT NULL"
    };
}

/// The job, removed ones too.
pub(super) fn find(conn: &Connection, id: JobId) -> Result<Option<JobRow>, StoreError> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs WHERE id = ?1"
    ))?;
    let row = statement.query_row([columns::job_id(id)], |row| Ok(read(row)));
    row.optional()?.transpose()
}

/// The owner's listed job of that name.
pub(super) fn find_named(
    conn: &Connection,
    owner: &Owner,
    name: &JobName,
) -> Result<Option<JobRow>, StoreError> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs INDEXED BY jobs_listed \
         WHERE owner_uid = ?1 AND owner_user = ?2 AND name = ?3 AND state <> 2 AND visibility = 0"
    ))?;
    let row = statement.query_row(params![owner.uid, owner.user, name.as_str()], |row| {
        Ok(read(row))
    });
    row.optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<JobRow, StoreError> {
    Ok(JobRow {
        id: columns::to_job_id(row.get(0)?),
        owner: Owner {
            uid: row.get(1)?,
            user: row.get(2)?,
        },
        state: columns::to_job_state(row.get(3)?)?,
        visibility: columns::to_visibility(row.get(4)?)?,
        version: columns::to_version(row.get(5)?),
        revision: columns::to_revision(row.get(6)?),
        next_due: columns::to_at_option(row.get(7)?),
        last_decided: columns::to_at_option(row.get(8)?),
        policy: Policy {
            grace: columns::to_duration(row.get(9)?),
            missed: columns::to_missed(row.get(10)?)?,
            concurrency: columns::to_concurrency(row.get(11)?, row.get(12)?, row.get(13)?)?,
        },
        priority: columns::to_priority(row.get(14)?)?,
        is_quarantined: row.get(15)?,
    })
}

/// The name of a job that is there.
pub(super) fn name(conn: &Connection, id: JobId) -> Result<JobName, StoreError> {
    let name: String = conn
        .prepare_cached("SELECT name FROM jobs WHERE id = ?1")?
        .query_row([columns::job_id(id)], |row| row.get(0))?;
    JobName::parse(&name).map_err(|_| StoreError::damaged("a job's name"))
}

/// The job that `by` wants to change.
pub(super) fn find_to_change(conn: &Connection, by: &Principal, id: JobId) -> Result<JobRow, Stop> {
    let job = find(conn, id)?
        .filter(|job| job.state != JobState::Removed)
        .ok_or(Refusal::NoSuchJob(id))?;
    super::need_change(by, id, &job.owner)?;
    Ok(job)
}

/// The job, if it is enabled, not in quarantine and still at that revision.
pub(super) fn cursor(
    conn: &Connection,
    id: JobId,
    revision: Revision,
) -> Result<Option<Cursor>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT version, next_due, grace, missed, concurrency, concurrency_max, concurrency_waiting, priority FROM jobs \
         WHERE id = ?1 AND revision = ?2 AND state = 0 AND quarantine IS NULL",
    )?;
    let mut rows = statement.query((columns::job_id(id), columns::revision(revision)))?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Cursor {
        version: columns::to_version(row.get(0)?),
        next_due: columns::to_at_option(row.get(1)?),
        policy: Policy {
            grace: columns::to_duration(row.get(2)?),
            missed: columns::to_missed(row.get(3)?)?,
            concurrency: columns::to_concurrency(row.get(4)?, row.get(5)?, row.get(6)?)?,
        },
        priority: columns::to_priority(row.get(7)?)?,
    }))
}

/// How many runs of a job may overlap, by its current version.
pub(super) fn concurrency(conn: &Connection, id: JobId) -> Result<Option<Concurrency>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT concurrency, concurrency_max, concurrency_waiting FROM jobs WHERE id = ?1",
    )?;
    let mut rows = statement.query([columns::job_id(id)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    columns::to_concurrency(row.get(0)?, row.get(1)?, row.get(2)?).map(Some)
}

/// Moves a job past the occurrences that were decided.
pub(super) fn advance(
    batch: &mut Batch<'_>,
    id: JobId,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    last_decided: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = batch
        .conn
        .prepare_cached("UPDATE jobs SET next_due = ?2, last_decided = ?3 WHERE id = ?1")?;
    statement.execute((
        columns::job_id(id),
        columns::at_option(to),
        columns::at(last_decided),
    ))?;
    batch.changes.due(id, from, to);
    Ok(())
}

/// Moves the next due time alone.
pub(super) fn move_due(
    batch: &mut Batch<'_>,
    id: JobId,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<(), StoreError> {
    batch
        .conn
        .prepare_cached("UPDATE jobs SET next_due = ?2 WHERE id = ?1")?
        .execute((columns::job_id(id), columns::at_option(to)))?;
    batch.changes.due(id, from, to);
    Ok(())
}

/// Refuses another revision than the asker saw.
pub(super) fn need_revision(job: &JobRow, expected: Option<Revision>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != job.revision => Err(Refusal::RevisionConflict {
            job: job.id,
            expected,
            found: job.revision,
        }),
        _ => Ok(()),
    }
}

/// The next due time of an edit, unless an occurrence that it does not know of was decided: that one would be
/// decided again. What a job in quarantine left undecided is judged by the new schedule, beginning where it stopped.
pub(super) fn need_due(
    job: &JobRow,
    due: &DueAfter,
    at: Timestamp,
) -> Result<Option<Timestamp>, Refusal> {
    need_decided(job, at)?;
    let decided_since = job.last_decided.is_some_and(|last| last > due.after);
    let goes_back = due.next_due.is_some_and(|next| next <= due.after);
    if decided_since || goes_back {
        return Err(Refusal::DueOutOfDate { job: job.id });
    }
    Ok(job.held_up(at).or(due.next_due))
}

/// Refuses to take a schedule away from an occurrence that is due and has no outcome: apply evaluates no schedule,
/// so it could not give it one, and nobody would afterwards. A job in quarantine is not waited for: the leader cannot
/// decide it either.
pub(super) fn need_decided(job: &JobRow, at: Timestamp) -> Result<(), Refusal> {
    if job.state == JobState::Enabled && job.indexed_due().is_some_and(|due| due <= at) {
        return Err(Refusal::DueUndecided { job: job.id });
    }
    Ok(())
}

/// Refuses a name that another listed job of the owner has.
pub(super) fn need_free_name(
    conn: &Connection,
    owner: &Owner,
    name: &JobName,
    job: Option<JobId>,
) -> Result<(), Stop> {
    match find_named(conn, owner, name)? {
        Some(other) if Some(other.id) != job => Err(Refusal::NameTaken {
            name: name.clone(),
            job: other.id,
        }
        .into()),
        _ => Ok(()),
    }
}

/// A version to be.
pub(super) struct NewVersion<'v> {
    pub(super) spec: &'v JobSpec,
    pub(super) bundle: &'v BundleHash,
    pub(super) by: &'v Owner,
    pub(super) at: Timestamp,
}

/// Makes a job with its first version.
pub(super) fn insert(
    batch: &mut Batch<'_>,
    id: JobId,
    version: &NewVersion<'_>,
    visibility: Visibility,
    next_due: Option<Timestamp>,
) -> Result<Reply, StoreError> {
    let policy = policy_of(version.spec);
    let mut statement = batch.conn.prepare_cached(
        "INSERT INTO jobs (id, owner_uid, owner_user, name, state, visibility, version, revision, next_due, grace, \
         missed, concurrency, created_at, concurrency_max, concurrency_waiting, priority) \
         VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    statement.execute(params![
        columns::job_id(id),
        version.by.uid,
        version.by.user,
        version.spec.name.as_str(),
        columns::visibility(visibility),
        VersionNumber::FIRST.0,
        columns::revision(Revision(batch.index)),
        columns::at_option(next_due),
        columns::duration(policy.grace),
        columns::missed(policy.missed),
        columns::overlap(policy.concurrency.overlap),
        columns::at(version.at),
        policy.concurrency.bounds.max,
        policy.concurrency.bounds.waiting,
        version.spec.priority.number(),
    ])?;
    insert_version(batch.conn, id, VersionNumber::FIRST, version)?;
    secret::note_uses(batch.conn, id, version.spec, visibility)?;
    watch::note(batch.conn, id, version.spec, visibility, version.at)?;
    batch.changes.due(id, None, next_due);
    batch.changes.jobs += i64::from(visibility == Visibility::Listed);
    Ok(changed(batch, id, VersionNumber::FIRST, true, Vec::new()))
}

/// Gives a job its next version. Runs that are decided keep theirs; the reply names them.
pub(super) fn add_version(
    batch: &mut Batch<'_>,
    job: &JobRow,
    version: &NewVersion<'_>,
    visibility: Visibility,
    next_due: Option<Timestamp>,
) -> Result<Reply, StoreError> {
    let policy = policy_of(version.spec);
    let number = job.version.next();
    let mut statement = batch.conn.prepare_cached(
        "UPDATE jobs SET name = ?2, visibility = ?3, version = ?4, revision = ?5, next_due = ?6, grace = ?7, \
         missed = ?8, concurrency = ?9, concurrency_max = ?10, concurrency_waiting = ?11, priority = ?12, \
         quarantine = NULL, quarantined_at = NULL WHERE id = ?1",
    )?;
    statement.execute(params![
        columns::job_id(job.id),
        version.spec.name.as_str(),
        columns::visibility(visibility),
        number.0,
        columns::revision(Revision(batch.index)),
        columns::at_option(next_due),
        columns::duration(policy.grace),
        columns::missed(policy.missed),
        columns::overlap(policy.concurrency.overlap),
        policy.concurrency.bounds.max,
        policy.concurrency.bounds.waiting,
        version.spec.priority.number(),
    ])?;
    insert_version(batch.conn, job.id, number, version)?;
    secret::note_uses(batch.conn, job.id, version.spec, visibility)?;
    watch::note(batch.conn, job.id, version.spec, visibility, version.at)?;
    // A new policy may have room for those who wait.
    turn::release(batch, job.id)?;
    note_mended(batch, job);
    batch.changes.due(job.id, job.indexed_due(), next_due);
    batch.changes.jobs += i64::from(visibility == Visibility::Listed)
        - i64::from(job.visibility == Visibility::Listed);
    let decided = run::not_started(batch.conn, job.id)?;
    Ok(changed(batch, job.id, number, false, decided))
}

fn insert_version(
    conn: &Connection,
    job: JobId,
    number: VersionNumber,
    version: &NewVersion<'_>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO job_versions (job, version, spec, bundle, deployed_at, by_uid, by_user) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        columns::job_id(job),
        number.0,
        codec::encode(version.spec),
        version.bundle.0,
        columns::at(version.at),
        version.by.uid,
        version.by.user,
    ])?;
    Ok(())
}

/// What a version says, with its bundle.
pub(super) fn version(
    conn: &Connection,
    job: JobId,
    number: VersionNumber,
) -> Result<(JobSpec, BundleHash), StoreError> {
    let mut statement = conn
        .prepare_cached("SELECT spec, bundle FROM job_versions WHERE job = ?1 AND version = ?2")?;
    let (spec, bundle) = statement.query_row((columns::job_id(job), number.0), |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))
    })?;
    Ok((codec::decode(&spec)?, BundleHash(bundle)))
}

/// Sets a job's state and next due time; its version stays.
pub(super) fn set_state(
    batch: &mut Batch<'_>,
    job: &JobRow,
    state: JobState,
    next_due: Option<Timestamp>,
) -> Result<Reply, StoreError> {
    let mut statement = batch
        .conn
        .prepare_cached(
        "UPDATE jobs SET state = ?2, revision = ?3, next_due = ?4, quarantine = NULL, quarantined_at = NULL WHERE id = ?1",
    )?;
    statement.execute((
        columns::job_id(job.id),
        columns::job_state(state),
        columns::revision(Revision(batch.index)),
        columns::at_option(next_due),
    ))?;
    note_mended(batch, job);
    batch.changes.due(job.id, job.indexed_due(), next_due);
    if state == JobState::Removed {
        secret::forget_uses(batch.conn, job.id)?;
    }
    if state == JobState::Removed && job.visibility == Visibility::Listed {
        batch.changes.jobs -= 1;
    }
    Ok(changed(batch, job.id, job.version, false, Vec::new()))
}

/// A change of a job is its way out of quarantine: whether it can be planned now, the next plan finds out.
fn note_mended(batch: &mut Batch<'_>, job: &JobRow) {
    if job.is_quarantined {
        batch.changes.quarantine(job.id, false);
    }
}

/// How many of a job's latest runs it is remembered of whether they were long.
const LONG_RUNS_REMEMBERED: u32 = 20;

/// Notes how and why the job's latest finished run ended, and whether it was a long one; `None`: it says nothing of how long the
/// job's runs are. How many of the runs before it were long, up to [`LONG_RUNS_REMEMBERED`].
pub(super) fn set_last_outcome(
    conn: &Connection,
    job: JobId,
    (run, outcome, reason): (RunId, Outcome, Option<&str>),
    is_long: Option<bool>,
) -> Result<u32, StoreError> {
    // The bit of the run itself is one more.
    let remembered = (1_i64 << (LONG_RUNS_REMEMBERED + 1)) - 1;
    let mut statement = conn.prepare_cached(
        "UPDATE jobs SET last_run = ?2, last_outcome = ?3, last_reason = ?6, \
         long_runs = iif(?4 IS NULL, long_runs, ((long_runs << 1) | ?4) & ?5) WHERE id = ?1 RETURNING long_runs",
    )?;
    let job = columns::job_id(job);
    let (run, outcome) = (columns::run_id(run), columns::outcome(outcome));
    let noted: Option<i64> = statement
        .query_row((job, run, outcome, is_long, remembered, reason), |row| {
            row.get(0)
        })
        .optional()?;
    let before = match is_long {
        Some(_) => noted.unwrap_or(0) >> 1,
        None => noted.unwrap_or(0),
    };
    Ok(before.count_ones())
}

/// Publishes a job's change and makes the reply.
fn changed(
    batch: &mut Batch<'_>,
    id: JobId,
    version: VersionNumber,
    created: bool,
    decided: Vec<RunId>,
) -> Reply {
    let revision = Revision(batch.index);
    batch.effects.push(Effect::JobChanged { job: id, revision });
    Reply::Job {
        id,
        version,
        revision,
        created,
        decided,
    }
}
