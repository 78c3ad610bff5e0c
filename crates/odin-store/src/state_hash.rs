//! One number for the whole replicated state, so that two nodes can be compared.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};

use crate::StoreError;
use crate::schema::{OF_RUNS, REPLICATED, unsealed};

/// The SHA-256 over the replicated tables' rows in primary-key order. Rows of sealed runs are left out: each node takes
/// them out of its state when it has its file of them.
pub(crate) fn of(conn: &Connection) -> Result<[u8; 32], StoreError> {
    let mut hash = Sha256::new();
    for (table, key) in REPLICATED {
        feed(&mut hash, b't', table.as_bytes());
        let condition = if table == "runs" {
            concat!("WHERE ", unsealed!("runs"))
        } else if OF_RUNS.iter().any(|(of_run, _)| *of_run == table) {
            concat!(
                "WHERE EXISTS (SELECT 1 FROM runs r WHERE r.id = run AND ",
                unsealed!("r"),
                ")"
            )
        } else {
            ""
        };
        let mut statement =
            conn.prepare(&format!("SELECT * FROM {table} {condition} ORDER BY {key}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => feed(&mut hash, b'n', &[]),
                    ValueRef::Integer(number) => feed(&mut hash, b'i', &number.to_le_bytes()),
                    ValueRef::Real(number) => feed(&mut hash, b'r', &number.to_le_bytes()),
                    ValueRef::Text(text) => feed(&mut hash, b's', text),
                    ValueRef::Blob(bytes) => feed(&mut hash, b'b', bytes),
                }
            }
        }
    }
    Ok(hash.finalize().into())
}

/// Kind and length before the bytes, so that no two lists of values give the same stream.
fn feed(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
