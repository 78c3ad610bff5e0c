//! Is the ledger complete, without doubles, and true to the evidence?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::ledger::LedgerRow;
use odin_model::{AttemptNumber, JobId, LedgerOutcome, RunId};
use odin_schedule::ZonedSchedule;

use crate::executor::Start;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// An occurrence without an outcome.
    Lost(JobId, Timestamp),
    /// An occurrence with more than one.
    Doubled(JobId, Timestamp),
    /// A row for an instant at which nothing was due.
    Invented(JobId, Timestamp),
    /// Two processes for one attempt of an occurrence, or of two runs for it.
    StartedTwice(JobId, Timestamp),
    /// Two processes at once of a job that does not let its runs overlap.
    Overlapped(JobId, Timestamp),
    /// A process for an occurrence whose outcome is not `started`, or by another run.
    StartedWithoutRow(JobId, Timestamp, RunId),
}

/// Compares a job's ledger with its schedule from `from` to `to`, both included, and with what was started.
#[must_use]
pub fn check_ledger(
    job: JobId,
    schedule: &ZonedSchedule,
    (from, to): (Timestamp, Timestamp),
    rows: &[LedgerRow],
    starts: &[Start],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut outcomes: BTreeMap<Timestamp, Vec<&LedgerRow>> = BTreeMap::new();
    for row in rows {
        for at in schedule.occurrences(row.from, row.to) {
            outcomes.entry(at).or_default().push(row);
        }
        if schedule.count(row.from, row.to) != row.count {
            findings.push(Finding::Invented(job, row.from));
        }
    }
    for at in schedule.occurrences(from, to) {
        match outcomes.get(&at).map_or(0, Vec::len) {
            0 => findings.push(Finding::Lost(job, at)),
            1 => {}
            _ => findings.push(Finding::Doubled(job, at)),
        }
    }
    let mut started: BTreeMap<Timestamp, BTreeMap<AttemptNumber, RunId>> = BTreeMap::new();
    for start in starts.iter().filter(|start| start.job == job) {
        let run = start.key.run;
        let attempts = started.entry(start.due_at).or_default();
        let is_other = attempts.values().any(|other| *other != run);
        if attempts.insert(start.key.attempt, run).is_some() || is_other {
            findings.push(Finding::StartedTwice(job, start.due_at));
        }
        let recorded = outcomes.get(&start.due_at).and_then(|rows| rows.first());
        let agrees = recorded
            .is_some_and(|row| row.outcome == LedgerOutcome::Started && row.run == Some(run));
        if !agrees {
            findings.push(Finding::StartedWithoutRow(job, start.due_at, run));
        }
    }
    findings
}

/// Whether two processes of a job, each of which takes `takes`, went on at once.
#[must_use]
pub fn check_overlaps(job: JobId, takes: Duration, starts: &[Start]) -> Vec<Finding> {
    let takes = SignedDuration::try_from(takes).expect("processes are short");
    let mut at: Vec<_> = starts
        .iter()
        .filter(|start| start.job == job)
        .map(|start| start.at)
        .collect();
    at.sort_unstable();
    at.windows(2)
        .filter(|pair| pair[1].duration_since(pair[0]) < takes)
        .map(|pair| Finding::Overlapped(job, pair[1]))
        .collect()
}
