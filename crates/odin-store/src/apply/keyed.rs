//! Commands that count once within a day, however often they are sent.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::{Command, Refusal, Reply, codec};
use rusqlite::{OptionalExtension, params};

use super::{Batch, Stop};
use crate::columns;

/// How long a key counts.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many old keys one command deletes at most: more than it adds, so they never pile up.
const DELETED_MAX: usize = 16;

/// What a sender calls its request.
pub(super) struct Key<'k> {
    pub(super) principal: &'k str,
    pub(super) key: &'k str,
}

/// Applies `command`, or answers as it was answered before. A refusal is not kept: it changed nothing, and the
/// handler may mend the command and send it again under the same key.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    key: &Key<'_>,
    digest: &[u8; 32],
    at: Timestamp,
    command: &Command,
) -> Result<Reply, Stop> {
    let oldest = columns::at(at).saturating_sub(columns::duration(KEPT));
    let earlier: Option<([u8; 32], Vec<u8>)> = batch
        .conn
        .prepare_cached(
            "SELECT digest, reply FROM keyed_replies WHERE principal = ?1 AND key = ?2 AND at >= ?3",
        )?
        .query_row(params![key.principal, key.key, oldest], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((asked, reply)) = earlier {
        if asked != *digest {
            return Err(Refusal::KeyReused.into());
        }
        return Ok(codec::decode(&reply)?);
    }

    let reply = batch.dispatch(command)?;
    let mut delete = batch.conn.prepare_cached(&format!(
        "DELETE FROM keyed_replies WHERE (principal, key) IN (SELECT principal, key FROM keyed_replies \
         WHERE at < ?1 ORDER BY at, principal, key LIMIT {DELETED_MAX})"
    ))?;
    delete.execute([oldest])?;
    let mut insert = batch.conn.prepare_cached(
        "INSERT OR REPLACE INTO keyed_replies (principal, key, digest, at, reply) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![
        key.principal,
        key.key,
        digest,
        columns::at(at),
        codec::encode(&reply),
    ])?;
    Ok(reply)
}
