//! A server's history after millions of runs: what it takes to seal them, what they take on the disk, and what
//! questions of it cost.
//!
//! `cargo bench -p odin-store --bench history -- 10000000` makes ten million finished runs; without a number it is one
//! million. An hour of runs of a thousand jobs goes through `apply`; later hours are copies of its rows at later
//! places of the log. All of them are sealed and taken out of the state by the code that a server runs.
//!
//! Times are CPU time of the thread that asks, so that a busy machine shows nearly the same; wall time is beside it.

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

#[path = "../shared/mod.rs"]
mod shared;

mod make;
mod noise;

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use odin_model::{JobId, Outcome};
use odin_store::{Reader, RunFilter, RunsOf, Scope};

use make::Made;
use noise::Noise;
use shared::{cpu_time, due};

/// How often each question is asked.
const ASKED: u32 = 200;
/// How many runs a page has.
const PAGE: usize = 50;
/// What any question may take,
const TARGET: Duration = Duration::from_millis(50);
/// and the statistics of a job.
const TARGET_OF_STATISTICS: Duration = Duration::from_millis(10);

fn main() {
    let asked_for = std::env::args().find_map(|argument| argument.parse().ok());
    let made = Made::new(asked_for.unwrap_or(1_000_000));
    made.print_size();
    let mut missed = Vec::new();
    for (name, target, took) in questions(&made) {
        let mut took = took;
        took.sort_unstable();
        let at = |share: usize| took[(took.len() - 1) * share / 100];
        let walls: Duration = took.iter().map(|(_, wall)| *wall).sum();
        let (median, worst) = (at(50).0, at(100).0);
        println!(
            "{name:<52} p50 {:>7.2} ms  p99 {:>7.2} ms  worst {:>7.2} ms  wall {:>7.2} ms  (target {} ms)",
            milliseconds(median),
            milliseconds(at(99).0),
            milliseconds(worst),
            milliseconds(walls / ASKED),
            target.as_millis()
        );
        if at(99).0 > target {
            missed.push(name);
        }
    }
    assert!(missed.is_empty(), "beyond the target: {missed:?}");
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// CPU time and wall time of each answer.
type Took = Vec<(Duration, Duration)>;

/// Asks a question many times, each time of something else.
fn ask(mut question: impl FnMut(&mut Noise)) -> Took {
    let mut noise = Noise::new(7);
    let mut took = Vec::new();
    for _ in 0..ASKED {
        let (cpu, wall) = (cpu_time(), now());
        question(&mut noise);
        took.push((cpu_time().saturating_sub(cpu), wall.elapsed()));
    }
    took
}

#[expect(clippy::disallowed_methods, reason = "a bench measures from outside")]
fn now() -> Instant {
    Instant::now()
}

fn questions(made: &Made) -> Vec<(&'static str, Duration, Took)> {
    let reader = &made.reader;
    let mut answers = lists(made, reader);
    answers.push((
        "a job's page: job, runs, statistics, usual duration",
        TARGET,
        ask(|noise| {
            let job = JobId::from_bits(noise.below(make::JOBS));
            let found = reader.job(job).expect("readable");
            assert!(found.is_some(), "{job} is there");
            let page = reader.runs(RunsOf::Job(job), None, PAGE);
            assert_eq!(page.expect("readable").runs.len(), PAGE);
            month(reader, job, made.end());
            let usual = reader.typical_duration(job, made.end());
            assert!(usual.expect("readable").is_some());
        }),
    ));
    answers.push((
        "a run by its id, with its output",
        TARGET,
        ask(|noise| {
            let run = made.any_run(noise);
            assert!(
                reader.run(run).expect("readable").is_some(),
                "{run} is there"
            );
        }),
    ));
    answers.push((
        "why: the row of the ledger, and its run",
        TARGET,
        ask(|noise| {
            let (job, at) = made.any_due(noise);
            let row = reader.ledger_at(job, at).expect("readable");
            let row = row.unwrap_or_else(|| panic!("{job} was due at {at}"));
            let run = row.run.expect("it was started");
            assert!(reader.run(run).expect("readable").is_some());
        }),
    ));
    answers.push((
        "statistics of a job, 30 days",
        TARGET_OF_STATISTICS,
        ask(|noise| {
            month(
                reader,
                JobId::from_bits(noise.below(make::JOBS)),
                made.end(),
            );
        }),
    ));
    answers
}

fn month(reader: &Reader, job: JobId, end: Timestamp) {
    let from = end - SignedDuration::from_hours(30 * 24);
    let counted = reader.statistics(Scope::Job(job), from, end);
    assert!(counted.expect("readable").runs(Outcome::Succeeded) > 0);
}

fn lists(made: &Made, reader: &Reader) -> Vec<(&'static str, Duration, Took)> {
    let list = |of: RunsOf<'_>, filter: &RunFilter, before, runs: usize| {
        // A page looks at a bounded part of history: who has too few asks on, as `odin runs` does.
        let (mut found, mut before) = (0, before);
        loop {
            let page = reader.runs_that(of, filter, before, PAGE);
            let page = page.expect("readable");
            assert!(!page.is_incomplete);
            found += page.runs.len();
            before = page.next;
            if found >= runs || before.is_none() {
                break;
            }
        }
        assert!(found >= runs, "pages of {found}");
    };
    let all = RunFilter::default();
    let failed = RunFilter {
        outcomes: vec![Outcome::Failed],
        ..RunFilter::default()
    };
    let hour = |noise: &mut Noise| {
        let since = due(60 * noise.below(made.hours).cast_signed());
        RunFilter {
            since: Some(since),
            until: Some(since + SignedDuration::from_hours(1)),
            ..failed.clone()
        }
    };
    let job = |noise: &mut Noise| RunsOf::Job(JobId::from_bits(noise.below(make::JOBS)));
    vec![
        (
            "all runs, first page",
            TARGET,
            ask(|_| list(RunsOf::All, &all, None, PAGE)),
        ),
        (
            "all runs, a page in the middle",
            TARGET,
            ask(|noise| list(RunsOf::All, &all, Some(made.any_run(noise)), 1)),
        ),
        (
            "failed runs, first page",
            TARGET,
            ask(|_| list(RunsOf::All, &failed, None, PAGE)),
        ),
        (
            "failed runs of any hour",
            TARGET,
            ask(|noise| list(RunsOf::All, &hour(noise), None, PAGE)),
        ),
        (
            "a filter that nothing passes, one page",
            TARGET,
            ask(|_| {
                let lost = RunFilter {
                    outcomes: vec![Outcome::Cancelled],
                    ..RunFilter::default()
                };
                list(RunsOf::All, &lost, None, 0);
            }),
        ),
        (
            "a job's runs, first page",
            TARGET,
            ask(|noise| list(job(noise), &all, None, PAGE)),
        ),
        (
            "a job's runs, a page in the middle",
            TARGET,
            ask(|noise| list(job(noise), &all, Some(made.any_run(noise)), 0)),
        ),
        (
            "a job's failed runs of any hour",
            TARGET,
            ask(|noise| list(job(noise), &hour(noise), None, 0)),
        ),
    ]
}
