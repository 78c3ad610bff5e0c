//! Channels: set up and removed by admins, named by jobs.

use odin_model::alert::AlertRefusal;
use odin_model::channel::{CHANNELS_MAX, Channel, ChannelChange};
use odin_model::owner::{Owner, Role};
use odin_model::secret::{SecretName, SecretRefusal};
use odin_model::{ChannelName, JobId, JobSpec, Refusal, Reply, codec};
use rusqlite::{Connection, params};

use super::{Batch, Stop, outbox};
use crate::{StoreError, channels, columns, secrets};

/// How many channels a refusal names.
const NAMED_MAX: usize = 10;

pub(super) fn apply(batch: &mut Batch<'_>, change: &ChannelChange) -> Result<Reply, Stop> {
    let conn = batch.conn;
    match change {
        ChannelChange::Set {
            by,
            name,
            spec,
            token,
            at,
        } => {
            by.need(Role::Admin)?;
            let known = find(conn, name)?;
            if known.is_none() {
                need_room(conn)?;
            }
            if let Some(secret) = spec.target.secret() {
                need_secret(conn, &by.user, secret)?;
            }
            conn.prepare_cached(
                "INSERT INTO channels (name, owner_uid, owner_user, spec, server_alerts, token, set_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (name) DO UPDATE SET owner_uid = ?2, owner_user = ?3, spec = ?4, server_alerts = ?5, set_at = ?7",
            )?
            .execute(params![
                name.as_str(),
                by.user.uid,
                by.user.user,
                codec::encode(spec),
                spec.server_alerts,
                token.cast_signed(),
                columns::at(*at),
            ])?;
        }
        ChannelChange::Remove { by, name, force } => {
            by.need(Role::Admin)?;
            if find(conn, name)?.is_none() {
                return Err(refusal(AlertRefusal::NoSuchChannel(name.clone())));
            }
            let jobs = users(conn, name)?;
            if jobs > 0 && !force {
                let name = name.clone();
                return Err(refusal(AlertRefusal::ChannelInUse { name, jobs }));
            }
            outbox::drop_waiting(conn, name)?;
            conn.prepare_cached("DELETE FROM channels WHERE name = ?1")?
                .execute([name.as_str()])?;
        }
    }
    Ok(Reply::Done)
}

pub(super) fn refusal(refusal: AlertRefusal) -> Stop {
    Stop::Refused(Refusal::Alert(refusal))
}

fn need_room(conn: &Connection) -> Result<(), Stop> {
    let count: i64 = conn.query_row("SELECT count(*) FROM channels", [], |row| row.get(0))?;
    let count = columns::to_count(count);
    match usize::try_from(count).is_ok_and(|count| count < CHANNELS_MAX) {
        true => Ok(()),
        false => Err(refusal(AlertRefusal::TooManyChannels { count })),
    }
}

pub(super) fn need_secret(conn: &Connection, owner: &Owner, name: &SecretName) -> Result<(), Stop> {
    if secrets::usable(conn, owner, name)?.is_some() {
        return Ok(());
    }
    Err(Stop::Refused(Refusal::Secret(SecretRefusal::NotFound {
        name: name.clone(),
        owner: owner.user.clone(),
    })))
}

/// Refuses a job that names a channel that is not there.
pub(super) fn need_known(conn: &Connection, spec: &JobSpec) -> Result<(), Stop> {
    for name in &spec.alerting.to {
        if find(conn, name)?.is_none() {
            let channels = channels::names(conn, NAMED_MAX)?;
            let name = name.clone();
            return Err(refusal(AlertRefusal::UnknownChannel { name, channels }));
        }
    }
    Ok(())
}

/// Notes which channels a job's current version names.
pub(super) fn note_uses(
    conn: &Connection,
    job: JobId,
    names: &[ChannelName],
) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM job_channels WHERE job = ?1")?
        .execute([columns::job_id(job)])?;
    for name in names {
        conn.prepare_cached("INSERT OR IGNORE INTO job_channels (channel, job) VALUES (?1, ?2)")?
            .execute((name.as_str(), columns::job_id(job)))?;
    }
    Ok(())
}

fn users(conn: &Connection, name: &ChannelName) -> Result<u64, StoreError> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM job_channels WHERE channel = ?1")?
        .query_row([name.as_str()], |row| row.get(0))?;
    Ok(columns::to_count(count))
}

pub(super) fn find(conn: &Connection, name: &ChannelName) -> Result<Option<Channel>, StoreError> {
    channels::find(conn, name)
}

/// The channels that get what is about no job, by name.
pub(super) fn of_server(conn: &Connection) -> Result<Vec<ChannelName>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT name FROM channels WHERE server_alerts ORDER BY name")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| channels::to_name(&name?)).collect()
}
