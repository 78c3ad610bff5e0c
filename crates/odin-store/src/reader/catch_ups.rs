//! What was asked for of the past.

use jiff::Timestamp;
use odin_model::JobId;
use odin_model::command::CatchUpAnswer;
use rusqlite::OptionalExtension;

use super::Reader;
use crate::{StoreError, columns};

impl Reader {
    /// What an earlier request to catch up has made of each due time, in the order given: `HasRun` or `AskedBefore`.
    /// `None`: nothing, nobody asked.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn caught_up(
        &self,
        job: JobId,
        due: &[Timestamp],
    ) -> Result<Vec<Option<CatchUpAnswer>>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT run FROM caught_up WHERE job = ?1 AND due_at = ?2 \
                 UNION ALL SELECT NULL FROM catch_ups WHERE job = ?1 AND due_at = ?2 LIMIT 1",
            )?;
            let mut found = Vec::with_capacity(due.len());
            for &at in due {
                let asked = (columns::job_id(job), columns::at(at));
                let row: Option<Option<i64>> =
                    statement.query_row(asked, |row| row.get(0)).optional()?;
                found.push(row.map(|run| match run.map(columns::to_run_id) {
                    Some(run) => CatchUpAnswer::HasRun { run },
                    None => CatchUpAnswer::AskedBefore,
                }));
            }
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use odin_model::command::{CatchUp, Command};
    use odin_model::{Concurrency, Missed};

    use super::*;
    use crate::scenario::{Scenario, ann, minute};

    #[test]
    fn what_has_a_run_and_what_waits_are_told_apart() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Concurrency::FORBID, Missed::Skip);
        scenario.apply(&Command::CatchUp(CatchUp {
            by: ann(),
            job,
            due: vec![minute(-9), minute(-8)],
            at: minute(0),
        }));
        let reader = scenario.store.reader();
        let run = reader.open_runs_of_job(job).unwrap()[0].id;
        let seen = reader.caught_up(job, &[minute(-9), minute(-8), minute(-7)]);
        let expected = [
            Some(CatchUpAnswer::HasRun { run }),
            Some(CatchUpAnswer::AskedBefore),
            None,
        ];
        assert_eq!(seen.unwrap(), expected);
    }
}
