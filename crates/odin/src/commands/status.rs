//! `odin status`.

use std::fmt::Write as _;

use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_client::Client;
use odin_wire::{
    Job, JobState, LIMIT_DEFAULT, Run, RunState, RunsQuery, Statistics, StatisticsQuery,
};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::run_reason;
use crate::selection::{self, Selected};
use crate::statistics_line;
use crate::terminal::visible;
use crate::times;

/// An assigned run that is ready for longer waits for a slot: starting takes less.
const SLOT_WAIT: SignedDuration = SignedDuration::from_secs(1);

/// `odin status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The job's id or its name, or a run's id; without it what all jobs that you may see did
    #[arg(short, long, value_name = "JOB|RUN")]
    id: Option<String>,
    /// Since when runs and due times are counted: `2h` or `7d` for so long ago, RFC 3339, or `2026-11-21 17:00[:00]` in
    /// the job's zone (UTC without a job). Default: a day ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// A job's state now. The runs are looked for among its latest hundred.
#[derive(Debug, Serialize)]
struct Status {
    /// The job, as lists show it.
    #[serde(flatten)]
    job: Job,
    /// Its runs that are not over, newest first.
    active_runs: Vec<Run>,
    /// Its newest run that is over.
    last_finished_run: Option<Run>,
    /// What was counted of it.
    statistics: Statistics,
}

/// Shows a job's or a run's state now, or what all jobs did.
pub(crate) async fn run(args: &StatusArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let Some(id) = &args.id else {
        return of_all(&client, args, context).await;
    };
    let mut job = match selection::job_or_run(&client, id).await? {
        Selected::Job(job) => *job,
        Selected::Run(run) if context.json() => return context.print_json(&run),
        Selected::Run(run) => {
            // The job may be gone; its runs stay.
            let job = client.job(run.job).await.ok();
            let zone = job.map_or(TimeZone::UTC, |job| times::zone(&job.timezone));
            return context.print(&text_of_run(&run, &zone, context.now()));
        }
    };
    let query = args.counted(&job.timezone, context.now())?;
    let statistics = client.statistics(Some(job.id), &query).await?;
    job.settings = None;
    let query = RunsQuery {
        limit: Some(LIMIT_DEFAULT),
        ..RunsQuery::default()
    };
    let runs = client.runs(job.id, &query).await?.runs;
    let (active_runs, finished): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| run.state != RunState::Finished);
    let status = Status {
        job,
        active_runs,
        last_finished_run: finished.into_iter().next(),
        statistics,
    };
    if context.json() {
        return context.print_json(&status);
    }
    let counted = statistics_line::lines(&status.statistics, &args.period(), "  ");
    context.print(&format!("{}{counted}", text(&status, context.now())))
}

/// What all jobs that the asker may see did.
async fn of_all(client: &Client, args: &StatusArgs, context: &Context) -> Result<(), CliError> {
    let query = args.counted("UTC", context.now())?;
    let statistics = client.statistics(None, &query).await?;
    if context.json() {
        return context.print_json(&statistics);
    }
    let text = statistics_line::lines(&statistics, &args.period(), "");
    context.print(match text.is_empty() {
        true => "nothing was due and no run ended in that time\n",
        false => &text,
    })
}

impl StatusArgs {
    fn counted(&self, zone: &str, now: Timestamp) -> Result<StatisticsQuery, CliError> {
        let zone = times::zone(zone);
        let since = self.since.as_ref();
        let from = since.map(|since| times::parse_or_ago(since, &zone, now));
        let from = from.transpose()?;
        Ok(StatisticsQuery {
            from: from.and_then(|from| from.into_iter().min()),
            to: None,
        })
    }

    /// The period as a label.
    fn period(&self) -> String {
        match &self.since {
            None => "last day: ".to_owned(),
            Some(since) => format!("since {}:", visible(since)),
        }
    }
}

fn text(status: &Status, now: Timestamp) -> String {
    let job = &status.job;
    let zone = times::zone(&job.timezone);
    let shown = |instant| shown(instant, &zone, now);
    let mut text = format!(
        "{} ({}): {}\n",
        visible(&job.name),
        job.id,
        match job.quarantined {
            Some(_) => "quarantined",
            None => job.state.word(),
        }
    );
    if let Some(quarantined) = &job.quarantined {
        let since = shown(quarantined.at);
        let _ = writeln!(text, "  since:     {since}");
        let _ = writeln!(text, "  because:   {}", visible(&quarantined.reason));
    }
    let next = match (job.state, job.next_due) {
        _ if job.quarantined.is_some() => {
            "not before it is mended; `odin resume` tries again".to_owned()
        }
        (JobState::Enabled, Some(due)) => shown(due),
        (JobState::Enabled, None) => "never".to_owned(),
        (JobState::Paused | JobState::Removed, _) => "not before it is resumed".to_owned(),
    };
    let _ = writeln!(text, "  next due:  {next}");
    for run in &status.active_runs {
        let _ = writeln!(text, "  active:    {} {}", run.id, active(run, &zone, now));
    }
    if let Some(run) = &status.last_finished_run {
        let _ = writeln!(
            text,
            "  last run:  {} {}",
            run.id,
            finished(run, &zone, now)
        );
        if let Some(reason) = run_reason::of_run(run) {
            let _ = writeln!(text, "             {}", visible(&reason));
        }
    }
    text
}

fn text_of_run(run: &Run, zone: &TimeZone, now: Timestamp) -> String {
    let stands = match run.state {
        RunState::Finished => finished(run, zone, now),
        _ => active(run, zone, now),
    };
    let job = visible(&run.job_name);
    let mut text = format!("{} of {job} ({}): {stands}\n", run.id, run.job);
    if let Some(reason) = &run.cancel_requested {
        let _ = writeln!(text, "  stopping:  {}", visible(reason));
    }
    if let Some(reason) = run_reason::of_run(run) {
        let _ = writeln!(text, "  because:   {}", visible(&reason));
    }
    text
}

fn shown(instant: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let (at, away) = (times::in_zone(instant, zone), times::relative(instant, now));
    format!("{at} ({away})")
}

/// Where a run that is over stands, and since when.
fn finished(run: &Run, zone: &TimeZone, now: Timestamp) -> String {
    let outcome = run.outcome.map_or("finished", odin_wire::Outcome::word);
    match run.finished_at {
        Some(at) => format!("{outcome} at {}", shown(at, zone, now)),
        None => outcome.to_owned(),
    }
}

/// Where a run that is not over stands, since when, and what it waits for.
fn active(run: &Run, zone: &TimeZone, now: Timestamp) -> String {
    let shown = |instant| shown(instant, zone, now);
    let since = match run.started_at {
        Some(started_at) => format!("since {}", shown(started_at)),
        None => format!("for {}", shown(run.due_at.unwrap_or(run.queued_at))),
    };
    let mut text = format!("{} {since}", run.state.word());
    if let Some(at) = run.retry_at {
        let (attempt, at) = (run.attempt.unwrap_or(1), shown(at));
        let _ = write!(text, ", attempt {attempt} went wrong, the next at {at}");
    }
    if let Some(waits_for) = run.waits_for {
        let _ = write!(text, ", waits for {}", waits_for.words());
    }
    let waited = now.duration_since(run.ready_at);
    if run.state == RunState::Assigned && waited > SLOT_WAIT {
        let why = match run.catch_up {
            true => "waits for its turn: it makes up for the past, after live work",
            false => "waits for a slot of its node",
        };
        let _ = write!(text, ", {why}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::{Expect, expect};
    use odin_wire::Outcome;

    fn check(status: &Status, expected: &Expect) {
        expected.assert_eq(&text(status, samples::NOW.parse().unwrap()));
    }

    #[test]
    fn a_status_tells_what_is_next_what_runs_and_what_was_last() {
        let running = Run {
            id: "r0000000040000".parse().unwrap(),
            state: RunState::Running,
            outcome: None,
            ..samples::run()
        };
        let failed = Run {
            outcome: Some(Outcome::Failed),
            exit_code: Some(3),
            ..samples::run()
        };
        let status = Status {
            job: samples::job(),
            active_runs: vec![running],
            last_finished_run: Some(failed),
            statistics: samples::statistics(),
        };
        check(
            &status,
            &expect![[r#"
            check_stocks (a37b187f5930): enabled
              next due:  2026-11-21 17:00:00 GMT (in 60 min)
              active:    r0000000040000 running since 2026-11-21 15:00:00.002 GMT (59 min ago)
              last run:  r0000000030000 failed at 2026-11-21 15:00:01.342 GMT (59 min ago)
                         exit status 3
        "#]],
        );
    }

    #[test]
    fn a_run_says_where_it_stands_and_why() {
        let failed = Run {
            outcome: Some(Outcome::Failed),
            exit_code: Some(3),
            ..samples::run()
        };
        let warned = Run {
            outcome: Some(Outcome::Warning),
            reason: Some("three rows were missing (status 404)".into()),
            ..samples::run()
        };
        let retrying = Run {
            state: RunState::Retrying,
            outcome: None,
            retry_at: Some("2026-11-21T16:00:05Z".parse().unwrap()),
            cancel_requested: Some("ann asked".into()),
            ..samples::run()
        };
        let zone = times::zone("Europe/Dublin");
        let now = samples::NOW.parse().unwrap();
        let texts = [failed, warned, retrying].map(|run| text_of_run(&run, &zone, now));
        expect![[r#"
            r0000000030000 of check_stocks (a37b187f5930): failed at 2026-11-21 15:00:01.342 GMT (59 min ago)
              because:   exit status 3
            r0000000030000 of check_stocks (a37b187f5930): warning at 2026-11-21 15:00:01.342 GMT (59 min ago)
              because:   three rows were missing (status 404)
            r0000000030000 of check_stocks (a37b187f5930): retrying since 2026-11-21 15:00:00.002 GMT (59 min ago), attempt 1 went wrong, the next at 2026-11-21 16:00:05 GMT (in 5 s)
              stopping:  ann asked
        "#]].assert_eq(&texts.concat());
    }

    #[test]
    fn a_job_in_quarantine_says_why_and_what_tries_again() {
        let job = Job {
            quarantined: Some(samples::quarantined()),
            ..samples::job()
        };
        let status = Status {
            job,
            active_runs: Vec::new(),
            last_finished_run: None,
            statistics: samples::statistics(),
        };
        check(
            &status,
            &expect![[r#"
            check_stocks (a37b187f5930): quarantined
              since:     2026-11-21 15:00:00 GMT (60 min ago)
              because:   the schedule `every day except on holidays` cannot be read: there is no calendar `holidays`
              next due:  not before it is mended; `odin resume` tries again
        "#]],
        );
    }

    #[test]
    fn what_was_counted_is_told_in_a_few_lines() {
        let lines = statistics_line::lines(&samples::statistics(), "last day: ", "  ");
        expect![[r#"
            a job:
              last day:  100 runs ended, 99 % well; 99 of 101 due times started, 2 coalesced
                         took half within 1.3 s, 90 % 2.0 s, 99 % 4.0 s, at most 1 min 5 s
                         late half within 1 ms, 90 % 3 ms, 99 % 9 ms, at most 12 ms
        "#]]
        .assert_eq(&format!("a job:\n{lines}"));
    }

    #[test]
    fn a_paused_job_says_so() {
        let job = Job {
            state: JobState::Paused,
            ..samples::job()
        };
        let status = Status {
            job,
            active_runs: Vec::new(),
            last_finished_run: None,
            statistics: samples::statistics(),
        };
        check(
            &status,
            &expect![[r#"
            check_stocks (a37b187f5930): paused
              next due:  not before it is resumed
        "#]],
        );
    }
}
