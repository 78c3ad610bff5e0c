//! Next due times are computed anew when a calendar or the time zone rules changed. DESIGN 8, 4.

use jiff::Timestamp;
use odin_model::calendar::{DueRules, Recompute, RecomputeItem};
use odin_model::job::Job;
use odin_model::{Command, JobState};
use odin_scheduling::plan::LOOK_AHEAD;
use odin_store::{JobsAfter, Reader, StoreError};

use crate::schedules::Schedules;

/// How many jobs one step looks at, and so how many one command moves at most.
const JOBS_AT_ONCE: usize = 1000;
/// How many moved due times one sweep writes to the log.
const LOGGED_MAX: u64 = 100;

/// A walk over all jobs, a page at a time.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// What is computed with.
    rules: DueRules,
    /// What changed, in words.
    because: String,
    after: Option<JobsAfter>,
    moved: u64,
}

/// What the leader is to do about the rules.
#[derive(Debug)]
pub(crate) enum Rules {
    /// Nothing: all due times were computed with them.
    Current,
    /// No due time was computed with any others; only note that.
    Unnoted(Command),
    /// Walk over all jobs.
    Changed(Sweep),
}

/// Compares the rules of now with those that due times were computed with.
pub(crate) fn compare(
    reader: &Reader,
    rules: &DueRules,
    now: Timestamp,
) -> Result<Rules, StoreError> {
    match reader.due_rules()? {
        None => Ok(Rules::Unnoted(Command::Recompute(Recompute {
            items: Vec::new(),
            because: String::new(),
            done: Some(rules.clone()),
            at: now,
        }))),
        Some(before) if before == *rules => Ok(Rules::Current),
        Some(before) => {
            let because = because(reader, &before, rules)?;
            tracing::info!(because, "due times are computed anew");
            Ok(Rules::Changed(Sweep {
                rules: rules.clone(),
                because,
                after: None,
                moved: 0,
            }))
        }
    }
}

fn because(reader: &Reader, before: &DueRules, rules: &DueRules) -> Result<String, StoreError> {
    let mut changes = Vec::new();
    if before.zone_rules != rules.zone_rules {
        changes.push(format!(
            "time zone rules {} became {}",
            before.zone_rules, rules.zone_rules
        ));
    }
    if before.calendars != rules.calendars {
        let changed = reader.calendars()?;
        let named: Vec<_> = changed
            .iter()
            .filter(|calendar| calendar.revision.0 > before.calendars)
            .map(|calendar| format!("calendar {} changed", calendar.name))
            .collect();
        match named.is_empty() {
            true => changes.push("a calendar was removed".to_owned()),
            false => changes.extend(named),
        }
    }
    // One command names it once, whatever changed.
    let mut because = changes.join(", ");
    because.truncate(because.floor_char_boundary(500));
    Ok(because)
}

/// One step of a sweep.
pub(crate) enum Step {
    /// More jobs are to be looked at; of these, none is due at another time.
    Nothing,
    /// More jobs are to be looked at.
    Propose(Command),
    /// These were the last.
    Last(Command),
}

impl Sweep {
    /// Looks at the next jobs.
    pub(crate) fn step(
        &mut self,
        reader: &Reader,
        schedules: &Schedules,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let page = reader.jobs(None, self.after.as_ref(), JOBS_AT_ONCE)?;
        let items: Vec<_> = page
            .jobs
            .iter()
            .filter_map(|job| self.item(job, schedules, now))
            .collect();
        self.after = page.next;
        let done = self.after.is_none();
        if done {
            tracing::info!(
                moved = self.moved,
                because = self.because,
                "due times are computed anew: done"
            );
        }
        if items.is_empty() && !done {
            return Ok(Step::Nothing);
        }
        let command = Command::Recompute(Recompute {
            items,
            because: self.because.clone(),
            done: done.then(|| self.rules.clone()),
            at: now,
        });
        Ok(match done {
            true => Step::Last(command),
            false => Step::Propose(command),
        })
    }

    /// The move of a job's due time. What comes due within the look-ahead is being decided already, and a schedule
    /// that cannot be read shows when it is due.
    fn item(&mut self, job: &Job, schedules: &Schedules, now: Timestamp) -> Option<RecomputeItem> {
        let decided_to = now.saturating_add(LOOK_AHEAD).unwrap_or(Timestamp::MAX);
        if job.state != JobState::Enabled || job.next_due.is_some_and(|due| due <= decided_to) {
            return None;
        }
        let (schedule, _) = schedules.get(&job.spec, job.id).ok()?;
        let after = job.last_decided.map_or(now, |decided| decided.max(now));
        let is = schedule.next_after(after);
        if is == job.next_due {
            return None;
        }
        self.moved += 1;
        if self.moved <= LOGGED_MAX {
            let (was, is) = (shown(job.next_due), shown(is));
            tracing::warn!(job = %job.id, name = %job.spec.name, was, is, because = self.because, "a due time moved");
        }
        Some(RecomputeItem {
            job: job.id,
            revision: job.revision,
            was: job.next_due,
            is,
        })
    }
}

fn shown(due: Option<Timestamp>) -> String {
    due.map_or("never".to_owned(), |due| due.to_string())
}
