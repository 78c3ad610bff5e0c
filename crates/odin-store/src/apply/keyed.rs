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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use odin_model::command::Command;
    use odin_model::{JobId, Refusal, Reply};

    use crate::scenario::{NODE, Scenario, ann, deploy, minute};

    const DAY: i64 = 24 * 60;

    fn keyed(key: &str, digest: u8, at: Timestamp, job: JobId) -> Command {
        Command::Keyed {
            principal: "ann:1000".to_owned(),
            key: key.to_owned(),
            digest: [digest; 32],
            at,
            command: Box::new(Command::RunNow {
                by: ann(),
                job,
                node: Some(NODE),
                at,
            }),
        }
    }

    #[track_caller]
    fn run_of(reply: Reply) -> String {
        match reply {
            Reply::Run { id } => id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_key_counts_once_within_a_day() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let mut send = |key, at| run_of(scenario.apply(&keyed(key, 1, minute(at), id)));
        let first = send("a", 0);
        assert_eq!(send("a", 5), first);
        assert_eq!(send("a", DAY), first);
        assert_ne!(send("b", 5), first);
        assert_ne!(send("a", DAY + 1), first);
    }

    #[test]
    fn the_same_key_for_another_request_is_refused() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        scenario.apply(&keyed("a", 1, minute(0), id));
        let other = keyed("a", 2, minute(1), id);
        assert_eq!(scenario.refused(&other), Refusal::KeyReused);
    }

    #[test]
    fn a_refusal_is_not_kept() {
        let mut scenario = Scenario::with_node();
        let id = deploy("nightly").fresh_id;
        let command = keyed("a", 1, minute(0), id);
        assert_eq!(scenario.refused(&command), Refusal::NoSuchJob(id));
        scenario.deploy(deploy("nightly"));
        run_of(scenario.apply(&command));
    }

    #[test]
    fn old_keys_go_a_few_at_a_time() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        for key in 0..40 {
            scenario.apply(&keyed(&key.to_string(), 1, minute(0), id));
        }
        let mut left = Vec::new();
        for later in 1..=4 {
            scenario.apply(&keyed("later", 1, minute(later * (DAY + 1)), id));
            left.push(scenario.store.count("keyed_replies"));
        }
        assert_eq!(left, [25, 9, 1, 1]);
    }
}
