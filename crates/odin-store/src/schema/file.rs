//! A file with the tables: made, or looked at before it is used.

use rusqlite::{Connection, TransactionBehavior};

use super::{APPLICATION_ID, TABLES, VERSION};
use crate::StoreError;

/// Makes the tables in a new file; in an old one, checks that this build can read it.
///
/// # Errors
/// The file is of a newer version, of something else, or cannot be written.
pub(crate) fn prepare(conn: &mut Connection) -> Result<(), StoreError> {
    if check(conn)? == Found::Ours {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing yet.
    Empty,
    /// A state that this build reads.
    Ours,
}

/// Looks at a file without changing it.
///
/// # Errors
/// The file is of a newer version, of something else, or cannot be read.
pub(crate) fn check(conn: &Connection) -> Result<Found, StoreError> {
    let number = |pragma| conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let found = number("user_version")?;
    if number("application_id")? == APPLICATION_ID {
        return match found {
            VERSION => Ok(Found::Ours),
            ..VERSION => Err(StoreError::Older {
                found,
                supported: VERSION,
            }),
            _ => Err(StoreError::Newer {
                found,
                supported: VERSION,
            }),
        };
    }
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && found == 0 {
        Ok(Found::Empty)
    } else {
        Err(StoreError::NotAState)
    }
}
