//! `odin verify`: derives due times again by the versions, pauses, calendars and zone rules of then, and holds the
//! ledger against them. It only reads, from a connection of its own, a page at a time.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use odin_model::job::Job;
use odin_model::job_change::{JobChange, JobChangeKind};
use odin_model::{JobId, JobState, Owner, VersionNumber};
use odin_scheduling::judge::is_later_than;
use odin_scheduling::proof::{
    Audit, Flaw, Report, Stretch, Undetermined, check_changes, stretches,
};
use odin_store::{Reader, StoreError};

use super::then::{Specs, Then};

/// How many rows are in memory at a time.
const ROWS_AT_ONCE: usize = 5_000;
/// How many jobs are asked for at a time.
const JOBS_AT_ONCE: usize = 500;
/// How many rows one fixed view of the state is used for: some seconds, for as long as the write-ahead log grows.
const ROWS_A_VIEW: u64 = 200_000;
/// How much later than its grace a due time may be before it counts as overdue: the leader may be in the middle of it.
const SLACK: SignedDuration = SignedDuration::from_secs(10);

/// What is to be proved.
#[derive(Debug, Clone)]
pub struct VerifyQuery {
    /// Only this job. `None`: all.
    pub job: Option<JobId>,
    /// Only jobs of this owner. `None`: everybody's.
    pub owner: Option<Owner>,
    /// Due times from here.
    pub from: Timestamp,
    /// To here, included. A row of the ledger that lies across an end is looked at whole.
    pub to: Timestamp,
    /// What time it is, for what is overdue.
    pub now: Timestamp,
}

/// Proves what the state that `reader` reads has. Blocks, for some seconds for a million due times. `stop` ends it early,
/// with what was found so far.
///
/// # Errors
/// The state cannot be read.
pub fn prove(
    reader: &Reader,
    query: &VerifyQuery,
    stop: &dyn Fn() -> bool,
) -> Result<Report, StoreError> {
    let mut verifier = Verifier {
        view: reader.fixed()?,
        rows_seen: 0,
        then: Then::read(reader)?,
        reader,
        query,
        stop,
        report: Report::default(),
    };
    match query.job {
        Some(job) => verifier.job(job)?,
        None => verifier.all()?,
    }
    Ok(verifier.report)
}

/// Proves what a state's file has: a stopped server's, or a backup's.
///
/// # Errors
/// The file is no state, is of another version, or cannot be read.
pub fn verify_file(path: &Path, query: &VerifyQuery) -> Result<odin_wire::Verified, StoreError> {
    let reader = Reader::of_file(path)?;
    let report = prove(&reader, query, &|| false)?;
    super::wire_report(&reader, report)
}

struct Verifier<'v> {
    reader: &'v Reader,
    query: &'v VerifyQuery,
    stop: &'v dyn Fn() -> bool,
    /// One commit's answers: a job and its rows must be of one state.
    view: Reader,
    rows_seen: u64,
    then: Then,
    report: Report,
}

impl Verifier<'_> {
    fn all(&mut self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.reader.job_ids(after, JOBS_AT_ONCE)?;
            for (job, owner) in &page {
                if (self.stop)() {
                    return Ok(());
                }
                if self.query.owner.as_ref().is_none_or(|only| only == owner) {
                    self.job(*job)?;
                }
            }
            if page.len() < JOBS_AT_ONCE {
                return Ok(());
            }
            after = page.last().map(|(job, _)| *job);
            self.renew()?;
        }
    }

    /// Looks at the state as it is now from here on.
    fn renew(&mut self) -> Result<(), StoreError> {
        self.rows_seen = 0;
        self.view = self.reader.fixed()?;
        self.then = Then::read(&self.view)?;
        Ok(())
    }

    fn job(&mut self, id: JobId) -> Result<(), StoreError> {
        if self.rows_seen > ROWS_A_VIEW {
            self.renew()?;
        }
        let view = self.view.clone();
        let Some(job) = view.job(id)? else {
            return Ok(());
        };
        let changes = view.job_changes(id)?;
        let doubts = self.then.doubts();
        let mut specs = Specs::new(&view, id);
        let mut broken = None;
        let then = &mut self.then;
        let mut rule_of = |change: &JobChange| match then.rule(change, &mut specs) {
            Ok(rule) => rule,
            Err(error) => {
                broken = Some(error);
                Err("the state cannot be read".to_owned())
            }
        };
        let is_over = job.state != JobState::Enabled;
        let cursor = job.next_due.filter(|_| !is_over);
        let cut = stretches(&changes, (cursor, job.last_decided), &mut rule_of);
        let ledger_from = view.ledger_from(id)?.unwrap_or(Timestamp::MIN);
        let asked = (
            self.query.from.max(ledger_from),
            self.query.to.max(ledger_from),
        );
        let within = view.whole_rows(id, asked)?;
        let report = &mut self.report;
        check_changes(
            &changes,
            &mut rule_of,
            within,
            |at, rule| doubts.of(at, rule).is_some(),
            report,
        );
        if let Some(error) = broken {
            return Err(error);
        }
        report.jobs += 1;
        let earliest = self.query.from.max(job.created_at);
        if earliest < ledger_from {
            report.leave_open(Undetermined {
                job: id,
                from: earliest,
                to: ledger_from,
                because: "the ledger of then is no longer kept".to_owned(),
            });
        }
        let mut audit = Audit::new(
            id,
            &cut,
            known_from(&changes),
            within,
            |at, stretch: &Stretch| {
                stretch
                    .rule
                    .as_ref()
                    .ok()
                    .and_then(|rule| doubts.of(at, rule))
            },
            report,
        );
        let mut after = odin_model::instant::from_micros(
            odin_model::instant::to_micros(within.0).saturating_sub(1),
        );
        loop {
            let rows = view.ledger_evidence(id, after, within.1, ROWS_AT_ONCE)?;
            rows.iter().for_each(|row| audit.row(row));
            self.rows_seen += rows.len() as u64;
            match rows.last() {
                Some(last) if rows.len() == ROWS_AT_ONCE && !(self.stop)() => after = last.row.from,
                _ => break,
            }
        }
        let mut before = None;
        loop {
            let page = view.loose_runs(id, within, before)?;
            for loose in page.runs {
                audit.run_without_row(loose.run, loose.due_at, loose.is_second);
            }
            self.rows_seen += page.looked_at;
            before = page.next;
            if before.is_none() || (self.stop)() {
                break;
            }
        }
        audit.finish();
        self.undecided(&job, cut.last());
        Ok(())
    }

    /// What is due and not decided.
    fn undecided(&mut self, job: &Job, last: Option<&Stretch>) {
        let VerifyQuery { from, to, now, .. } = *self.query;
        if let (None, JobState::Enabled, Some(decided)) =
            (job.next_due, job.state, job.last_decided)
            && let Some(Ok(rule)) = last.map(|last| &last.rule)
            && let Some(next) = rule.schedule.next_after(decided)
        {
            // It would never come due again.
            self.report.find(job.id, next, Flaw::WrongHistory);
        }
        let Some(due) = job.next_due.filter(|due| *due >= from && *due <= to) else {
            return;
        };
        if job.state != JobState::Enabled {
            return;
        }
        if let Some(quarantine) = &job.quarantine {
            if due <= now {
                self.report.leave_open(Undetermined {
                    job: job.id,
                    from: due,
                    to: now,
                    because: format!("the job is in quarantine: {}", quarantine.reason),
                });
            }
            return;
        }
        let looked_at = now.checked_sub(SLACK).unwrap_or(Timestamp::MIN);
        if is_later_than(looked_at, due, job.spec.grace) {
            self.report.find(job.id, due, Flaw::Overdue);
        }
    }
}

/// Before what the changes of a job are no longer kept. `None`: all are.
fn known_from(changes: &[JobChange]) -> Option<Timestamp> {
    match changes.first() {
        None => Some(Timestamp::MAX),
        Some(first)
            if first.kind == JobChangeKind::Deployed
                && first.version == VersionNumber::FIRST
                && first.was.is_none() =>
        {
            None
        }
        Some(first) => Some(first.is.unwrap_or(first.at)),
    }
}
