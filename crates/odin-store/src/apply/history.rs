//! What leaves the state: sealed periods, and what is no longer kept.
//!
//! Nothing here deletes a row that another command reads: each node takes the rows of a sealed period out of its
//! state when its file of history is on the disk, at a pace of its own. So from the command on, a sealed run is not
//! there for apply, whether its row is or not.

use odin_model::retention::{Forget, ForgetOf, Seal};
use odin_model::{Reply, RunId};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop};
use crate::{StoreError, columns};

/// Begins a file of history. One that was proposed by another leader at the same time counts once.
pub(super) fn seal(batch: &mut Batch<'_>, asked: &Seal) -> Result<Reply, Stop> {
    let (number, before) = latest(batch.conn)?;
    // What ends in this entry or after it is of the next period.
    let upto = asked.upto.min(batch.index.saturating_sub(1));
    if asked.after != before || upto <= before {
        return Ok(Reply::Done);
    }
    batch
        .conn
        .prepare_cached("INSERT INTO seals (number, after, upto, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            columns::count(number + 1),
            columns::count(before),
            columns::count(upto),
            columns::at(asked.at),
        ])?;
    Ok(Reply::Done)
}

/// The number of the latest sealed period, and the index of the log up to which it goes; zeros before the first.
fn latest(conn: &Connection) -> Result<(u64, u64), StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT number, upto FROM seals ORDER BY number DESC LIMIT 1")?;
    let row = statement
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map_or((0, 0), |(number, upto)| {
        (columns::to_count(number), columns::to_count(upto))
    }))
}

/// Lets go of what is not kept. A bound only ever moves on, so an older proposal changes nothing.
pub(super) fn forget(batch: &mut Batch<'_>, asked: &Forget) -> Result<Reply, Stop> {
    for of in &asked.jobs {
        forget_of(batch.conn, of)?;
    }
    // The latest period stays: apply reads from it what is sealed.
    batch
        .conn
        .prepare_cached(
            "UPDATE seals SET dropped = 1 WHERE dropped = 0 AND number <= ?1 \
             AND number < (SELECT max(number) FROM seals)",
        )?
        .execute([columns::count(asked.files_upto)])?;
    Ok(Reply::Done)
}

fn forget_of(conn: &Connection, of: &ForgetOf) -> Result<(), StoreError> {
    let bound = |run: Option<RunId>| run.map_or(0, columns::run_id);
    conn.prepare_cached(
        "UPDATE jobs SET kept_from = max(kept_from, ?2), outputs_from = max(outputs_from, ?3) WHERE id = ?1",
    )?
    .execute(params![
        columns::job_id(of.job),
        bound(of.runs_before),
        bound(of.outputs_before),
    ])?;
    Ok(())
}
