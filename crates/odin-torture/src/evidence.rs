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

/// Compares a job that is paused and at rest: its schedule against its ledger, its ledger against its runs, its runs
/// against its evidence file, in which each process has written its run's id on a line of its own. `ends`: how a run
/// of it ends that nothing befalls.
pub(crate) async fn check(
    client: &Client,
    job: &Job,
    schedule: &ZonedSchedule,
    (from, to): (Timestamp, Timestamp),
    evidence: &Path,
    ends: RunOutcome,
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

    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for line in std::fs::read_to_string(evidence)?.lines() {
        looked.lines += 1;
        *lines.entry(line.to_owned()).or_default() += 1;
    }
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
            if lines.remove(&id).unwrap_or(0) > 1 {
                findings.add("a run with two processes", example);
            }
            looked.forgotten += 1;
            continue;
        };
        check_run(
            job,
            run,
            (lines.remove(&run.id.to_string()).unwrap_or(0), ends),
            findings,
        );
    }
    for (line, _) in lines {
        findings.add("a process without a started occurrence", || {
            format!("{} wrote {line}", job.name)
        });
    }
    Ok(looked)
}

fn check_run(job: &Job, run: &Run, (lines, ends): (u64, RunOutcome), findings: &mut Findings) {
    let example = || {
        format!(
            "{} run {} ({:?}, {:?})",
            job.name, run.id, run.outcome, run.reason
        )
    };
    if run.state != RunState::Finished {
        findings.add("a run that is not over", example);
    }
    match (run.outcome, lines) {
        (_, 2..) => findings.add("a run with two processes", example),
        (Some(outcome), 1) if outcome == ends => {}
        // Decided ahead, and cancelled by the pause before it was due.
        (Some(RunOutcome::Cancelled), 0) if run.started_at.is_none() => {}
        _ => findings.add("a run whose outcome and evidence differ", example),
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
