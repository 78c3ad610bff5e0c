//! What changed due times: what jobs, calendars and zone rules were at any instant.

use odin_model::job_change::{FormerCalendar, JobChange, ZoneRules};
use odin_model::{JobId, codec};
use rusqlite::{Connection, Row};

use super::Reader;
use crate::{StoreError, columns, settings};

impl Reader {
    /// The kept changes of a job that bear on its due times, oldest first: at most
    /// [`JOB_CHANGES_MAX`](odin_model::job_change::JOB_CHANGES_MAX).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn job_changes(&self, job: JobId) -> Result<Vec<JobChange>, StoreError> {
        self.pool.ask(|conn| job_changes(conn, job))
    }

    /// The releases of the time zone rules that leaders computed with, oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn zone_rules(&self) -> Result<Vec<ZoneRules>, StoreError> {
        self.pool.ask(zone_rules)
    }

    /// What calendars held before, oldest first, and the log index up to which that was forgotten.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn former_calendars(&self) -> Result<(Vec<FormerCalendar>, u64), StoreError> {
        self.pool.ask(former_calendars)
    }
}

pub(crate) fn job_changes(conn: &Connection, job: JobId) -> Result<Vec<JobChange>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT job, number, kind, at, by_user, version, was, is_now, after_at, calendars, note FROM job_changes \
         WHERE job = ?1 ORDER BY number",
    )?;
    let rows = statement.query_map([columns::job_id(job)], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<JobChange, StoreError> {
    Ok(JobChange {
        job: columns::to_job_id(row.get(0)?),
        number: columns::to_count(row.get(1)?),
        kind: columns::to_job_change_kind(row.get(2)?)?,
        at: columns::to_at(row.get(3)?),
        by: row.get(4)?,
        version: columns::to_version(row.get(5)?),
        was: columns::to_at_option(row.get(6)?),
        is: columns::to_at_option(row.get(7)?),
        after: columns::to_at_option(row.get(8)?),
        calendars: columns::to_count(row.get(9)?),
        note: row.get(10)?,
    })
}

pub(crate) fn zone_rules(conn: &Connection) -> Result<Vec<ZoneRules>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT release, since FROM zone_rules ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        Ok(ZoneRules {
            release: row.get(0)?,
            since: columns::to_at(row.get(1)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn former_calendars(
    conn: &Connection,
) -> Result<(Vec<FormerCalendar>, u64), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT name, revision, until, days FROM former_calendars ORDER BY until",
    )?;
    let mut rows = statement.query([])?;
    let mut former = Vec::new();
    while let Some(row) = rows.next()? {
        let days = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        former.push(FormerCalendar {
            name: row.get(0)?,
            revision: columns::to_count(row.get(1)?),
            until: columns::to_count(row.get(2)?),
            days: codec::decode(days)?,
        });
    }
    let forgotten = settings::get(conn, settings::CALENDARS_FORGOTTEN)?;
    let forgotten = forgotten.map_or(Ok(0), |text| {
        text.parse()
            .map_err(|_| StoreError::damaged("what was forgotten of calendars"))
    })?;
    Ok((former, forgotten))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use jiff::Timestamp;
    use odin_model::calendar::{DueRules, Recompute, RecomputeItem, SetCalendar};
    use odin_model::command::{Command, FireAnswer};
    use odin_model::job_change::JOB_CHANGES_MAX;
    use odin_model::quarantine::{SetApart, Unplannable};
    use odin_model::{JobId, JobState, Missed, Overlap};

    use crate::scenario::{Scenario, ann, deploy, due_after, minute};

    fn lines(scenario: &Scenario, id: JobId) -> String {
        let minutes = |at: Option<Timestamp>| {
            at.map_or("-".to_owned(), |at| {
                at.duration_since(minute(0)).as_mins().to_string()
            })
        };
        let changes = scenario.store.reader().job_changes(id).unwrap();
        let line = |change: &odin_model::job_change::JobChange| {
            format!(
                "{} at {} by {} v{} was {} is {} after {} calendars {} {}\n",
                change.kind.word(),
                minutes(Some(change.at)),
                change.by.as_deref().unwrap_or("-"),
                change.version,
                minutes(change.was),
                minutes(change.is),
                minutes(change.after),
                change.calendars,
                change.note.as_deref().unwrap_or_default(),
            )
        };
        changes.iter().map(line).collect()
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Scenario, JobId), expected: Expect) {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        change(&mut scenario, id);
        expected.assert_eq(&lines(&scenario, id));
    }

    fn calendar(days: &[i32]) -> Command {
        Command::SetCalendar(SetCalendar {
            by: ann(),
            name: "holidays".to_owned(),
            days: days.to_vec(),
            at: minute(1),
        })
    }

    #[test]
    fn every_change_of_due_times_is_kept_with_who_and_what_it_did() {
        check(
            |scenario, id| {
                scenario.fire(id, &[1, 2], 2);
                scenario.set_state(id, JobState::Paused, 2);
                scenario.set_state(id, JobState::Enabled, 9);
                let mut again = deploy("nightly");
                (again.due, again.at) = (due_after(9), minute(9));
                scenario.deploy(again);
                let mut modify = scenario.modify(id);
                modify.schedule = Some(("every hour".to_owned(), due_after(9)));
                modify.at = minute(9);
                scenario.apply(&Command::Modify(Box::new(modify)));
                scenario.apply(&Command::Remove {
                    by: ann(),
                    job: id,
                    expected: None,
                    at: minute(9),
                });
            },
            expect![[r#"
                deployed at 0 by ann v1 was - is 1 after 0 calendars 0 
                paused at 2 by ann v1 was 3 is - after - calendars 0 
                resumed at 9 by ann v1 was - is 10 after 9 calendars 0 
                deployed at 9 by ann v2 was 10 is 10 after 9 calendars 0 
                modified at 9 by ann v3 was 10 is 10 after 9 calendars 0 
                removed at 9 by ann v3 was 10 is - after - calendars 0 
            "#]],
        );
    }

    #[test]
    fn quarantine_keeps_the_due_time_and_a_rename_too() {
        check(
            |scenario, id| {
                let revision = scenario.job(id).revision;
                let reason = "no such calendar".to_owned();
                scenario.apply(&Command::Quarantine(SetApart {
                    jobs: vec![Unplannable::new(id, revision, reason)],
                    at: minute(1),
                }));
                scenario.apply(&Command::Release {
                    jobs: vec![(id, revision)],
                    at: minute(2),
                });
                let modify = scenario.modify(id);
                scenario.apply(&Command::Modify(Box::new(modify)));
            },
            expect![[r#"
                deployed at 0 by ann v1 was - is 1 after 0 calendars 0 
                quarantined at 1 by - v1 was 1 is 1 after - calendars 0 no such calendar
                released at 2 by - v1 was 1 is 1 after - calendars 0 
                modified at 0 by ann v2 was 1 is 1 after - calendars 0 
            "#]],
        );
    }

    #[test]
    fn what_calendars_and_zone_rules_move_names_them() {
        check(
            |scenario, id| {
                scenario.apply(&calendar(&[1, 2]));
                let mut item = scenario.item(id, &[1]);
                item.calendars = scenario.index;
                assert_eq!(scenario.fire_item(item.clone(), 1), FireAnswer::Decided);
                (item.due, item.listed, item.next_due) =
                    (minute(2), vec![minute(2)], Some(minute(3)));
                assert_eq!(scenario.fire_item(item, 2), FireAnswer::Decided);
                scenario.apply(&Command::Recompute(Recompute {
                    items: vec![RecomputeItem {
                        job: id,
                        revision: scenario.job(id).revision,
                        was: Some(minute(3)),
                        is: Some(minute(30)),
                    }],
                    because: "calendar holidays changed".to_owned(),
                    done: Some(DueRules {
                        zone_rules: "2026b".to_owned(),
                        calendars: 3,
                    }),
                    at: minute(2),
                }));
                let rules = scenario.store.reader().zone_rules().unwrap();
                assert_eq!(rules.len(), 1);
                assert_eq!((&*rules[0].release, rules[0].since), ("2026b", minute(2)));
            },
            expect![[r#"
                deployed at 0 by ann v1 was - is 1 after 0 calendars 0 
                calendars_taken at 1 by - v1 was 1 is 1 after - calendars 3 
                moved at 2 by - v1 was 3 is 30 after 2 calendars 3 calendar holidays changed
            "#]],
        );
    }

    #[test]
    fn what_a_calendar_held_is_kept_when_it_is_replaced_or_removed() {
        let mut scenario = Scenario::with_node();
        for days in [&[1, 2][..], &[3]] {
            scenario.apply(&calendar(days));
        }
        scenario.apply(&Command::RemoveCalendar {
            by: ann(),
            name: "holidays".to_owned(),
        });
        let (former, forgotten) = scenario.store.reader().former_calendars().unwrap();
        let former: Vec<_> = former
            .iter()
            .map(|it| (it.revision, it.until, it.days.clone()))
            .collect();
        assert_eq!(former, [(2, 3, vec![1, 2]), (3, 4, vec![3])]);
        assert_eq!(forgotten, 0);
    }

    #[test]
    fn of_many_changes_the_latest_are_kept() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        for _ in 0..JOB_CHANGES_MAX {
            let modify = scenario.modify(id);
            scenario.apply(&Command::Modify(Box::new(modify)));
        }
        let changes = scenario.store.reader().job_changes(id).unwrap();
        assert_eq!(changes.len() as u64, JOB_CHANGES_MAX);
        assert_eq!(changes[0].kind.word(), "modified");
    }
}
