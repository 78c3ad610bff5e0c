//! Calendars, and the due times that they move.

use jiff::Timestamp;
use odin_model::calendar::{
    CALENDAR_DAYS_MAX, CALENDAR_NAME_BYTES_MAX, CALENDARS_MAX, DueRules, MOVED_DUES_MAX, Recompute,
    RecomputeItem, SetCalendar,
};
use odin_model::job_change::JobChangeKind::Moved;
use odin_model::owner::{Owner, Principal, Role};
use odin_model::{JobState, Refusal, Reply, Revision, codec};
use rusqlite::{Connection, OptionalExtension, params};

use super::change::{self, Change};
use super::{Batch, Stop, job};
use crate::{Effect, StoreError, columns, settings};

pub(super) fn set(batch: &mut Batch<'_>, set: &SetCalendar) -> Result<Reply, Stop> {
    set.by.need(Role::Operator)?;
    let owner = match owner(batch.conn, &set.name)? {
        Some(owner) => {
            need_change(&set.by, &set.name, &owner)?;
            owner
        }
        None => {
            let count = count(batch.conn)?;
            if count >= CALENDARS_MAX {
                return Err(Refusal::TooManyCalendars { count }.into());
            }
            set.by.user.clone()
        }
    };
    change::keep_calendar(batch, &set.name)?;
    debug_assert!(
        set.days.len() <= CALENDAR_DAYS_MAX && set.name.len() <= CALENDAR_NAME_BYTES_MAX,
        "the handler checks a calendar's bounds"
    );
    let mut statement = batch.conn.prepare_cached(
        "INSERT OR REPLACE INTO calendars (name, owner_uid, owner_user, days, revision, set_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute(params![
        set.name,
        owner.uid,
        owner.user,
        codec::encode(&set.days),
        columns::revision(Revision(batch.index)),
        columns::at(set.at),
    ])?;
    changed(batch)?;
    Ok(Reply::Done)
}

pub(super) fn remove(batch: &mut Batch<'_>, by: &Principal, name: &str) -> Result<Reply, Stop> {
    by.need(Role::Operator)?;
    let owner = owner(batch.conn, name)?.ok_or_else(|| Refusal::NoSuchCalendar(name.to_owned()))?;
    need_change(by, name, &owner)?;
    change::keep_calendar(batch, name)?;
    batch
        .conn
        .prepare_cached("DELETE FROM calendars WHERE name = ?1")?
        .execute([name])?;
    changed(batch)?;
    Ok(Reply::Done)
}

fn need_change(by: &Principal, name: &str, owner: &Owner) -> Result<(), Refusal> {
    if by.may_change(owner) {
        return Ok(());
    }
    Err(Refusal::CalendarNotPermitted {
        name: name.to_owned(),
        owner: owner.user.clone(),
    })
}

fn owner(conn: &Connection, name: &str) -> Result<Option<Owner>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT owner_uid, owner_user FROM calendars WHERE name = ?1")?;
    let owner = statement.query_row([name], |row| {
        Ok(Owner {
            uid: row.get(0)?,
            user: row.get(1)?,
        })
    });
    Ok(owner.optional()?)
}

fn count(conn: &Connection) -> Result<u64, StoreError> {
    let count = conn
        .prepare_cached("SELECT count(*) FROM calendars")?
        .query_row([], |row| row.get(0))?;
    Ok(columns::to_count(count))
}

fn changed(batch: &mut Batch<'_>) -> Result<(), StoreError> {
    settings::set(batch.conn, settings::CALENDARS, &batch.index.to_string())?;
    batch.changes.calendars = Some(batch.index);
    batch.effects.push(Effect::SettingsChanged);
    Ok(())
}

/// Moves next due times. What was decided, edited or paused in the meantime is left as it is: it was computed by
/// the new rules, or will be when it is next decided.
pub(super) fn recompute(batch: &mut Batch<'_>, sweep: &Recompute) -> Result<Reply, Stop> {
    let mut position = 0;
    for item in &sweep.items {
        let Some(job) = job::find(batch.conn, item.job)? else {
            continue;
        };
        let is_stale = job.revision != item.revision
            || job.next_due != item.was
            || job.state != JobState::Enabled
            || job.is_quarantined
            || job.last_decided >= item.is.or(Some(Timestamp::MAX));
        if is_stale || item.was == item.is {
            continue;
        }
        job::move_due(batch, item.job, item.was, item.is)?;
        change::note(
            batch,
            &Change {
                is: item.is,
                after: Some(job.last_decided.map_or(sweep.at, |last| last.max(sweep.at))),
                note: Some(&sweep.because),
                ..Change::of(&job, Moved, job.version, sweep.at)
            },
        )?;
        keep_moved(batch, sweep, item, position)?;
        position += 1;
        batch.effects.push(Effect::JobChanged {
            job: item.job,
            revision: job.revision,
        });
    }
    if position > 0 {
        forget_moved(batch.conn)?;
    }
    if let Some(DueRules {
        zone_rules,
        calendars,
    }) = &sweep.done
    {
        if settings::get(batch.conn, settings::DUE_ZONE_RULES)?.as_ref() != Some(zone_rules) {
            change::note_zone_rules(batch, zone_rules, sweep.at)?;
        }
        settings::set(batch.conn, settings::DUE_ZONE_RULES, zone_rules)?;
        settings::set(batch.conn, settings::DUE_CALENDARS, &calendars.to_string())?;
    }
    Ok(Reply::Done)
}

/// How many numbers of moved due times one log entry has.
const NUMBERS: u64 = 1 << 12;

fn keep_moved(
    batch: &Batch<'_>,
    sweep: &Recompute,
    item: &RecomputeItem,
    position: u64,
) -> Result<(), StoreError> {
    debug_assert!(position < NUMBERS, "a sweep's commands are small");
    let mut statement = batch.conn.prepare_cached(
        "INSERT OR REPLACE INTO moved_dues (number, job, was, is_now, because, moved_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute(params![
        columns::count(batch.index * NUMBERS + position),
        columns::job_id(item.job),
        columns::at_option(item.was),
        columns::at_option(item.is),
        sweep.because,
        columns::at(sweep.at),
    ])?;
    Ok(())
}

/// Keeps the latest.
fn forget_moved(conn: &Connection) -> Result<(), StoreError> {
    conn.prepare_cached(
        "DELETE FROM moved_dues WHERE number <= \
         (SELECT number FROM moved_dues ORDER BY number DESC LIMIT 1 OFFSET ?1)",
    )?
    .execute([columns::count(MOVED_DUES_MAX)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, ann, bob, deploy, minute, root};
    use odin_model::Command;

    fn set(by: Principal, days: &[i32]) -> Command {
        Command::SetCalendar(SetCalendar {
            by,
            name: "holidays".to_owned(),
            days: days.to_vec(),
            at: minute(1),
        })
    }

    #[test]
    fn a_calendar_is_changed_by_its_owner_and_by_admins() {
        let mut scenario = Scenario::new();
        assert_eq!(scenario.apply(&set(ann(), &[20_000])), Reply::Done);
        let owner = ann().user.user;
        let name = "holidays".to_owned();
        assert_eq!(
            scenario.refused(&set(bob(), &[])),
            Refusal::CalendarNotPermitted {
                name: name.clone(),
                owner
            }
        );
        assert_eq!(scenario.apply(&set(root(), &[20_000, 20_001])), Reply::Done);
        let calendars = scenario.store.reader().calendars().unwrap();
        assert_eq!(calendars.len(), 1);
        assert_eq!(calendars[0].days, [20_000, 20_001]);
        assert_eq!(calendars[0].owner, ann().user);
        let index = calendars[0].revision.0;
        assert_eq!(scenario.store.view().calendars(), index);

        let remove = |by| Command::RemoveCalendar {
            by,
            name: name.clone(),
        };
        assert!(matches!(
            scenario.refused(&remove(bob())),
            Refusal::CalendarNotPermitted { .. }
        ));
        assert_eq!(scenario.apply(&remove(ann())), Reply::Done);
        assert_eq!(
            scenario.refused(&remove(ann())),
            Refusal::NoSuchCalendar(name.clone())
        );
        assert!(scenario.store.view().calendars() > index);
    }

    #[test]
    fn a_due_time_moves_only_if_nothing_happened_to_the_job_since() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let job = scenario.job(id);
        let item = |was, is| RecomputeItem {
            job: id,
            revision: job.revision,
            was,
            is,
        };
        let sweep = |items, done| {
            Command::Recompute(Recompute {
                items,
                because: "holidays changed".to_owned(),
                done,
                at: minute(0),
            })
        };
        let was = job.next_due;
        let stale = item(Some(minute(77)), Some(minute(90)));
        scenario.apply(&sweep(vec![stale], None));
        assert_eq!(scenario.job(id).next_due, was);

        let rules = DueRules {
            zone_rules: "2026a".to_owned(),
            calendars: 4,
        };
        scenario.apply(&sweep(
            vec![item(was, Some(minute(90)))],
            Some(rules.clone()),
        ));
        assert_eq!(scenario.job(id).next_due, Some(minute(90)));
        assert_eq!(scenario.due_minutes(), [90]);
        let reader = scenario.store.reader();
        assert_eq!(reader.due_rules().unwrap(), Some(rules));
        let moved = reader.moved_dues(None, 10).unwrap();
        assert_eq!(moved.len(), 1);
        assert_eq!((moved[0].was, moved[0].is), (was, Some(minute(90))));
        assert_eq!(moved[0].because, "holidays changed");
    }
}
