//! Sinks: set up and removed by admins, moved on by the leader.

use jiff::Timestamp;
use odin_model::owner::{Principal, Role};
use odin_model::sink::{SINKS_MAX, SinkChange, SinkName, SinkRefusal, SinkSpec};
use odin_model::{Refusal, Reply, codec};
use rusqlite::{Connection, params};

use super::channel::need_secret;
use super::{Batch, Stop, sink_feed};
use crate::{Effect, StoreError, columns, sinks};

pub(super) fn apply(batch: &mut Batch<'_>, change: &SinkChange) -> Result<Reply, Stop> {
    let conn = batch.conn;
    match change {
        SinkChange::Set {
            by,
            name,
            spec,
            token,
            at,
        } => {
            set(conn, by, (name, spec, *token), *at)?;
            batch.effects.push(Effect::SettingsChanged);
            Ok(Reply::Done)
        }
        SinkChange::Remove { by, name } => {
            by.need(Role::Admin)?;
            if sinks::find(conn, name)?.is_none() {
                return Err(refusal(SinkRefusal::NoSuchSink(name.clone())));
            }
            conn.prepare_cached("DELETE FROM sinks WHERE name = ?1")?
                .execute([name.as_str()])?;
            sink_feed::trim(conn)?;
            batch.effects.push(Effect::SettingsChanged);
            Ok(Reply::Done)
        }
        SinkChange::Advance {
            name,
            token,
            from,
            to,
            sent,
            skipped,
            last_skipped,
            dropped,
            at,
        } => {
            let last = columns::to_count(sink_feed::end(conn)?);
            if to < from || *to > last {
                return Ok(Reply::Stepped { counts: false });
            }
            let changed = conn
                .prepare_cached(
                    "UPDATE sinks SET cursor = ?4, sent = sent + ?5, skipped = skipped + ?6, \
                     last_skipped = ifnull(?7, last_skipped), sent_at = iif(?5 > 0, ?8, sent_at), dropped = dropped + ?9, \
                     failing_since = NULL, error = NULL WHERE name = ?1 AND token = ?2 AND cursor = ?3",
                )?
                .execute(params![
                    name.as_str(),
                    token.cast_signed(),
                    columns::count(*from),
                    columns::count(*to),
                    columns::count(*sent),
                    columns::count(*skipped),
                    last_skipped,
                    columns::at(*at),
                    columns::count(*dropped),
                ])?;
            if changed > 0 {
                sink_feed::trim(conn)?;
            }
            Ok(Reply::Stepped {
                counts: changed > 0,
            })
        }
        SinkChange::Failing {
            name,
            token,
            error,
            at,
        } => {
            let changed = failing(conn, (name, *token), error, *at)?;
            Ok(Reply::Stepped { counts: changed })
        }
        SinkChange::Metrics {
            name,
            token,
            error,
            at,
        } => {
            let changed = conn
                .prepare_cached(
                    "UPDATE sinks SET metrics_failing_since = iif(?4 IS NULL, NULL, ifnull(metrics_failing_since, ?3)), \
                     metrics_error = ?4 WHERE name = ?1 AND token = ?2",
                )?
                .execute(params![
                    name.as_str(),
                    token.cast_signed(),
                    columns::at(*at),
                    error
                ])?;
            Ok(Reply::Stepped {
                counts: changed > 0,
            })
        }
    }
}

fn set(
    conn: &Connection,
    by: &Principal,
    (name, spec, token): (&SinkName, &SinkSpec, u64),
    at: Timestamp,
) -> Result<(), Stop> {
    by.need(Role::Admin)?;
    if sinks::find(conn, name)?.is_none() && sinks::all(conn)?.len() >= SINKS_MAX {
        return Err(refusal(SinkRefusal::TooManySinks));
    }
    if let Some(secret) = &spec.secret {
        need_secret(conn, &by.user, secret)?;
    }
    // A new sink begins with what comes next: after the feed's end, and after every other sink's cursor.
    let furthest: Option<i64> =
        conn.query_row("SELECT max(cursor) FROM sinks", [], |row| row.get(0))?;
    let cursor = sink_feed::end(conn)?.max(furthest.unwrap_or(0));
    conn.prepare_cached(
        "INSERT INTO sinks (name, owner_uid, owner_user, spec, token, set_at, cursor, sent, skipped, dropped) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0) \
         ON CONFLICT (name) DO UPDATE SET owner_uid = ?2, owner_user = ?3, spec = ?4, set_at = ?6, \
         failing_since = NULL, error = NULL, metrics_failing_since = NULL, metrics_error = NULL",
    )?
    .execute(params![
        name.as_str(),
        by.user.uid,
        by.user.user,
        codec::encode(spec),
        token.cast_signed(),
        columns::at(at),
        cursor,
    ])?;
    Ok(())
}

fn failing(
    conn: &Connection,
    (name, token): (&SinkName, u64),
    error: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = conn
        .prepare_cached(
            "UPDATE sinks SET failing_since = ifnull(failing_since, ?3), error = ?4 WHERE name = ?1 AND token = ?2",
        )?
        .execute(params![
            name.as_str(),
            token.cast_signed(),
            columns::at(at),
            error
        ])?;
    Ok(changed > 0)
}

fn refusal(refusal: SinkRefusal) -> Stop {
    Stop::Refused(Refusal::Sink(refusal))
}
