//! The answer for one instant of a job.

use jiff::Timestamp;
use jiff::civil::Date;
use odin_model::calendar::day_of;
use odin_model::job::Job;
use odin_model::job_change::{JobChange, JobChangeKind};
use odin_model::ledger::LedgerRow;
use odin_model::{JobSpec, JobState};
use odin_schedule::{
    Calendar, CalendarName, Calendars, DstPolicy, GapPolicy, RepeatPolicy, ZonedSchedule,
};
use odin_scheduling::due;
use odin_scheduling::proof::Rule;
use odin_store::{Reader, StoreError};
use odin_wire::ledger::reason_in_words;
use odin_wire::{JobThen, NotDue, Why};

use super::then::{Specs, Then};
use crate::due::effective_zone;

/// What became of `at`.
pub(super) fn why(
    reader: &Reader,
    job: &Job,
    at: Timestamp,
    now: Timestamp,
) -> Result<Why, StoreError> {
    let changes = reader.job_changes(job.id)?;
    let mut then = Then::read(reader)?;
    let mut specs = Specs::new(reader, job.id);
    if let Some(row) = reader.ledger_at(job.id, at)? {
        let changed = in_force_for(&changes, &row);
        let spec = specs.get(row.version)?.cloned();
        let calendars = changed.map_or(u64::MAX, |change| change.calendars);
        let rule = spec
            .as_ref()
            .map(|spec| then.rule_of(spec, job.id, calendars));
        let is_bound = at == row.from || at == row.to;
        // A schedule that cannot be read any more answers for every instant: the row is the better witness.
        let is_due = is_bound || rule.as_ref().is_none_or(|rule| has(rule, at));
        if is_due {
            let looked = changed.zip(spec.as_ref());
            let near = rule.and_then(Result::ok);
            return Ok(of_row(&row, at, looked, near.as_ref()));
        }
    }
    if let Some(from) = reader.ledger_from(job.id)?.filter(|from| at < *from) {
        let reason = format!("the ledger of then is no longer kept: it goes back to {from}");
        return Ok(nothing(at, NotDue::Forgotten, reason));
    }
    let Some(change) = in_force_at(&changes, at) else {
        return Ok(before_all(&changes, at));
    };
    let Some(spec) = specs.get(change.version)?.cloned() else {
        return Ok(nothing(at, NotDue::Forgotten, FORGOTTEN.to_owned()));
    };
    let looked = Some(look(change, &spec));
    let rule = then.rule_of(&spec, job.id, change.calendars);
    let schedule = rule.as_ref().ok().map(|rule| &rule.schedule);
    let (not_due, reason) = match change.kind {
        JobChangeKind::Paused => (NotDue::Paused, "the job was paused then".to_owned()),
        JobChangeKind::Removed => (NotDue::Removed, "the job was removed".to_owned()),
        JobChangeKind::Quarantined if job.next_due.is_none_or(|due| at >= due) => (
            NotDue::Quarantined,
            format!(
                "the job could not be planned: {}",
                change.note.as_deref().unwrap_or("it did not say why")
            ),
        ),
        _ => match &rule {
            Err(because) => (NotDue::Forgotten, because.clone()),
            Ok(rule) => {
                let calendars = then.calendars(change.calendars);
                not_due(job, &spec, rule, &calendars, (at, now))
            }
        },
    };
    Ok(Why {
        then: looked,
        before: schedule.and_then(|schedule| schedule.previous_before(at)),
        after: schedule.and_then(|schedule| schedule.next_after(at)),
        ..nothing(at, not_due, reason)
    })
}

const FORGOTTEN: &str = "what the job was then is no longer kept";

fn has(rule: &Result<Rule, String>, at: Timestamp) -> bool {
    rule.as_ref()
        .map_or(true, |rule| is_due(&rule.schedule, at))
}

fn is_due(schedule: &ZonedSchedule, at: Timestamp) -> bool {
    schedule.occurrences(at, at).next().is_some()
}

fn of_row(
    row: &LedgerRow,
    at: Timestamp,
    looked: Option<(&JobChange, &JobSpec)>,
    near: Option<&Rule>,
) -> Why {
    Why {
        due_at: at,
        outcome: Some(row.outcome.into()),
        reason: reason_in_words(row.reason),
        not_due: None,
        run: row.run,
        version: Some(row.version.0),
        decided_at: Some(row.decided_at),
        then: looked.map(|(change, spec)| look(change, spec)),
        before: near.and_then(|rule| rule.schedule.previous_before(at)),
        after: near.and_then(|rule| rule.schedule.next_after(at)),
    }
}

fn nothing(at: Timestamp, not_due: NotDue, reason: String) -> Why {
    Why {
        due_at: at,
        outcome: None,
        reason,
        not_due: Some(not_due),
        run: None,
        version: None,
        decided_at: None,
        then: None,
        before: None,
        after: None,
    }
}

fn look(change: &JobChange, spec: &JobSpec) -> JobThen {
    JobThen {
        version: change.version.0,
        schedule: spec.schedule.clone(),
        timezone: effective_zone(spec),
        state: change.kind.word().to_owned(),
        since: change.at,
        by: change.by.clone(),
        note: change.note.clone(),
    }
}

/// The latest change of due times at an instant, by the wall clock.
fn in_force_at(changes: &[JobChange], at: Timestamp) -> Option<&JobChange> {
    let of_dues = |change: &&JobChange| change.kind != JobChangeKind::CatchUpAsked;
    changes
        .iter()
        .filter(of_dues)
        .rfind(|change| change.at <= at)
}

/// The change that made a row's due times: the latest of its version that has them.
fn in_force_for<'c>(changes: &'c [JobChange], row: &LedgerRow) -> Option<&'c JobChange> {
    changes
        .iter()
        .rfind(|change| change.version == row.version && change.is.is_some_and(|is| is <= row.from))
}

/// Nothing was kept of an instant before all changes.
fn before_all(changes: &[JobChange], at: Timestamp) -> Why {
    match changes.first() {
        Some(first) if first.kind == JobChangeKind::Deployed && first.was.is_none() => {
            let by = first.by.as_deref().unwrap_or("the server");
            let reason = format!("the job was first deployed at {} by {by}", first.at);
            nothing(at, NotDue::NotDeployed, reason)
        }
        Some(_) | None => nothing(at, NotDue::Forgotten, FORGOTTEN.to_owned()),
    }
}

/// Why an enabled job has no outcome at an instant.
fn not_due(
    job: &Job,
    spec: &JobSpec,
    rule: &Rule,
    calendars: &Calendars,
    (at, now): (Timestamp, Timestamp),
) -> (NotDue, String) {
    if is_due(&rule.schedule, at) {
        let is_ahead = job.state == JobState::Enabled && job.next_due.is_some_and(|due| due <= at);
        return match (is_ahead, at > now) {
            (true, true) => (
                NotDue::NotYet,
                "that is in the future: it is due then, if nothing changes".to_owned(),
            ),
            (true, false) => (
                NotDue::NotYet,
                "it is due, and is not decided yet".to_owned(),
            ),
            (false, _) => (
                NotDue::Missing,
                "its schedule of then has that time, and the ledger has no outcome for it: \
                 `odin verify` says more"
                    .to_owned(),
            ),
        };
    }
    if let Some(reason) = left_out_by_calendar(job, spec, &rule.schedule, calendars, at) {
        return (NotDue::Calendar, reason);
    }
    if let Some(reason) = passed_over_by_clock(spec, &rule.schedule, at) {
        return (NotDue::ClockChange, reason);
    }
    (
        NotDue::NotInSchedule,
        format!(
            "its schedule of then, `{}`, does not have that time",
            spec.schedule
        ),
    )
}

/// The calendar that alone keeps an instant from being due.
fn left_out_by_calendar(
    job: &Job,
    spec: &JobSpec,
    schedule: &ZonedSchedule,
    calendars: &Calendars,
    at: Timestamp,
) -> Option<String> {
    let date = at.to_zoned(schedule.time_zone().clone()).date();
    let words = odin_schedule::read_words(&spec.schedule).ok()?;
    words.calendars().iter().find_map(|name| {
        let held = calendars.get(name)?;
        let has_day = held.contains(date);
        let other = with_day(calendars, name, held, date, !has_day)?;
        let schedule = due::schedule_of(spec, job.id, &other).ok()?;
        let named = held.name_of(date).map(|name| format!(" ({name})"));
        let named = named.unwrap_or_default();
        let reason = match has_day {
            true => {
                format!("the calendar {name} has {date}{named}, and the schedule leaves it out")
            }
            false => format!("the calendar {name} does not have {date}"),
        };
        is_due(&schedule, at).then_some(reason)
    })
}

/// The same calendars, but one has a day or has it not.
fn with_day(
    calendars: &Calendars,
    name: &CalendarName,
    held: &Calendar,
    date: Date,
    has: bool,
) -> Option<Calendars> {
    let without = held.dates().filter(|day| day_of(*day) != day_of(date));
    let dates = without.chain(has.then_some(date));
    let mut other = calendars.clone();
    other.insert(name.clone(), Calendar::from_dates(dates).ok()?);
    Some(other)
}

/// How the job's way with a clock that jumps keeps an instant from being due.
fn passed_over_by_clock(spec: &JobSpec, schedule: &ZonedSchedule, at: Timestamp) -> Option<String> {
    let gaps = [GapPolicy::Shift, GapPolicy::Before];
    let has = |dst: DstPolicy| is_due(&schedule.clone().with_dst(dst), at);
    if gaps
        .into_iter()
        .any(|gap| has(DstPolicy { gap, ..spec.dst }))
    {
        let word = spec.dst.gap.word();
        return Some(format!(
            "the clock skips the schedule's time there, and the job says `gap: {word}`"
        ));
    }
    let both = DstPolicy {
        repeat: RepeatPolicy::Both,
        ..spec.dst
    };
    let word = spec.dst.repeat.word();
    has(both).then(|| {
        format!(
            "the clock shows the schedule's time twice there, and the job says `repeat: {word}`"
        )
    })
}
