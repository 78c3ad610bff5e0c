//! What the jobs themselves wrote, compared with what the server says.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use odin_client::Client;
use odin_schedule::ZonedSchedule;
use odin_wire::{
    Job, LedgerEntry, LedgerOutcome, LedgerQuery, Outcome as RunOutcome, Run, RunState, RunsQuery,
};

use crate::outcome::Outcome;

/// What was found, by kind, with an example of each.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    kinds: BTreeMap<&'static str, (usize, String)>,
}

impl Findings {
    fn add(&mut self, kind: &'static str, example: impl FnOnce() -> String) {
        let entry = self.kinds.entry(kind).or_insert_with(|| (0, example()));
        entry.0 += 1;
    }

    /// An error that tells all of it, if there is any.
    pub(crate) fn none(self) -> Outcome<()> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        let lines = self
            .kinds
            .iter()
            .map(|(kind, (count, example))| format!("{count} × {kind}, such as {example}"));
        Err(lines.collect::<Vec<_>>().join("; ").into())
    }
}

/// What a check looked at.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Looked {
    pub(crate) occurrences: u64,
    pub(crate) started: u64,
    pub(crate) not_started: u64,
    /// Of those that were started, the ones whose run is no longer kept.
    pub(crate) forgotten: u64,
    pub(crate) lines: u64,
}

/// How the runs of a job end that nothing befalls, and what they leave.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ends {
    /// So, after one process.
    As(RunOutcome),
    /// As a success, after so many attempts with a process each.
    AfterAttempts(u32),
    /// As a success, or stopped for a run that came after it.
    OrReplaced,
}

/// The attempts that wrote to an evidence file, by run.
struct Lines {
    by_run: BTreeMap<String, Vec<u32>>,
    count: u64,
}

impl Lines {
    /// Each line is a run's id, and the attempt's number unless the job has one attempt only.
    fn read(evidence: &Path) -> Outcome<Self> {
        let mut lines = Self {
            by_run: BTreeMap::new(),
            count: 0,
        };
        for line in std::fs::read_to_string(evidence)?.lines() {
            let (run, attempt) = line.split_once(' ').unwrap_or((line, "1"));
            let attempts = lines.by_run.entry(run.to_owned()).or_default();
            attempts.push(attempt.parse()?);
            lines.count += 1;
        }
        Ok(lines)
    }

    /// Those of a run, in order.
    fn take(&mut self, run: &str) -> Vec<u32> {
        let mut attempts = self.by_run.remove(run).unwrap_or_default();
        attempts.sort_unstable();
        attempts
    }
}

fn has_double(attempts: &[u32]) -> bool {
    attempts.windows(2).any(|pair| pair[0] == pair[1])
}

/// Compares a job that is paused and at rest: its schedule against its ledger, its ledger against its runs, its runs
/// against its evidence file.
pub(crate) async fn check(
    client: &Client,
    job: &Job,
    schedule: &ZonedSchedule,
    (from, to): (Timestamp, Timestamp),
    evidence: &Path,
    ends: Ends,
    findings: &mut Findings,
) -> Outcome<Looked> {
    let mut looked = Looked::default();
    let ledger = all_of_ledger(client, job).await?;
    let runs = all_runs(client, job).await?;
    let mut outcomes: BTreeMap<Timestamp, Vec<&LedgerEntry>> = BTreeMap::new();
    for entry in &ledger {
        for at in schedule.occurrences(entry.due_at, entry.to) {
            outcomes.entry(at).or_default().push(entry);
        }
    }
    for at in schedule.occurrences(from, to) {
        looked.occurrences += 1;
        match outcomes.get(&at).map_or(0, Vec::len) {
            0 => findings.add("an occurrence without an outcome", || {
                format!("{} at {at}", job.name)
            }),
            1 => {}
            _ => findings.add("an occurrence with two outcomes", || {
                format!("{} at {at}", job.name)
            }),
        }
    }

    let mut lines = Lines::read(evidence)?;
    looked.lines = lines.count;
    let keeps = keeps_runs(client, job).await?;
    let is_start = |entry: &&LedgerEntry| entry.outcome == LedgerOutcome::Started;
    let started = ledger.iter().filter(is_start).count() as u64;
    for entry in &ledger {
        if entry.outcome != LedgerOutcome::Started {
            looked.not_started += entry.count;
            continue;
        }
        looked.started += 1;
        let run = entry.run.and_then(|id| runs.get(&id.to_string()));
        let Some(run) = run else {
            let example = || format!("{} at {}", job.name, entry.due_at);
            // Oldest first: of a run that its job has let go of, the evidence is left.
            if looked.started + keeps > started {
                findings.add("a started occurrence without its run", example);
            }
            let id = entry.run.map(|id| id.to_string()).unwrap_or_default();
            if has_double(&lines.take(&id)) {
                findings.add("an attempt with two processes", example);
            }
            looked.forgotten += 1;
            continue;
        };
        let attempts = lines.take(&run.id.to_string());
        check_run((job, to), run, &attempts, ends, findings);
    }
    for run in lines.by_run.keys() {
        findings.add("a process without a started occurrence", || {
            format!("{} wrote {run}", job.name)
        });
    }
    Ok(looked)
}

/// Compares two linked jobs that are at rest: each success of the first has one run of the second, which has one process.
/// How many there are.
pub(crate) async fn check_linked(
    client: &Client,
    (from, to): (&Job, &Job),
    evidence: &Path,
    findings: &mut Findings,
) -> Outcome<usize> {
    let (before, after) = (all_runs(client, from).await?, all_runs(client, to).await?);
    let mut lines = Lines::read(evidence)?;
    let mut followed: BTreeMap<String, u32> = BTreeMap::new();
    for run in after.values() {
        let cause = run.cause_run.map(|id| id.to_string()).unwrap_or_default();
        *followed.entry(cause).or_default() += 1;
        let attempts = lines.take(&run.id.to_string());
        let ends = Ends::As(RunOutcome::Succeeded);
        check_run((to, Timestamp::MAX), run, &attempts, ends, findings);
    }
    for run in before.values() {
        let expected = u32::from(run.outcome == Some(RunOutcome::Succeeded));
        if followed.remove(&run.id.to_string()).unwrap_or(0) != expected {
            findings.add("a result without what follows it, or twice", || {
                format!("{} run {} ({:?})", from.name, run.id, run.outcome)
            });
        }
    }
    for run in followed.keys().chain(lines.by_run.keys()) {
        findings.add("a linked run or process without a cause", || {
            format!("{} {run}", to.name)
        });
    }
    Ok(after.len())
}

/// `paused`: no sooner was the job paused, if it was.
fn check_run(
    (job, paused): (&Job, Timestamp),
    run: &Run,
    attempts: &[u32],
    ends: Ends,
    findings: &mut Findings,
) {
    let example = || {
        format!(
            "{} run {} ({:?}, {:?}), with processes of attempts {attempts:?}",
            job.name, run.id, run.outcome, run.reason
        )
    };
    if run.state != RunState::Finished {
        findings.add("a run that is not over", example);
    }
    if has_double(attempts) {
        findings.add("an attempt with two processes", example);
    }
    let count = match ends {
        Ends::AfterAttempts(count) => count,
        Ends::As(_) | Ends::OrReplaced => 1,
    };
    let all: Vec<u32> = (1..=count).collect();
    let is_as_expected = match (run.outcome, ends) {
        (Some(outcome), Ends::As(expected)) if outcome == expected => attempts == all,
        (Some(RunOutcome::Succeeded), Ends::AfterAttempts(_) | Ends::OrReplaced) => attempts == all,
        // Stopped before or after it wrote.
        (Some(RunOutcome::Cancelled), Ends::OrReplaced) => all.starts_with(attempts),
        // The pause at the end comes between two attempts.
        (Some(RunOutcome::Cancelled), Ends::AfterAttempts(_)) => all.starts_with(attempts),
        // It comes before an attempt ends: a run of a paused job is not tried again.
        (Some(RunOutcome::Failed), Ends::AfterAttempts(_)) => {
            all.starts_with(attempts) && run.finished_at.is_some_and(|at| at >= paused)
        }
        // Decided ahead, and cancelled by the pause before it was due.
        (Some(RunOutcome::Cancelled), Ends::As(_)) => {
            attempts.is_empty() && run.started_at.is_none()
        }
        _ => false,
    };
    if !is_as_expected {
        findings.add("a run whose outcome and evidence differ", example);
    }
}

/// How many of its runs a job keeps.
async fn keeps_runs(client: &Client, job: &Job) -> Outcome<u64> {
    let settings = client.job(job.id).await?.settings;
    let settings = settings.ok_or("a job without settings")?;
    Ok(settings.keep_runs.into())
}

async fn all_of_ledger(client: &Client, job: &Job) -> Outcome<Vec<LedgerEntry>> {
    let mut all = Vec::new();
    let mut from = None;
    loop {
        let query = LedgerQuery {
            job: job.id,
            at: None,
            from,
            to: None,
            limit: Some(1000),
        };
        let page = client.ledger(&query).await?;
        all.extend(page.ledger);
        match page.next {
            None => return Ok(all),
            Some(next) => from = Some(next.parse()?),
        }
    }
}

async fn all_runs(client: &Client, job: &Job) -> Outcome<BTreeMap<String, Run>> {
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = client
            .runs(
                job.id,
                &RunsQuery {
                    limit: Some(1000),
                    after,
                    ..RunsQuery::default()
                },
            )
            .await?;
        all.extend(page.runs.into_iter().map(|run| (run.id.to_string(), run)));
        match page.next {
            None => return Ok(all),
            Some(next) => after = Some(next.parse()?),
        }
    }
}
