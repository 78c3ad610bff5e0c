//! Schedules of jobs, read once and kept for as long as they are asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use odin_model::calendar::date_of;
use odin_model::{JobId, JobSpec};
use odin_schedule::{Calendar, CalendarName, Calendars, DstPolicy, ScheduleError, ZonedSchedule};
use odin_scheduling::due;
use odin_store::{Reader, StoreError, View};

/// How many different schedules are kept: some 10 MB.
const PARSED_MAX: usize = 20_000;

/// Schedules by text, zone and policy. A million jobs have few different ones; beyond the bound the cache starts
/// over, and so it does when a calendar changes.
#[derive(Debug)]
pub struct Schedules {
    view: Arc<View>,
    reader: Reader,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The log index of the change after which the calendars were read; `None` before the first reading.
    read_at: Option<u64>,
    calendars: Arc<Calendars>,
    parsed: HashMap<Key, Arc<ZonedSchedule>>,
}

type Key = (String, String, DstPolicy);

/// Why a job's schedule is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum NoSchedule {
    /// This Odin cannot read it: after a downgrade, or without a calendar that it names.
    #[error("the schedule `{text}` cannot be read: {error}")]
    Unreadable {
        /// Its text.
        text: String,
        /// What is wrong with it.
        error: ScheduleError,
    },
    /// The calendars cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Schedules {
    pub(crate) fn new(view: Arc<View>, reader: Reader) -> Self {
        Self {
            view,
            reader,
            kept: Mutex::default(),
        }
    }

    /// The schedule of a version of a job, and the log index of the latest change of a calendar that it was read with:
    /// 0 where it refers to none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, spec: &JobSpec, job: JobId) -> Result<(ZonedSchedule, u64), NoSchedule> {
        let key = (spec.schedule.clone(), spec.timezone.clone(), spec.dst);
        let mut kept = self.kept()?;
        let Kept {
            calendars,
            parsed,
            read_at,
        } = &mut *kept;
        let read_with = |schedule: &ZonedSchedule| match schedule.refers_to_calendars() {
            true => read_at.unwrap_or_default(),
            false => 0,
        };
        if let Some(schedule) = parsed.get(&key) {
            let schedule = ZonedSchedule::clone(schedule).with_spread(job.to_bits());
            let calendars = read_with(&schedule);
            return Ok((schedule, calendars));
        }
        let schedule =
            due::schedule_of(spec, job, calendars).map_err(|error| NoSchedule::Unreadable {
                text: spec.schedule.clone(),
                error,
            })?;
        if parsed.len() >= PARSED_MAX {
            parsed.clear();
        }
        parsed.insert(key, Arc::new(schedule.clone()));
        let calendars = read_with(&schedule);
        Ok((schedule, calendars))
    }

    /// The calendars as they are now.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn calendars(&self) -> Result<Arc<Calendars>, StoreError> {
        Ok(Arc::clone(&self.kept()?.calendars))
    }

    /// What is kept, without what an older calendar went into.
    fn kept(&self) -> Result<std::sync::MutexGuard<'_, Kept>, StoreError> {
        let changed_at = self.view.calendars();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.read_at != Some(changed_at) {
            *kept = Kept {
                read_at: Some(changed_at),
                calendars: Arc::new(read(&self.reader)?),
                parsed: HashMap::new(),
            };
        }
        Ok(kept)
    }
}

fn read(reader: &Reader) -> Result<Calendars, StoreError> {
    let stored = reader.calendars()?;
    let named = stored.iter().filter_map(|stored| {
        // What the handler let in can be read, unless a newer Odin wrote it; then no schedule finds it.
        let name = CalendarName::new(&stored.name).ok()?;
        let dates = stored.days.iter().map(|&day| date_of(day));
        let calendar = Calendar::from_dates(dates).ok()?;
        Some((name, Arc::new(calendar)))
    });
    Ok(named.collect())
}
