//! A job's history, cut where its due times change.

use jiff::Timestamp;
use odin_model::VersionNumber;
use odin_model::job_change::{JobChange, JobChangeKind};
use odin_schedule::ZonedSchedule;

use super::report::{Flaw, Report};
use crate::judge::Policy;

/// What gave a job its due times for a while.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The schedule of the version in force, with the calendars of then.
    pub schedule: ZonedSchedule,
    /// How the version's due times are judged.
    pub policy: Policy,
}

/// How far a stretch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Up to this due time, which is not decided or belongs to the next stretch.
    Before(Timestamp),
    /// Up to this instant: what followed it never came to be.
    Through(Timestamp),
}

impl Until {
    /// The last microsecond that belongs to it.
    pub(super) fn last(self) -> Timestamp {
        match self {
            Self::Before(end) => just_before(end),
            Self::Through(last) => last,
        }
    }
}

/// Due times without a change between them.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// The version in force.
    pub version: VersionNumber,
    /// The first due time. `None`: there is none.
    pub first: Option<Timestamp>,
    /// How far it goes.
    pub until: Until,
    /// What follows the first. `Err`: why that cannot be derived any more, as half a sentence.
    pub rule: Result<Rule, String>,
    /// What could not be planned at its end, when the job was paused or removed, from and to: due times of unknown
    /// number.
    pub given_up: Option<(Timestamp, Timestamp)>,
}

/// The microsecond before an instant.
pub(super) fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(jiff::SignedDuration::from_micros(1))
        .unwrap_or(Timestamp::MIN)
}

/// Cuts a job's changes, oldest first, into stretches. `cursor` is the job's next due time of now, `last_decided` its
/// latest one with an outcome; `rule_of` gives what a change set in force.
pub fn stretches(
    changes: &[JobChange],
    (cursor, last_decided): (Option<Timestamp>, Option<Timestamp>),
    mut rule_of: impl FnMut(&JobChange) -> Result<Rule, String>,
) -> Vec<Stretch> {
    let cutting: Vec<_> = changes.iter().filter(|change| cuts(change)).collect();
    let mut stretches = Vec::with_capacity(cutting.len());
    for (place, change) in cutting.iter().enumerate() {
        let next = cutting.get(place + 1);
        let mut given_up = None;
        let until = match next.map_or(cursor, |next| next.was) {
            // Nothing more would have come: what was decided is all there is.
            None => Until::Through(
                next.map_or(last_decided, |next| Some(next.at))
                    .unwrap_or(Timestamp::MIN),
            ),
            Some(was) => match next.filter(|next| next.kind.rests() && was <= next.at) {
                // Only a job in quarantine is stopped with a due time behind it.
                Some(next) => {
                    given_up = Some((was, next.at));
                    Until::Through(was)
                }
                None => Until::Before(was),
            },
        };
        let first = change.is.filter(|_| !change.kind.rests());
        let is_empty = first.is_none_or(|first| first > until.last());
        stretches.push(Stretch {
            version: change.version,
            first: first.filter(|_| !is_empty),
            until,
            rule: match is_empty {
                // A million rests and renames cost no reading of a schedule.
                true => Err(String::new()),
                false => rule_of(change),
            },
            given_up,
        });
    }
    stretches
}

fn cuts(change: &JobChange) -> bool {
    change.kind != JobChangeKind::CatchUpAsked
}

/// How many log entries before an edit a calendar may have changed without the edit's author having seen it.
const UNSEEN: u64 = 100;

/// Holds the changes to their own schedules: each next due time that a change computed is the first one after its
/// point, and no change passes over a due time. `rule_of` as for [`stretches`].
pub fn check_changes(
    changes: &[JobChange],
    mut rule_of: impl FnMut(&JobChange) -> Result<Rule, String>,
    within: (Timestamp, Timestamp),
    mut is_doubtful: impl FnMut(Timestamp, &Rule) -> bool,
    report: &mut Report,
) {
    for change in changes.iter().filter(|change| cuts(change)) {
        let Some(after) = change.after else { continue };
        let at = change.is.unwrap_or(after);
        if at < within.0 || after > within.1 {
            continue;
        }
        let passed_over = change.was.filter(|was| *was <= change.at);
        if let Some(was) = passed_over {
            report.find(change.job, was, Flaw::Missing { count: 1 });
        }
        let Ok(rule) = rule_of(change) else { continue };
        // Its author may not have had the calendars that it was applied with; the leader computes it anew then.
        let is_recent =
            change.calendars != 0 && change.number - change.calendars.min(change.number) < UNSEEN;
        let may_differ =
            (rule.schedule.refers_to_calendars() && is_recent) || is_doubtful(at, &rule);
        if rule.schedule.next_after(after) != change.is && !may_differ {
            report.find(change.job, at, Flaw::WrongHistory);
        }
    }
}
