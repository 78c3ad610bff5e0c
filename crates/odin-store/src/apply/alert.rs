//! Alerts come, come again and are over. Whatever gives rise to one goes through [`raise`] and [`resolve`].

use jiff::Timestamp;
use odin_model::alert::{
    ALERTS_IN_COMMAND_MAX, AlertChange, AlertEvent, AlertId, AlertKey, AlertKind, AlertState,
    EventKind, RESOLVED_KEPT_MAX, Raised, Subject, cut,
};
use odin_model::owner::Owner;
use odin_model::{Alerting, ChannelName, JobId, JobName, Notice, Reply, RunId};
use odin_scheduling::alerting::{Shown, tell};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop, channel, job, node, outbox, silence, watch};
use crate::{StoreError, columns};

pub(super) fn apply(batch: &mut Batch<'_>, change: &AlertChange) -> Result<Reply, Stop> {
    match change {
        AlertChange::Overdue { watches, at } => {
            for &(run, kind) in watches.iter().take(ALERTS_IN_COMMAND_MAX) {
                watch::overdue(batch, run, kind, *at)?;
            }
        }
        AlertChange::Raise { alerts, at } => {
            for raised in alerts.iter().take(ALERTS_IN_COMMAND_MAX) {
                raise(batch, raised, 1, *at)?;
            }
        }
        AlertChange::Resolve { keys, text, at } => {
            for key in keys.iter().take(ALERTS_IN_COMMAND_MAX) {
                resolve(batch, key, None, text, *at)?;
            }
        }
        AlertChange::Acknowledge {
            by,
            alert,
            reason,
            at,
        } => silence::acknowledge(batch.conn, by, *alert, reason, *at)?,
        AlertChange::Silence {
            by,
            scope,
            reason,
            until,
            at,
        } => silence::set(batch.conn, by, scope, reason, (*at, *until))?,
        AlertChange::Unsilence { by, silence, at } => {
            silence::end(batch.conn, by, *silence, *at)?;
        }
    }
    Ok(Reply::Done)
}

/// What an alert's subject is called, whose it is, and who is told of it.
struct About {
    owner: Option<Owner>,
    job: Option<(JobId, JobName)>,
    node: Option<String>,
    alerting: Alerting,
    channels: Vec<ChannelName>,
}

/// `None`: the job is not there.
fn about(conn: &Connection, key: &AlertKey) -> Result<Option<About>, StoreError> {
    let mut about = About {
        owner: None,
        job: None,
        node: None,
        alerting: Alerting::default(),
        channels: Vec::new(),
    };
    match key.subject {
        Subject::Job(id) => {
            let Some(found) = job::find(conn, id)? else {
                return Ok(None);
            };
            about.owner = Some(found.owner);
            about.job = Some((id, job::name(conn, id)?));
            if let Some((alerting, _)) = watch::alerting_of(conn, id)? {
                about.alerting = alerting;
            }
            if about.alerting.sends(key.kind) {
                about.channels.clone_from(&about.alerting.to);
            }
        }
        Subject::Node(id) => {
            about.node = Some(node::name_of(conn, id)?);
            about.channels = channel::of_server(conn)?;
        }
        Subject::Cluster => about.channels = channel::of_server(conn)?,
    }
    if key.kind == AlertKind::ChannelDown {
        // It would not get there.
        about.channels.retain(|name| name.as_str() != key.detail);
    }
    Ok(Some(about))
}

/// An alert that is not resolved, as much of it as a change has to know.
struct Known {
    id: i64,
    state: AlertState,
    told_at: Option<Timestamp>,
    run: Option<RunId>,
    count: u64,
}

/// Whether an alert is not over, and showed last by something else than this run.
pub(super) fn is_of_another_run(
    conn: &Connection,
    key: &AlertKey,
    run: RunId,
) -> Result<bool, StoreError> {
    Ok(known(conn, key)?.is_some_and(|known| known.run != Some(run)))
}

fn known(conn: &Connection, key: &AlertKey) -> Result<Option<Known>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, state, told_at, run, count FROM alerts INDEXED BY alerts_open \
         WHERE subject = ?1 AND subject_id = ?2 AND kind = ?3 AND detail = ?4 AND state <> 2",
    )?;
    let (sort, id) = columns::subject(&key.subject);
    let kind = columns::alert_kind(key.kind);
    let mut rows = statement.query(params![sort, id, kind, key.detail])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Known {
        id: row.get(0)?,
        state: columns::to_alert_state(row.get(1)?)?,
        told_at: columns::to_at_option(row.get(2)?),
        run: row.get::<_, Option<i64>>(3)?.map(columns::to_run_id),
        count: columns::to_count(row.get(4)?),
    }))
}

/// An alert shows, so many times at once. Who is to be told is told, unless it was a short while ago.
pub(super) fn raise(
    batch: &mut Batch<'_>,
    raised: &Raised,
    times: u64,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Raised { key, run, text } = raised;
    let Some(about) = about(batch.conn, key)? else {
        return Ok(());
    };
    let known = known(batch.conn, key)?;
    let text = cut(text);
    if let Some(known) = known.as_ref().filter(|it| it.run == *run && run.is_some()) {
        // The same run shows it again: at its bound, and at its end.
        return set_text(batch.conn, known.id, &text);
    }
    let shown = Shown {
        state: known.as_ref().map(|it| it.state),
        told_at: known.as_ref().and_then(|it| it.told_at),
    };
    let event = tell(shown, about.alerting.repeat, at);
    let count = known.as_ref().map_or(0, |it| it.count) + times;
    let id = match known {
        Some(known) => {
            count_up(batch.conn, known.id, (count, *run, &text), at)?;
            known.id
        }
        None => insert(batch.conn, &about, raised, (count, &text), at)?,
    };
    let Some(event) = event else { return Ok(()) };
    let event = AlertEvent {
        alert: AlertId(columns::to_count(id)),
        kind: key.kind,
        event,
        at,
        job: about.job,
        owner: about.owner.as_ref().map(|owner| owner.user.clone()),
        node: about.node,
        run: *run,
        count,
        text,
    };
    let owner = about.owner.as_ref();
    if send(batch, &about.channels, owner, &event)? {
        batch
            .conn
            .prepare_cached("UPDATE alerts SET told_at = ?2 WHERE id = ?1")?
            .execute((id, columns::at(at)))?;
    }
    Ok(())
}

fn insert(
    conn: &Connection,
    about: &About,
    raised: &Raised,
    (count, text): (u64, &str),
    at: Timestamp,
) -> Result<i64, StoreError> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(id) FROM alerts")?
        .query_row([], |row| row.get(0))?;
    let id = last.unwrap_or(0) + 1;
    let (sort, subject) = columns::subject(&raised.key.subject);
    conn.prepare_cached(
        "INSERT INTO alerts (id, kind, subject, subject_id, detail, owner_uid, owner_user, run, opened_at, last_at, \
         count, state, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        id,
        columns::alert_kind(raised.key.kind),
        sort,
        subject,
        raised.key.detail,
        about.owner.as_ref().map(|owner| owner.uid),
        about.owner.as_ref().map(|owner| &owner.user),
        raised.run.map(columns::run_id),
        columns::at(at),
        columns::count(count),
        columns::alert_state(AlertState::Open),
        text,
    ])?;
    // Old ones make room. The newest is never among them, so ids count on.
    conn.prepare_cached(
        "DELETE FROM alerts INDEXED BY alerts_resolved WHERE state = 2 AND id <= ?1",
    )?
    .execute([id - columns::count(RESOLVED_KEPT_MAX)])?;
    Ok(id)
}

fn count_up(
    conn: &Connection,
    id: i64,
    (count, run, text): (u64, Option<RunId>, &str),
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE alerts SET count = ?2, run = ?3, text = ?4, last_at = ?5 WHERE id = ?1",
    )?
    .execute(params![
        id,
        columns::count(count),
        run.map(columns::run_id),
        text,
        columns::at(at)
    ])?;
    Ok(())
}

fn set_text(conn: &Connection, id: i64, text: &str) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE alerts SET text = ?2 WHERE id = ?1")?
        .execute((id, text))?;
    Ok(())
}

/// An alert is over, if it is there and, where a run is given, about that one. Of failures, and of what is about no
/// job, those who were told are told.
pub(super) fn resolve(
    batch: &mut Batch<'_>,
    key: &AlertKey,
    of_run: Option<RunId>,
    text: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(known) = known(batch.conn, key)? else {
        return Ok(());
    };
    if of_run.is_some() && known.run != of_run {
        return Ok(());
    }
    batch
        .conn
        .prepare_cached("UPDATE alerts SET state = ?2, resolved_at = ?3 WHERE id = ?1")?
        .execute((
            known.id,
            columns::alert_state(AlertState::Resolved),
            columns::at(at),
        ))?;
    let about = about(batch.conn, key)?.filter(|_| known.told_at.is_some());
    let Some(about) = about else { return Ok(()) };
    let is_sent = match key.subject {
        Subject::Job(_) => {
            key.kind == AlertKind::Failure && about.alerting.on.contains(&Notice::Recovered)
        }
        Subject::Node(_) | Subject::Cluster => true,
    };
    if !is_sent {
        return Ok(());
    }
    let event = AlertEvent {
        alert: AlertId(columns::to_count(known.id)),
        kind: key.kind,
        event: EventKind::Resolved,
        at,
        job: about.job,
        owner: about.owner.as_ref().map(|owner| owner.user.clone()),
        node: about.node,
        run: known.run,
        count: known.count,
        text: cut(text),
    };
    send(batch, &about.channels, about.owner.as_ref(), &event)?;
    Ok(())
}

/// Puts word of an alert into the messages to its channels, silenced ones left out. Whether any gets it.
fn send(
    batch: &mut Batch<'_>,
    channels: &[ChannelName],
    owner: Option<&Owner>,
    event: &AlertEvent,
) -> Result<bool, StoreError> {
    let mut is_told = false;
    let job = event.job.as_ref().map(|(id, _)| *id);
    for name in channels {
        if silence::covers(batch.conn, job, event.kind, name, event.at)? {
            continue;
        }
        is_told |= outbox::add(batch.conn, name, owner, event)?;
    }
    Ok(is_told)
}

/// Ends the open alerts of a job that `alerting` does not speak of any more, and says nothing of it: the person who
/// changed the job knows. Alerts that jobs cannot choose stay, unless the job is gone.
pub(super) fn forget(
    conn: &Connection,
    job: JobId,
    alerting: Option<&Alerting>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, kind, detail FROM alerts INDEXED BY alerts_open \
         WHERE subject = 0 AND subject_id = ?1 AND state <> 2 ORDER BY id",
    )?;
    let rows = statement.query_map([columns::job_id(job)], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    for (id, kind, detail) in rows.collect::<Result<Vec<_>, _>>()? {
        let kind = columns::to_alert_kind(kind)?;
        let stays = alerting.is_some_and(|it| match kind {
            AlertKind::ValueOutOfBounds => it.values.iter().any(|it| cut(&it.name) == detail),
            kind => Notice::of(kind).is_none() || it.raises(kind),
        });
        if !stays {
            conn.prepare_cached("UPDATE alerts SET state = 2, resolved_at = ?2 WHERE id = ?1")?
                .execute((id, columns::at(at)))?;
        }
    }
    Ok(())
}

/// Whether the alert is there and not over, with its job's owner.
pub(super) fn find(
    conn: &Connection,
    id: AlertId,
) -> Result<Option<(AlertState, Option<Owner>)>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT state, owner_uid, owner_user FROM alerts WHERE id = ?1")?;
    let found = statement
        .query_row([columns::count(id.0)], |row| {
            let uid: Option<u32> = row.get(1)?;
            let user: Option<String> = row.get(2)?;
            Ok((row.get::<_, i64>(0)?, uid.zip(user)))
        })
        .optional()?;
    let Some((state, owner)) = found else {
        return Ok(None);
    };
    let owner = owner.map(|(uid, user)| Owner { user, uid });
    Ok(Some((columns::to_alert_state(state)?, owner)))
}
