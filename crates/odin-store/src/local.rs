//! What this node alone says of its copy: how far it is applied. Stored with each batch, not part of the state hash.

use rusqlite::{Connection, OptionalExtension};

use crate::StoreError;

const MARK: &str = "mark";
const APPLIED: &str = "applied";
const SWEPT: &str = "swept";

/// The mark stored with the last applied batch.
pub(crate) fn mark(conn: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
    get(conn, MARK)
}

/// The log index of the latest command applied; 0 before the first.
pub(crate) fn applied(conn: &Connection) -> Result<u64, StoreError> {
    index(conn, APPLIED)
}

/// Runs that ended up to this index of the log are in files of history and no longer in this copy; 0: none are.
pub(crate) fn swept(conn: &Connection) -> Result<u64, StoreError> {
    index(conn, SWEPT)
}

/// Stores that.
pub(crate) fn set_swept(conn: &Connection, upto: u64) -> Result<(), StoreError> {
    put(conn, SWEPT, &upto.to_le_bytes())
}

fn index(conn: &Connection, key: &str) -> Result<u64, StoreError> {
    let Some(bytes) = get(conn, key)? else {
        return Ok(0);
    };
    let bytes = bytes
        .try_into()
        .map_err(|_| StoreError::damaged("an index of the log"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// Stores both.
pub(crate) fn set(conn: &Connection, mark: &[u8], applied: u64) -> Result<(), StoreError> {
    put(conn, MARK, mark)?;
    put(conn, APPLIED, &applied.to_le_bytes())
}

fn get(conn: &Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT value FROM local WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

fn put(conn: &Connection, key: &str, value: &[u8]) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO local (key, value) VALUES (?1, ?2)")?
        .execute((key, value))?;
    Ok(())
}
