//! The rows of secrets: whose a name means, and which jobs use it. Values are sealed before they get here.

use odin_model::job::JobName;
use odin_model::owner::Owner;
use odin_model::secret::{SealedSecret, SecretName};
use odin_model::sink::SinkName;
use odin_model::{ChannelName, JobId, codec};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{StoreError, channels, columns, sinks};

/// How many of a secret's jobs are named.
pub(crate) const USERS_SHOWN_MAX: usize = 10;

/// The secret that the name means for jobs of `user`: their own, else the one shared with them.
pub(crate) fn usable(
    conn: &Connection,
    user: &Owner,
    name: &SecretName,
) -> Result<Option<(Owner, SealedSecret)>, StoreError> {
    if let Some(sealed) = of_owner(conn, user, name)? {
        return Ok(Some((user.clone(), sealed)));
    }
    let Some(owner) = shared_by(conn, user, name)? else {
        return Ok(None);
    };
    Ok(of_owner(conn, &owner, name)?.map(|sealed| (owner, sealed)))
}

fn of_owner(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
) -> Result<Option<SealedSecret>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT sealed FROM secrets WHERE owner_uid = ?1 AND owner_user = ?2 AND name = ?3",
    )?;
    let sealed: Option<Vec<u8>> = statement
        .query_row(params![owner.uid, owner.user, name.as_str()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(sealed.map(|bytes| codec::decode(&bytes)).transpose()?)
}

/// Whether the owner has it.
pub(crate) fn is_there(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM secrets WHERE owner_uid = ?1 AND owner_user = ?2 AND name = ?3)",
    )?;
    Ok(
        statement.query_row(params![owner.uid, owner.user, name.as_str()], |row| {
            row.get(0)
        })?,
    )
}

/// Who shares a secret of that name with the user: at most one does.
pub(crate) fn shared_by(
    conn: &Connection,
    user: &Owner,
    name: &SecretName,
) -> Result<Option<Owner>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT owner_uid, owner_user FROM secret_shares WHERE with_uid = ?1 AND with_user = ?2 AND name = ?3",
    )?;
    let owner = statement.query_row(params![user.uid, user.user, name.as_str()], to_owner);
    Ok(owner.optional()?)
}

/// With whom an owner's secret is shared, by user name.
pub(crate) fn shared_with(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
) -> Result<Vec<Owner>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT with_uid, with_user FROM secret_shares \
         WHERE owner_uid = ?1 AND owner_user = ?2 AND name = ?3 ORDER BY with_user, with_uid",
    )?;
    let users = statement.query_map(params![owner.uid, owner.user, name.as_str()], to_owner)?;
    Ok(users.collect::<Result<_, _>>()?)
}

/// Jobs that use a secret: the first by name, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct Users {
    pub(crate) jobs: Vec<(JobId, JobName)>,
    pub(crate) count: u64,
}

/// The deployed jobs of the owner that use the owner's own secret, and those of each user that it is shared with
/// and who has none of that name. All are counted; those of `seen_by` are named, or all.
pub(crate) fn users(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
    seen_by: Option<&Owner>,
) -> Result<Users, StoreError> {
    let mut users = Users::default();
    add_jobs(conn, owner, name, seen_by, &mut users)?;
    for with in shared_with(conn, owner, name)? {
        users_of_share(conn, &with, name, seen_by, &mut users)?;
    }
    Ok(users)
}

/// Adds the user's jobs that use the secret of that name which is shared with them.
pub(crate) fn users_of_share(
    conn: &Connection,
    with: &Owner,
    name: &SecretName,
    seen_by: Option<&Owner>,
    users: &mut Users,
) -> Result<(), StoreError> {
    if is_there(conn, with, name)? {
        return Ok(());
    }
    add_jobs(conn, with, name, seen_by, users)
}

fn add_jobs(
    conn: &Connection,
    user: &Owner,
    name: &SecretName,
    seen_by: Option<&Owner>,
    users: &mut Users,
) -> Result<(), StoreError> {
    let is_seen = seen_by.is_none_or(|seen_by| seen_by == user);
    let mut statement = conn.prepare_cached(
        "SELECT j.id, j.name FROM job_secrets u CROSS JOIN jobs j ON j.id = u.job \
         WHERE u.name = ?1 AND j.owner_uid = ?2 AND j.owner_user = ?3 ORDER BY j.name, j.id",
    )?;
    let mut rows = statement.query(params![name.as_str(), user.uid, user.user])?;
    while let Some(row) = rows.next()? {
        users.count += 1;
        if is_seen && users.jobs.len() < USERS_SHOWN_MAX {
            let name: String = row.get(1)?;
            let name = JobName::parse(&name).map_err(|_| StoreError::damaged("a job's name"))?;
            users.jobs.push((columns::to_job_id(row.get(0)?), name));
        }
    }
    Ok(())
}

/// For whom the name means this secret: its owner, and those whom it is shared with and who have none of their own.
pub(crate) fn meant_by(
    conn: &Connection,
    owner: &Owner,
    name: &SecretName,
) -> Result<Vec<Owner>, StoreError> {
    let mut users = vec![owner.clone()];
    for with in shared_with(conn, owner, name)? {
        if !is_there(conn, &with, name)? {
            users.push(with);
        }
    }
    Ok(users)
}

/// The channels of these users that name such a secret.
pub(crate) fn channels_of_users(
    conn: &Connection,
    users: &[Owner],
    name: &SecretName,
) -> Result<Vec<ChannelName>, StoreError> {
    let all = channels::all(conn)?.into_iter();
    let using = all.filter(|channel| {
        channel.spec.target.secret() == Some(name) && users.contains(&channel.owner)
    });
    Ok(using.map(|channel| channel.name).collect())
}

/// The sinks of these users that name such a secret.
pub(crate) fn sinks_of_users(
    conn: &Connection,
    users: &[Owner],
    name: &SecretName,
) -> Result<Vec<SinkName>, StoreError> {
    let all = sinks::all(conn)?.into_iter();
    let using =
        all.filter(|sink| sink.spec.secret.as_ref() == Some(name) && users.contains(&sink.owner));
    Ok(using.map(|sink| sink.name).collect())
}

pub(crate) fn to_owner(row: &Row<'_>) -> rusqlite::Result<Owner> {
    Ok(Owner {
        uid: row.get(0)?,
        user: row.get(1)?,
    })
}
