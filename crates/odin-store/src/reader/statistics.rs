//! Counts of what jobs did.

use jiff::Timestamp;
use odin_model::JobId;
use odin_model::statistics::{Statistics, TypicalDuration};

use super::Reader;
use crate::apply::hour_of;
use crate::statistics::{Scope, of_scope};
use crate::{StoreError, TYPICAL_DAYS};

impl Reader {
    /// What was counted from one instant to another. Counts are kept by the hour, and by the day (UTC) beyond
    /// [`HOURLY_DAYS`](odin_model::statistics::HOURLY_DAYS): what lies in the period in part is in it whole.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn statistics(
        &self,
        scope: Scope,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Statistics, StoreError> {
        let (from, to) = (hour_of(from), hour_of(to));
        self.pool.ask(|conn| of_scope(conn, scope, from, to))
    }

    /// How long a job's runs usually take, by the last 30 days. `None`: none is known.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn typical_duration(
        &self,
        job: JobId,
        now: Timestamp,
    ) -> Result<Option<TypicalDuration>, StoreError> {
        let to = hour_of(now);
        let from = to - TYPICAL_DAYS * 24;
        let counted = self
            .pool
            .ask(|conn| of_scope(conn, Scope::Job(job), from, to))?;
        Ok(TypicalDuration::of(&counted))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use odin_model::attempt::Ending;
    use odin_model::{LedgerOutcome, Missed, Outcome, Overlap};

    use super::*;
    use crate::scenario::{Scenario, ann, finished, minute};
    use odin_model::Command;

    const DAY: i64 = 24 * 60;

    #[test]
    fn runs_and_due_times_are_counted_for_the_job_its_owner_and_all() {
        let mut scenario = Scenario::with_node();
        let a = scenario.job_with("a", Overlap::Allow, Missed::Skip);
        let b = scenario.job_with("b", Overlap::Allow, Missed::Skip);
        for (job, code) in [(a, 0), (a, 0), (a, 1), (b, 0)] {
            let last = scenario.ledger(job).len() as i64;
            let run = scenario.run_of(job, last + 1);
            scenario.report(vec![finished(run, Ending::Exited { code })]);
        }
        scenario.fire(a, &[4, 5, 6], 50);
        let scenario = scenario.reopened();
        let reader = scenario.store.reader();
        let uid = ann().user.uid;
        for (scope, succeeded, failed, misfired) in [
            (Scope::Job(a), 2, 1, 3),
            (Scope::Job(b), 1, 0, 0),
            (Scope::Owner(uid), 3, 1, 3),
            (Scope::Owner(uid + 1), 0, 0, 0),
            (Scope::All, 3, 1, 3),
        ] {
            let counted = reader.statistics(scope, minute(0), minute(59)).unwrap();
            let seen = (
                counted.runs(Outcome::Succeeded),
                counted.runs(Outcome::Failed),
                counted.due(LedgerOutcome::Misfired),
            );
            assert_eq!(seen, (succeeded, failed, misfired), "{scope:?}");
            assert_eq!(counted.durations.count(), succeeded + failed);
        }
        let typical = reader.typical_duration(a, minute(60)).unwrap().unwrap();
        assert_eq!((typical.p50, typical.count), (60_000_000, 3));
        assert_eq!(
            reader
                .statistics(Scope::Job(a), minute(60), minute(90))
                .unwrap(),
            Statistics::default()
        );
    }

    #[test]
    fn old_hours_become_days_and_older_days_go() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("a", Overlap::Allow, Missed::Skip);
        // An occurrence every twelve hours, each decided late.
        let days = 410;
        for half in 1..days * 2 {
            let at = half * DAY / 2;
            let mut item = scenario.item(id, &[at]);
            item.due = scenario.job(id).next_due.unwrap();
            item.listed = vec![item.due];
            item.next_due = Some(minute(at + 1));
            scenario.fire_item(item, at);
        }
        let reader = scenario.store.reader();
        let of = |from: i64, to: i64| {
            let counted = reader
                .statistics(Scope::Job(id), minute(from), minute(to))
                .unwrap();
            counted.due(LedgerOutcome::Misfired) + counted.due(LedgerOutcome::Started)
        };
        let last = days * DAY - DAY / 2;
        assert_eq!(of(last - DAY, last - 60), 2, "hours");
        assert_eq!(of(0, 5 * DAY), 0, "beyond what is kept");
        assert_eq!(of(100 * DAY + 60, 100 * DAY + 120), 2, "a day, whole");
        let kept = scenario.store.count("statistics");
        // Three scopes: days, and two hours a day at the end.
        assert_eq!(kept, 3 * ((400 - 8) + 8 * 2 + 2));
    }

    #[test]
    fn a_removed_jobs_counts_go_and_its_owners_stay() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("a", Overlap::Allow, Missed::Skip);
        let run = scenario.run_of(id, 1);
        scenario.report(vec![finished(run, Ending::Exited { code: 0 })]);
        scenario.apply(&Command::Remove {
            by: ann(),
            job: id,
            expected: None,
            at: minute(1),
        });
        let reader = scenario.store.reader();
        let runs = |scope| {
            let counted = reader.statistics(scope, minute(0), minute(59)).unwrap();
            counted.runs(Outcome::Succeeded)
        };
        assert_eq!((runs(Scope::Job(id)), runs(Scope::All)), (0, 1));
    }

    #[test]
    fn what_comes_late_is_counted_where_it_belongs() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("a", Overlap::Allow, Missed::Skip);
        scenario.fire(id, &[1], 1);
        scenario.fire(id, &[2], 20 * DAY);
        // Its leader's clock was behind.
        scenario.fire(id, &[3], 60);
        let reader = scenario.store.reader();
        let day = minute(0) + SignedDuration::from_hours(5);
        let counted = reader.statistics(Scope::Job(id), day, day).unwrap();
        let late = counted.due(LedgerOutcome::Misfired);
        assert_eq!((counted.due(LedgerOutcome::Started), late), (1, 1));
    }
}
