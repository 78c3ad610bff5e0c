//! What jobs, calendars and zone rules were at an instant.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use odin_model::calendar::date_of;
use odin_model::job_change::{FormerCalendar, JobChange, ZoneRules};
use odin_model::{JobId, JobSpec, VersionNumber};
use odin_schedule::{Calendar, CalendarName, Calendars};
use odin_scheduling::due;
use odin_scheduling::judge::Policy;
use odin_scheduling::proof::Rule;
use odin_store::{Reader, StoreError};

/// How many contents of calendars are kept parsed.
const CALENDARS_KEPT: usize = 64;

/// The versions of one job, each read once.
pub(super) struct Specs<'r> {
    reader: &'r Reader,
    job: JobId,
    read: HashMap<VersionNumber, Option<JobSpec>>,
}

impl<'r> Specs<'r> {
    pub(super) fn new(reader: &'r Reader, job: JobId) -> Self {
        Self {
            reader,
            job,
            read: HashMap::new(),
        }
    }

    pub(super) fn get(&mut self, number: VersionNumber) -> Result<Option<&JobSpec>, StoreError> {
        use std::collections::hash_map::Entry;
        let spec = match self.read.entry(number) {
            Entry::Occupied(kept) => kept.into_mut(),
            Entry::Vacant(free) => {
                let version = self.reader.version(self.job, number)?;
                free.insert(version.map(|version| version.spec))
            }
        };
        Ok(spec.as_ref())
    }
}

/// What calendars and zone rules were.
pub(super) struct Then {
    present: String,
    zone_rules: Arc<Vec<ZoneRules>>,
    /// Present contents of calendars: name, the change that gave it, the days.
    current: Vec<(String, u64, Vec<i32>)>,
    former: Vec<FormerCalendar>,
    forgotten: u64,
    parsed: HashMap<u64, Arc<Calendars>>,
}

impl Then {
    pub(super) fn read(reader: &Reader) -> Result<Self, StoreError> {
        let (former, forgotten) = reader.former_calendars()?;
        let current = reader.calendars()?.into_iter();
        Ok(Self {
            present: due::zone_rules(),
            zone_rules: Arc::new(reader.zone_rules()?),
            current: current
                .map(|calendar| (calendar.name, calendar.revision.0, calendar.days))
                .collect(),
            former,
            forgotten,
            parsed: HashMap::new(),
        })
    }

    pub(super) fn doubts(&self) -> Doubts {
        Doubts {
            present: self.present.clone(),
            zone_rules: Arc::clone(&self.zone_rules),
        }
    }

    /// What a change set in force; `Err` inside: why it cannot be told any more.
    pub(super) fn rule(
        &mut self,
        change: &JobChange,
        specs: &mut Specs<'_>,
    ) -> Result<Result<Rule, String>, StoreError> {
        let Some(spec) = specs.get(change.version)? else {
            return Ok(Err(format!("version {} is no longer kept", change.version)));
        };
        Ok(self.rule_of(spec, change.job, change.calendars))
    }

    /// A version's schedule with the calendars that were in force after that log index.
    pub(super) fn rule_of(
        &mut self,
        spec: &JobSpec,
        job: JobId,
        calendars: u64,
    ) -> Result<Rule, String> {
        let then = self.calendars(calendars);
        let schedule = due::schedule_of(spec, job, &then)
            .map_err(|error| format!("its schedule cannot be read any more: {error}"))?;
        if calendars < self.forgotten && schedule.refers_to_calendars() {
            return Err("what its calendars held then is no longer kept".to_owned());
        }
        Ok(Rule {
            schedule,
            policy: Policy {
                grace: spec.grace,
                missed: spec.missed,
                concurrency: spec.concurrency,
            },
        })
    }

    pub(super) fn calendars(&mut self, index: u64) -> Arc<Calendars> {
        if let Some(kept) = self.parsed.get(&index) {
            return Arc::clone(kept);
        }
        if self.parsed.len() >= CALENDARS_KEPT {
            self.parsed.clear();
        }
        let former = self
            .former
            .iter()
            .filter(|former| former.revision <= index && index < former.until)
            .map(|former| (&former.name, &former.days));
        let current = self
            .current
            .iter()
            .filter(|(_, revision, _)| *revision <= index)
            .map(|(name, _, days)| (name, days));
        let named = former.chain(current).filter_map(|(name, days)| {
            let name = CalendarName::new(name).ok()?;
            let calendar = Calendar::from_dates(days.iter().map(|&day| date_of(day))).ok()?;
            Some((name, Arc::new(calendar)))
        });
        let calendars: Arc<Calendars> = Arc::new(named.collect());
        self.parsed.insert(index, Arc::clone(&calendars));
        calendars
    }
}

/// What makes it uncertain what was due at an instant: other zone rules than this program has.
pub(super) struct Doubts {
    present: String,
    zone_rules: Arc<Vec<ZoneRules>>,
}

impl Doubts {
    pub(super) fn of(&self, at: Timestamp, rule: &Rule) -> Option<String> {
        if rule.schedule.time_zone().to_fixed_offset().is_ok() {
            return None;
        }
        let place = self.zone_rules.partition_point(|rules| rules.since <= at);
        let then = self.zone_rules.get(place.saturating_sub(1))?;
        // A sweep after a change takes seconds: what was decided meanwhile is of either.
        let next = self.zone_rules.get(place);
        let is_close = next.is_some_and(|next| next.since.duration_since(at) < SWEEP);
        let other = match (then.release == self.present, next) {
            (false, _) => then,
            (true, Some(next)) if is_close && next.release != self.present => next,
            (true, _) => return None,
        };
        Some(format!(
            "it was decided by the time zone rules {}, and this server has {}",
            other.release, self.present
        ))
    }
}

/// How long before a change of the zone rules was noted due times may have been computed by them.
const SWEEP: SignedDuration = SignedDuration::from_mins(10);
