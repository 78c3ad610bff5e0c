//! The rows of channels.

use odin_model::channel::Channel;
use odin_model::owner::Owner;
use odin_model::{ChannelName, codec};
use rusqlite::{Connection, Row};

use crate::{StoreError, columns};

/// The columns that `read` takes, in its order.
macro_rules! channel_columns {
    () => {
        "name, owner_uid, owner_user, spec, token, set_at"
    };
}

/// The channel of that name.
pub(crate) fn find(conn: &Connection, name: &ChannelName) -> Result<Option<Channel>, StoreError> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT ",
        channel_columns!(),
        " FROM channels WHERE name = ?1"
    ))?;
    let mut rows = statement.query([name.as_str()])?;
    rows.next()?.map(read).transpose()
}

/// All channels, by name.
pub(crate) fn all(conn: &Connection) -> Result<Vec<Channel>, StoreError> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT ",
        channel_columns!(),
        " FROM channels ORDER BY name"
    ))?;
    let mut rows = statement.query([])?;
    let mut channels = Vec::new();
    while let Some(row) = rows.next()? {
        channels.push(read(row)?);
    }
    Ok(channels)
}

/// The first names.
pub(crate) fn names(conn: &Connection, limit: usize) -> Result<Vec<ChannelName>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT name FROM channels ORDER BY name LIMIT ?1")?;
    let names = statement.query_map([columns::limit(limit)], |row| row.get::<_, String>(0))?;
    names.map(|name| to_name(&name?)).collect()
}

pub(crate) fn to_name(text: &str) -> Result<ChannelName, StoreError> {
    ChannelName::parse(text).map_err(|_| StoreError::damaged("a channel's name"))
}

fn read(row: &Row<'_>) -> Result<Channel, StoreError> {
    let name: String = row.get(0)?;
    let spec = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(Channel {
        name: to_name(&name)?,
        owner: Owner {
            uid: row.get(1)?,
            user: row.get(2)?,
        },
        spec: codec::decode(spec)?,
        token: row.get::<_, i64>(4)?.cast_unsigned(),
        set_at: columns::to_at(row.get(5)?),
    })
}
