//! Is the ledger complete, without doubles, and true to the evidence?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::ledger::LedgerRow;
use odin_model::{AttemptNumber, JobId, LedgerOutcome, RunId};
use odin_node::proof::{VerifyQuery, prove};
use odin_store::Reader;

use crate::executor::Start;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// What `odin verify` finds: the due time, and the code and words of what is wrong with it.
    Ledger(JobId, Timestamp, String),
    /// A period that cannot be derived, in a cluster that has everything of it.
    Undetermined(JobId, Timestamp, String),
    /// Two processes for one attempt of an occurrence, or of two runs for it.
    StartedTwice(JobId, Timestamp),
    /// Two processes at once of a job that does not let its runs overlap.
    Overlapped(JobId, Timestamp),
    /// A process for an occurrence whose outcome is not `started`, or by another run.
    StartedWithoutRow(JobId, Timestamp, RunId),
}

/// How much later than due `odin verify` lets an occurrence be: the jobs' grace, and what it grants the leader.
const LENIENCE: SignedDuration = SignedDuration::from_secs(70);

/// What `odin verify` finds wrong with a job's ledger when everything that is due by `now` must have its outcome.
///
/// # Panics
/// When the state cannot be read.
#[must_use]
pub fn check_ledger(job: JobId, reader: &Reader, now: Timestamp) -> Vec<Finding> {
    let query = VerifyQuery {
        job: Some(job),
        owner: None,
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        now: now + LENIENCE,
    };
    let report = prove(reader, &query, &|| false).expect("the state can be read");
    let found = report.findings.into_iter().map(|finding| {
        let words = format!("{}: {}", finding.flaw.code(), finding.flaw);
        Finding::Ledger(finding.job, finding.at, words)
    });
    let open = report.undetermined.into_iter();
    let open = open.map(|period| Finding::Undetermined(period.job, period.from, period.because));
    found.chain(open).collect()
}

/// Compares a job's ledger with what was started.
#[must_use]
pub fn check_starts(job: JobId, rows: &[LedgerRow], starts: &[Start]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rows: BTreeMap<Timestamp, &LedgerRow> = rows.iter().map(|row| (row.from, row)).collect();
    let mut started: BTreeMap<Timestamp, BTreeMap<AttemptNumber, RunId>> = BTreeMap::new();
    for start in starts.iter().filter(|start| start.job == job) {
        let run = start.key.run;
        let attempts = started.entry(start.due_at).or_default();
        let is_other = attempts.values().any(|other| *other != run);
        if attempts.insert(start.key.attempt, run).is_some() || is_other {
            findings.push(Finding::StartedTwice(job, start.due_at));
        }
        let recorded = rows.get(&start.due_at);
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
