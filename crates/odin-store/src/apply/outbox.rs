//! Messages to channels: gathered, sent, settled. What a channel waits for is bounded, and so is what is kept.

use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{AlertEvent, AlertKey, AlertKind, Raised, Subject, cut};
use odin_model::channel::Target;
use odin_model::delivery::{
    DeliveryId, DeliveryState, DeliveryStep, EVENTS_IN_MESSAGE_MAX, MESSAGES_WAITING_MAX,
    SETTLED_KEPT_MAX,
};
use odin_model::owner::Owner;
use odin_model::{ChannelName, Reply, codec};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop, alert, channel};
use crate::{StoreError, columns};

/// Puts word of an alert into the message to a channel that is being gathered, or into a new one. Whether there is
/// such a channel.
pub(super) fn add(
    conn: &Connection,
    name: &ChannelName,
    owner: Option<&Owner>,
    event: &AlertEvent,
) -> Result<bool, StoreError> {
    let Some(channel) = channel::find(conn, name)? else {
        return Ok(false);
    };
    let is_urgent = channel.spec.urgent.contains(&event.kind);
    let run_as = match channel.spec.target {
        Target::Command(_) => owner,
        Target::Email(_) | Target::Webhook(_) => None,
    };
    let latest = gathering(conn, name, is_urgent, run_as)?;
    let room = |events: u64| usize::try_from(events).is_ok_and(|it| it < EVENTS_IN_MESSAGE_MAX);
    if let Some((id, events)) = latest
        && room(events)
    {
        list(conn, id, events, event)?;
        return Ok(true);
    }
    let waiting: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM deliveries INDEXED BY deliveries_open WHERE channel = ?1 AND state < 3",
        )?
        .query_row([name.as_str()], |row| row.get(0))?;
    if columns::to_count(waiting) >= MESSAGES_WAITING_MAX {
        count_one_more(conn, name)?;
        return Ok(true);
    }
    let gather = SignedDuration::try_from(channel.spec.gather).unwrap_or(SignedDuration::ZERO);
    let next_at = event.at.saturating_add(gather).unwrap_or(Timestamp::MAX);
    let id = insert(conn, name, run_as, is_urgent, (event.at, next_at))?;
    list(conn, id, 0, event)?;
    Ok(true)
}

/// The newest message to a channel that has not been tried, with how many alerts it lists.
fn gathering(
    conn: &Connection,
    name: &ChannelName,
    is_urgent: bool,
    run_as: Option<&Owner>,
) -> Result<Option<(i64, u64)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, events FROM deliveries INDEXED BY deliveries_open WHERE channel = ?1 AND state < 3 AND state = ?2 \
         AND urgent = ?3 AND run_as_uid IS ?4 AND run_as_user IS ?5 ORDER BY id DESC LIMIT 1",
    )?;
    let found = statement.query_row(
        params![
            name.as_str(),
            columns::delivery_state(DeliveryState::Gathering),
            is_urgent,
            run_as.map(|owner| owner.uid),
            run_as.map(|owner| &owner.user),
        ],
        |row| Ok((row.get(0)?, columns::to_count(row.get(1)?))),
    );
    Ok(found.optional()?)
}

fn list(conn: &Connection, id: i64, number: u64, event: &AlertEvent) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO delivery_events (delivery, number, event) VALUES (?1, ?2, ?3)",
    )?
    .execute((id, columns::count(number), codec::encode(event)))?;
    conn.prepare_cached("UPDATE deliveries SET events = ?2 WHERE id = ?1")?
        .execute((id, columns::count(number + 1)))?;
    Ok(())
}

/// The last message that waits says that there was more. A message that was tried is left as it is, so that it is
/// the same when it is tried again; then the alert is in the list of alerts alone.
fn count_one_more(conn: &Connection, name: &ChannelName) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE deliveries SET more = more + 1 WHERE id = (SELECT max(id) FROM deliveries INDEXED BY deliveries_open \
         WHERE channel = ?1 AND state < 3 AND state = ?2)",
    )?
    .execute((
        name.as_str(),
        columns::delivery_state(DeliveryState::Gathering),
    ))?;
    Ok(())
}

fn insert(
    conn: &Connection,
    name: &ChannelName,
    run_as: Option<&Owner>,
    is_urgent: bool,
    (made_at, next_at): (Timestamp, Timestamp),
) -> Result<i64, StoreError> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(id) FROM deliveries")?
        .query_row([], |row| row.get(0))?;
    let id = last.unwrap_or(0) + 1;
    conn.prepare_cached(
        "INSERT INTO deliveries (id, channel, run_as_uid, run_as_user, state, urgent, attempt, next_at, made_at, \
         events, more) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, 0, 0)",
    )?
    .execute(params![
        id,
        name.as_str(),
        run_as.map(|owner| owner.uid),
        run_as.map(|owner| &owner.user),
        columns::delivery_state(DeliveryState::Gathering),
        is_urgent,
        columns::at(next_at),
        columns::at(made_at),
    ])?;
    // Old ones make room. The newest is never among them, so ids count on.
    let oldest = id - columns::count(SETTLED_KEPT_MAX);
    conn.prepare_cached(
        "DELETE FROM delivery_events WHERE delivery IN (SELECT id FROM deliveries INDEXED BY deliveries_settled \
         WHERE state >= 3 AND id <= ?1)",
    )?
    .execute([oldest])?;
    conn.prepare_cached(
        "DELETE FROM deliveries INDEXED BY deliveries_settled WHERE state >= 3 AND id <= ?1",
    )?
    .execute([oldest])?;
    Ok(id)
}

/// A message as a step finds it.
struct Row {
    channel: String,
    state: DeliveryState,
    attempt: u32,
    next_at: Option<Timestamp>,
}

fn find(conn: &Connection, id: DeliveryId) -> Result<Option<Row>, StoreError> {
    let mut statement = conn
        .prepare_cached("SELECT channel, state, attempt, next_at FROM deliveries WHERE id = ?1")?;
    let mut rows = statement.query([columns::count(id.0)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Row {
        channel: row.get(0)?,
        state: columns::to_delivery_state(row.get(1)?)?,
        attempt: row.get(2)?,
        next_at: columns::to_at_option(row.get(3)?),
    }))
}

/// A step of a message. One that comes too late, or for another attempt, changes nothing; the reply says which with
/// [`Reply::Stepped`].
pub(super) fn apply(batch: &mut Batch<'_>, step: &DeliveryStep) -> Result<Reply, Stop> {
    let (DeliveryStep::Begin {
        delivery, attempt, ..
    }
    | DeliveryStep::Hold {
        delivery, attempt, ..
    }
    | DeliveryStep::Done {
        delivery, attempt, ..
    }
    | DeliveryStep::Failed {
        delivery, attempt, ..
    }) = step;
    let Some(row) = find(batch.conn, *delivery)? else {
        return Ok(Reply::Stepped { counts: false });
    };
    let id = columns::count(delivery.0);
    let counts = match step {
        DeliveryStep::Begin { at, until, .. } => {
            let is_next = row.attempt.checked_add(1) == Some(*attempt);
            let is_time = row.next_at.is_some_and(|next| next <= *at);
            let counts = is_next && is_time && !row.state.is_settled();
            if counts {
                begin(batch.conn, id, *attempt, *until)?;
            }
            counts
        }
        DeliveryStep::Hold { until, .. } => {
            let waits = matches!(
                row.state,
                DeliveryState::Gathering | DeliveryState::Retrying
            );
            let counts = row.attempt == *attempt && waits;
            if counts {
                batch
                    .conn
                    .prepare_cached("UPDATE deliveries SET next_at = ?2 WHERE id = ?1")?
                    .execute((id, columns::at(*until)))?;
            }
            counts
        }
        DeliveryStep::Done { answer, at, .. } => {
            let counts = row.state == DeliveryState::Sending && row.attempt == *attempt;
            if counts {
                settle(batch.conn, id, DeliveryState::Sent, answer, *at)?;
                works_again(batch, &row.channel, *at)?;
            }
            counts
        }
        DeliveryStep::Failed {
            error, next_at, at, ..
        } => {
            let counts = row.state == DeliveryState::Sending && row.attempt == *attempt;
            if counts {
                match next_at {
                    Some(next) => put_off(batch.conn, id, error, *next)?,
                    None => {
                        settle(batch.conn, id, DeliveryState::GivenUp, error, *at)?;
                        gave_up(batch, &row.channel, error, *at)?;
                    }
                }
            }
            counts
        }
    };
    Ok(Reply::Stepped { counts })
}

fn begin(conn: &Connection, id: i64, attempt: u32, until: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE deliveries SET state = ?2, attempt = ?3, next_at = ?4 WHERE id = ?1",
    )?
    .execute(params![
        id,
        columns::delivery_state(DeliveryState::Sending),
        attempt,
        columns::at(until)
    ])?;
    Ok(())
}

fn put_off(conn: &Connection, id: i64, error: &str, next: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE deliveries SET state = ?2, next_at = ?3, last = ?4 WHERE id = ?1")?
        .execute(params![
            id,
            columns::delivery_state(DeliveryState::Retrying),
            columns::at(next),
            cut(error)
        ])?;
    Ok(())
}

fn settle(
    conn: &Connection,
    id: i64,
    state: DeliveryState,
    last: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE deliveries SET state = ?2, next_at = NULL, last = ?3, settled_at = ?4 WHERE id = ?1",
    )?
    .execute(params![
        id,
        columns::delivery_state(state),
        cut(last),
        columns::at(at)
    ])?;
    Ok(())
}

fn channel_down(channel: &str) -> AlertKey {
    AlertKey::detailed(AlertKind::ChannelDown, Subject::Cluster, channel)
}

/// What was not delivered must be seen somewhere.
fn gave_up(
    batch: &mut Batch<'_>,
    channel: &str,
    error: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let raised = Raised {
        key: channel_down(channel),
        run: None,
        text: format!("a message to the channel `{channel}` was given up: {error}"),
    };
    alert::raise(batch, &raised, 1, at)
}

fn works_again(batch: &mut Batch<'_>, channel: &str, at: Timestamp) -> Result<(), StoreError> {
    let text = format!("the channel `{channel}` took a message");
    alert::resolve(batch, &channel_down(channel), None, &text, at)
}

/// Removes what waits for a channel that goes.
pub(super) fn drop_waiting(conn: &Connection, name: &ChannelName) -> Result<(), StoreError> {
    conn.prepare_cached(
        "DELETE FROM delivery_events WHERE delivery IN (SELECT id FROM deliveries INDEXED BY deliveries_open \
         WHERE channel = ?1 AND state < 3)",
    )?
    .execute([name.as_str()])?;
    conn.prepare_cached(
        "UPDATE deliveries SET state = 4, next_at = NULL, last = 'the channel was removed', events = 0 \
         WHERE channel = ?1 AND state < 3",
    )?
    .execute([name.as_str()])?;
    Ok(())
}
