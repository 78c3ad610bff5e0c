//! People answer alerts: they know of one, or want no word of some for a while.

use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{AlertId, AlertKind, AlertRefusal, AlertState, TEXT_BYTES_MAX};
use odin_model::owner::{Owner, Principal, Role};
use odin_model::silence::{SILENCE_DAYS_MAX, SILENCES_MAX, SilenceScope};
use odin_model::{ChannelName, JobId, JobState};
use rusqlite::{Connection, OptionalExtension, params};

use super::channel::{self, refusal};
use super::{Stop, alert, job};
use crate::{StoreError, columns};

/// The shortest silence.
const SILENCE_MIN: SignedDuration = SignedDuration::from_secs(1);

/// Notes that somebody knows of an alert.
pub(super) fn acknowledge(
    conn: &Connection,
    by: &Principal,
    id: AlertId,
    reason: &str,
    at: Timestamp,
) -> Result<(), Stop> {
    by.need(Role::Operator)?;
    need_reason(reason)?;
    let found = alert::find(conn, id)?.filter(|(_, owner)| may(by, owner.as_ref()));
    match found {
        None => return Err(refusal(AlertRefusal::NoSuchAlert(id))),
        Some((AlertState::Resolved, _)) => return Err(refusal(AlertRefusal::AlertOver(id))),
        Some((AlertState::Open | AlertState::Acknowledged, _)) => {}
    }
    conn.prepare_cached(
        "UPDATE alerts SET state = ?2, acknowledged_by = ?3, acknowledged_at = ?4, acknowledged_reason = ?5 WHERE id = ?1",
    )?
    .execute(params![
        columns::count(id.0),
        columns::alert_state(AlertState::Acknowledged),
        by.user.user,
        columns::at(at),
        reason,
    ])?;
    Ok(())
}

/// Whether what belongs to a job's owner, or to nobody, is the asker's to answer.
fn may(by: &Principal, owner: Option<&Owner>) -> bool {
    match owner {
        Some(owner) => by.may_change(owner),
        None => by.role == Role::Admin,
    }
}

fn need_reason(reason: &str) -> Result<(), Stop> {
    match reason.trim().is_empty() || reason.len() > TEXT_BYTES_MAX {
        true => Err(refusal(AlertRefusal::BadReason)),
        false => Ok(()),
    }
}

/// Begins a silence.
pub(super) fn set(
    conn: &Connection,
    by: &Principal,
    scope: &SilenceScope,
    reason: &str,
    (at, until): (Timestamp, Timestamp),
) -> Result<(), Stop> {
    by.need(Role::Operator)?;
    need_reason(reason)?;
    match scope.job {
        Some(id) => {
            job::find_to_change(conn, by, id)?;
        }
        None => by.need(Role::Admin)?,
    }
    if let Some(name) = &scope.channel
        && channel::find(conn, name)?.is_none()
    {
        return Err(refusal(AlertRefusal::NoSuchChannel(name.clone())));
    }
    let lasts = until.duration_since(at);
    if lasts < SILENCE_MIN || lasts > SignedDuration::from_hours(24 * SILENCE_DAYS_MAX) {
        return Err(refusal(AlertRefusal::BadSilence));
    }
    let in_force: i64 = conn
        .prepare_cached("SELECT count(*) FROM silences WHERE until_at > ?1")?
        .query_row([columns::at(at)], |row| row.get(0))?;
    let count = columns::to_count(in_force);
    if usize::try_from(count).is_ok_and(|count| count >= SILENCES_MAX) {
        return Err(refusal(AlertRefusal::TooManySilences { count }));
    }
    insert(conn, by, scope, reason, (at, until))?;
    Ok(())
}

fn insert(
    conn: &Connection,
    by: &Principal,
    scope: &SilenceScope,
    reason: &str,
    (at, until): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(id) FROM silences")?
        .query_row([], |row| row.get(0))?;
    let id = last.unwrap_or(0) + 1;
    conn.prepare_cached("DELETE FROM silences WHERE until_at <= ?1")?
        .execute([columns::at(at)])?;
    conn.prepare_cached(
        "INSERT INTO silences (id, by_uid, by_user, job, kind, channel, reason, from_at, until_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        id,
        by.user.uid,
        by.user.user,
        scope.job.map(columns::job_id),
        scope.kind.map(columns::alert_kind),
        scope.channel.as_ref().map(ChannelName::as_str),
        reason,
        columns::at(at),
        columns::at(until),
    ])?;
    Ok(())
}

/// Ends a silence before its time: one's own, one of one's own job, or as an admin.
pub(super) fn end(conn: &Connection, by: &Principal, id: u64, at: Timestamp) -> Result<(), Stop> {
    by.need(Role::Operator)?;
    let found: Option<(u32, String, Option<i64>)> = conn
        .prepare_cached(
            "SELECT by_uid, by_user, job FROM silences WHERE id = ?1 AND until_at > ?2",
        )?
        .query_row((columns::count(id), columns::at(at)), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let not_there = || refusal(AlertRefusal::NoSuchSilence(id));
    let (uid, user, of_job) = found.ok_or_else(not_there)?;
    let maker = Owner { user, uid };
    let owner = match of_job {
        Some(id) => job::find(conn, columns::to_job_id(id))?
            .filter(|job| job.state != JobState::Removed)
            .map(|job| job.owner),
        None => None,
    };
    if !by.may_change(&maker) && !may(by, owner.as_ref()) {
        return Err(not_there());
    }
    conn.prepare_cached("UPDATE silences SET until_at = ?2 WHERE id = ?1")?
        .execute((columns::count(id), columns::at(at)))?;
    Ok(())
}

/// Whether word of an alert to a channel is silenced at that instant.
pub(super) fn covers(
    conn: &Connection,
    job: Option<JobId>,
    kind: AlertKind,
    channel: &ChannelName,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM silences WHERE until_at > ?1 AND (job IS NULL OR job = ?2) \
         AND (kind IS NULL OR kind = ?3) AND (channel IS NULL OR channel = ?4))",
    )?;
    let covered = statement.query_row(
        params![
            columns::at(at),
            job.map(columns::job_id),
            columns::alert_kind(kind),
            channel.as_str()
        ],
        |row| row.get(0),
    )?;
    Ok(covered)
}
