//! Alerts, silences, channels and the outbox.

use jiff::Timestamp;
use odin_model::alert::{Acknowledgement, Alert, AlertId, AlertKind, AlertState, Watch};
use odin_model::channel::Channel;
use odin_model::delivery::{Delivery, DeliveryId, Message, MessageId, SettledRecipient};
use odin_model::owner::Owner;
use odin_model::silence::{Silence, SilenceScope};
use odin_model::{ChannelName, JobId, RunId, codec};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::Reader;
use crate::{StoreError, channels, columns, settings};

/// Which alerts are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertsOf {
    /// Of this user's jobs. `None`: all, those about no job included.
    pub owner: Option<Owner>,
    /// Of this job. `None`: of any.
    pub job: Option<JobId>,
    /// Of this kind. `None`: of any.
    pub kind: Option<AlertKind>,
    /// In this state. `None`: those that are not resolved.
    pub state: Option<AlertState>,
}

/// What an outbox wants done, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// What runs are watched for that has happened, earliest first.
    pub watches: Vec<(RunId, Watch)>,
    /// Messages whose instant has come, oldest first.
    pub deliveries: Vec<Delivery>,
    /// The earliest instant of all others. `None`: there is none.
    pub next_at: Option<Timestamp>,
}

const ALERT: &str = "SELECT a.id, a.kind, a.subject, a.subject_id, a.detail, a.owner_uid, a.owner_user, a.run, \
     a.opened_at, a.last_at, a.count, a.state, a.acknowledged_by, a.acknowledged_at, a.acknowledged_reason, \
     a.resolved_at, a.text, CASE a.subject WHEN 0 THEN (SELECT name FROM jobs WHERE id = a.subject_id) \
     WHEN 1 THEN (SELECT name FROM nodes WHERE id = a.subject_id) END FROM alerts a";

const DELIVERY: &str = "SELECT id, channel, run_as_uid, run_as_user, state, urgent, attempt, next_at, made_at, \
     events, more, last, settled_at, settled FROM deliveries";

impl Reader {
    /// Up to `limit` alerts, the newest first, before that id.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn alerts(
        &self,
        of: &AlertsOf,
        before: Option<AlertId>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let state = match of.state {
            None => "state <> 2",
            Some(AlertState::Open) => "state = 0",
            Some(AlertState::Acknowledged) => "state = 1",
            Some(AlertState::Resolved) => "state = 2",
        };
        let sql = format!(
            "{ALERT} WHERE a.{state} AND a.id < ?1 AND (?2 IS NULL OR (a.owner_uid = ?2 AND a.owner_user = ?3)) \
             AND (?4 IS NULL OR (a.subject = 0 AND a.subject_id = ?4)) AND (?5 IS NULL OR a.kind = ?5) \
             ORDER BY a.id DESC LIMIT ?6"
        );
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params![
                before.map_or(i64::MAX, |id| columns::count(id.0)),
                of.owner.as_ref().map(|owner| owner.uid),
                of.owner.as_ref().map(|owner| &owner.user),
                of.job.map(columns::job_id),
                of.kind.map(columns::alert_kind),
                columns::limit(limit),
            ])?;
            let mut alerts = Vec::new();
            while let Some(row) = rows.next()? {
                alerts.push(read_alert(row)?);
            }
            Ok(alerts)
        })
    }

    /// One alert.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn alert(&self, id: AlertId) -> Result<Option<Alert>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(&format!("{ALERT} WHERE a.id = ?1"))?;
            let mut rows = statement.query([columns::count(id.0)])?;
            rows.next()?.map(read_alert).transpose()
        })
    }

    /// How many alerts are open or acknowledged, by kind, in the order of kinds.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn alert_counts(&self) -> Result<Vec<(AlertKind, u64)>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT kind, count(*) FROM alerts INDEXED BY alerts_open WHERE state <> 2 GROUP BY kind ORDER BY kind",
            )?;
            let mut rows = statement.query([])?;
            let mut counts = Vec::new();
            while let Some(row) = rows.next()? {
                let kind = columns::to_alert_kind(row.get(0)?)?;
                counts.push((kind, columns::to_count(row.get(1)?)));
            }
            Ok(counts)
        })
    }

    /// The silences in force at `now`, by id.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT s.id, s.by_uid, s.by_user, s.job, s.kind, s.channel, s.reason, s.from_at, s.until_at, \
                 j.owner_uid, j.owner_user FROM silences s LEFT JOIN jobs j ON j.id = s.job \
                 WHERE s.until_at > ?1 ORDER BY s.id",
            )?;
            let mut rows = statement.query([columns::at(now)])?;
            let mut silences = Vec::new();
            while let Some(row) = rows.next()? {
                silences.push(read_silence(row)?);
            }
            Ok(silences)
        })
    }

    /// All channels, by name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn channels(&self) -> Result<Vec<Channel>, StoreError> {
        self.pool.ask(channels::all)
    }

    /// One channel.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn channel(&self, name: &ChannelName) -> Result<Option<Channel>, StoreError> {
        self.pool.ask(|conn| channels::find(conn, name))
    }

    /// Up to `limit` messages, the newest first, before that one; of one channel, or of all.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn deliveries(
        &self,
        channel: Option<&ChannelName>,
        before: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(&format!(
                "{DELIVERY} WHERE id < ?1 AND (?2 IS NULL OR channel = ?2) ORDER BY id DESC LIMIT ?3"
            ))?;
            let mut rows = statement.query(params![
                before.map_or(i64::MAX, |id| columns::count(id.0)),
                channel.map(ChannelName::as_str),
                columns::limit(limit),
            ])?;
            read_deliveries(&mut rows)
        })
    }

    /// The oldest message to a channel that is not settled, if it was tried before: those after it wait for it, unless some
    /// of its recipients have it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn failing_delivery(&self, channel: &ChannelName) -> Result<Option<Delivery>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(&format!(
                "{DELIVERY} INDEXED BY deliveries_open WHERE channel = ?1 AND state < 3 AND attempt > 0 ORDER BY id LIMIT 1"
            ))?;
            let mut rows = statement.query([channel.as_str()])?;
            rows.next()?.map(read_delivery).transpose()
        })
    }

    /// What is overdue at `now`, up to `limit` of each.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn overdue(&self, now: Timestamp, limit: usize) -> Result<Overdue, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT run, watch FROM watches INDEXED BY watches_by_instant WHERE at <= ?1 ORDER BY at, run LIMIT ?2",
            )?;
            let mut rows = statement.query((columns::at(now), columns::limit(limit)))?;
            let mut watches = Vec::new();
            while let Some(row) = rows.next()? {
                watches.push((columns::to_run_id(row.get(0)?), columns::to_watch(row.get(1)?)?));
            }
            // Unsettled messages are few: their number is bounded for each channel. One that was tried and not
            // taken holds back those after it: they arrive in order, and gather while the channel is down. One that
            // some of its recipients have does not: the channel is not down.
            let mut statement = conn.prepare_cached(&format!(
                "{DELIVERY} INDEXED BY deliveries_open WHERE state < 3 AND next_at <= ?1 AND NOT EXISTS \
                 (SELECT 1 FROM deliveries f WHERE f.channel = deliveries.channel AND f.urgent = deliveries.urgent \
                 AND f.state < 3 AND f.attempt > 0 AND f.settled IS NULL AND f.id < deliveries.id) ORDER BY id LIMIT ?2"
            ))?;
            let mut rows = statement.query((columns::at(now), columns::limit(limit)))?;
            let deliveries = read_deliveries(&mut rows)?;
            Ok(Overdue {
                watches,
                deliveries,
                next_at: next_at(conn, now)?,
            })
        })
    }

    /// A message with what it says. `None`: there is no such message, or its channel is gone.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn message(&self, id: DeliveryId) -> Result<Option<(Message, Channel)>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(&format!("{DELIVERY} WHERE id = ?1"))?;
            let mut rows = statement.query([columns::count(id.0)])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let (delivery, settled) = (read_delivery(row)?, read_settled(row.get_ref(13)?)?);
            let Some(channel) = channels::find(conn, &delivery.channel)? else {
                return Ok(None);
            };
            let mut statement = conn.prepare_cached(
                "SELECT event FROM delivery_events WHERE delivery = ?1 ORDER BY number",
            )?;
            let mut rows = statement.query([columns::count(id.0)])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                events.push(codec::decode(bytes)?);
            }
            let message = Message {
                id: MessageId {
                    token: channel.token,
                    generation: settings::generation(conn)?,
                    delivery: id,
                },
                channel: delivery.channel,
                made_at: delivery.made_at,
                events,
                more: delivery.more,
                settled,
            };
            Ok(Some((message, channel)))
        })
    }
}

fn next_at(conn: &Connection, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let now = columns::at(now);
    let watch: Option<i64> = conn
        .prepare_cached("SELECT min(at) FROM watches INDEXED BY watches_by_instant WHERE at > ?1")?
        .query_row([now], |row| row.get(0))?;
    let delivery: Option<i64> = conn
        .prepare_cached(
            "SELECT min(next_at) FROM deliveries INDEXED BY deliveries_open WHERE state < 3 AND next_at > ?1",
        )?
        .query_row([now], |row| row.get(0))?;
    let earliest = watch.into_iter().chain(delivery).min();
    Ok(columns::to_at_option(earliest))
}

fn owner_of(uid: Option<u32>, user: Option<String>) -> Option<Owner> {
    uid.zip(user).map(|(uid, user)| Owner { user, uid })
}

fn read_alert(row: &Row<'_>) -> Result<Alert, StoreError> {
    let subject = (row.get(2)?, row.get(3)?);
    let by: Option<String> = row.get(12)?;
    let at = columns::to_at_option(row.get(13)?);
    let reason: Option<String> = row.get(14)?;
    let acknowledged = by.zip(at).zip(reason);
    Ok(Alert {
        id: AlertId(columns::to_count(row.get(0)?)),
        key: columns::to_alert_key(row.get(1)?, subject, row.get(4)?)?,
        owner: owner_of(row.get(5)?, row.get(6)?),
        run: row.get::<_, Option<i64>>(7)?.map(columns::to_run_id),
        opened_at: columns::to_at(row.get(8)?),
        last_at: columns::to_at(row.get(9)?),
        count: columns::to_count(row.get(10)?),
        state: columns::to_alert_state(row.get(11)?)?,
        acknowledged: acknowledged.map(|((by, at), reason)| Acknowledgement { by, at, reason }),
        resolved_at: columns::to_at_option(row.get(15)?),
        text: row.get(16)?,
        subject_name: row.get(17)?,
    })
}

fn read_silence(row: &Row<'_>) -> Result<Silence, StoreError> {
    let kind: Option<i64> = row.get(4)?;
    let channel: Option<String> = row.get(5)?;
    Ok(Silence {
        id: columns::to_count(row.get(0)?),
        by: Owner {
            uid: row.get(1)?,
            user: row.get(2)?,
        },
        owner: owner_of(row.get(9)?, row.get(10)?),
        scope: SilenceScope {
            job: row.get::<_, Option<i64>>(3)?.map(columns::to_job_id),
            kind: kind.map(columns::to_alert_kind).transpose()?,
            channel: channel.map(|name| channels::to_name(&name)).transpose()?,
        },
        reason: row.get(6)?,
        from: columns::to_at(row.get(7)?),
        until: columns::to_at(row.get(8)?),
    })
}

fn read_deliveries(rows: &mut rusqlite::Rows<'_>) -> Result<Vec<Delivery>, StoreError> {
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(read_delivery(row)?);
    }
    Ok(deliveries)
}

/// Recipients to whom a message is not sent again.
pub(crate) fn read_settled(bytes: ValueRef<'_>) -> Result<Vec<SettledRecipient>, StoreError> {
    match bytes.as_blob_or_null().map_err(rusqlite::Error::from)? {
        Some(bytes) => Ok(codec::decode(bytes)?),
        None => Ok(Vec::new()),
    }
}

fn read_delivery(row: &Row<'_>) -> Result<Delivery, StoreError> {
    let channel: String = row.get(1)?;
    Ok(Delivery {
        id: DeliveryId(columns::to_count(row.get(0)?)),
        channel: channels::to_name(&channel)?,
        run_as: owner_of(row.get(2)?, row.get(3)?),
        state: columns::to_delivery_state(row.get(4)?)?,
        urgent: row.get(5)?,
        attempt: row.get(6)?,
        next_at: columns::to_at_option(row.get(7)?),
        made_at: columns::to_at(row.get(8)?),
        events: columns::to_count(row.get(9)?),
        more: columns::to_count(row.get(10)?),
        last: row.get(11)?,
        settled_at: columns::to_at_option(row.get(12)?),
    })
}
