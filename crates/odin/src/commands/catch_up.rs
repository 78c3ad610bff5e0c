//! `odin catch-up`.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use odin_client::Client;
use odin_wire::{CatchUpJob, CatchUpState, CaughtUp, Job, JobsQuery, LIMIT_MAX};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::terminal::visible;
use crate::times;

/// `odin catch-up`.
#[derive(Debug, Args)]
pub(crate) struct CatchUpArgs {
    /// The job's id, or its name; without it all jobs that you may see
    #[arg(short, long, value_name = "JOB")]
    id: Option<String>,
    /// The beginning of the window: `2h` or `7d` for so long ago, RFC 3339, or `2026-11-21 17:00[:00]` in the job's
    /// zone
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Its end; what is not over yet is left out
    #[arg(long, value_name = "TIME")]
    to: String,
    /// How many due times of a job at most, 1 to 1000, oldest first
    #[arg(long, value_name = "N", default_value_t = odin_wire::catch_up::CATCH_UP_DEFAULT)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
    /// Only show what would be started
    #[arg(long)]
    dry_run: bool,
}

/// What `--json` prints for all jobs.
#[derive(Debug, Serialize)]
struct All {
    jobs: Vec<CaughtUp>,
    next: Option<String>,
}

/// Starts runs for due times that had none.
pub(crate) async fn run(args: &CatchUpArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    if let Some(id) = &args.id {
        let job = selection::job(&client, id).await?;
        let answer = ask(&client, &job, args, context).await?;
        return match context.json() {
            true => context.print_json(&answer),
            false => context.print(&text(&answer)),
        };
    }
    let mut answers = Vec::new();
    for job in client.all_jobs(JobsQuery::default()).await? {
        let answer = ask(&client, &job, args, context).await?;
        if context.json() {
            answers.push(answer);
        } else if !answer.occurrences.is_empty() {
            context.print(&text(&answer))?;
        }
    }
    if context.json() {
        return context.print_json(&All {
            jobs: answers,
            next: None,
        });
    }
    Ok(())
}

async fn ask(
    client: &Client,
    job: &Job,
    args: &CatchUpArgs,
    context: &Context,
) -> Result<CaughtUp, CliError> {
    let zone = times::zone(&job.timezone);
    // A local time that the clock shows twice is the first one as a beginning and the second as an end.
    let first = |instants: Vec<Timestamp>| instants.into_iter().min();
    let last = |instants: Vec<Timestamp>| instants.into_iter().max();
    let window = CatchUpJob {
        from: first(times::parse_or_ago(&args.from, &zone, context.now())?)
            .expect("a time is at least one instant"),
        to: last(times::parse_or_ago(&args.to, &zone, context.now())?)
            .expect("a time is at least one instant"),
        limit: Some(args.limit),
        dry_run: args.dry_run,
    };
    Ok(client.catch_up(job.id, &window, context.key()?).await?)
}

fn text(answer: &CaughtUp) -> String {
    let zone = times::zone(&answer.timezone);
    let mut text = format!("{} ({})", visible(&answer.job_name), answer.job);
    if answer.occurrences.is_empty() {
        let _ = writeln!(
            text,
            ": nothing to catch up; {} due times ran by the schedule",
            answer.on_schedule
        );
        return text;
    }
    text.push('\n');
    for occurrence in &answer.occurrences {
        let ledger = occurrence.outcome.map_or("no outcome", |outcome| {
            odin_model::LedgerOutcome::from(outcome).word()
        });
        let state = match (occurrence.state, occurrence.run) {
            (CatchUpState::WouldStart, _) => "would be started".to_owned(),
            (CatchUpState::Started, Some(run)) => format!("started as {run}"),
            (CatchUpState::HasRun, Some(run)) => format!("passed over: {run} caught it up"),
            (CatchUpState::Waiting, _) => "waits for others of the job".to_owned(),
            (CatchUpState::AskedBefore, _) => "passed over: it waits already".to_owned(),
            (CatchUpState::NotKept, _) => {
                "passed over: the ledger of then is no longer kept".to_owned()
            }
            (state @ (CatchUpState::Started | CatchUpState::HasRun), None) => {
                state.word().to_owned()
            }
        };
        let due = times::in_zone(occurrence.due_at, &zone);
        let _ = writeln!(text, "  {due}  {ledger:<10}  {state}");
    }
    if answer.more {
        let _ = writeln!(
            text,
            "  More is left of the window: ask again for the rest."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use odin_wire::{CatchUpOccurrence, LedgerOutcome};

    #[test]
    fn every_due_time_is_a_line_that_says_what_becomes_of_it() {
        let run = "r0000000030000".parse().ok();
        let states = [
            (Some(LedgerOutcome::Misfired), CatchUpState::Started, run),
            (Some(LedgerOutcome::Coalesced), CatchUpState::Waiting, None),
            (None, CatchUpState::WouldStart, None),
            (Some(LedgerOutcome::Skipped), CatchUpState::HasRun, run),
            (None, CatchUpState::AskedBefore, None),
        ];
        let from: Timestamp = "2026-11-21T01:00:00Z".parse().unwrap();
        let occurrences = (0..).zip(states).map(|(hours, (outcome, state, run))| {
            let due_at = from + jiff::SignedDuration::from_hours(hours);
            CatchUpOccurrence {
                due_at,
                outcome,
                state,
                run,
            }
        });
        let mut answer = CaughtUp {
            job: "a37b187f5930".parse().unwrap(),
            job_name: "nightly".into(),
            timezone: "Europe/Dublin".into(),
            dry_run: false,
            occurrences: occurrences.collect(),
            on_schedule: 3,
            more: true,
        };
        expect![[r#"
            nightly (a37b187f5930)
              2026-11-21 01:00:00 GMT  misfired    started as r0000000030000
              2026-11-21 02:00:00 GMT  coalesced   waits for others of the job
              2026-11-21 03:00:00 GMT  no outcome  would be started
              2026-11-21 04:00:00 GMT  skipped     passed over: r0000000030000 caught it up
              2026-11-21 05:00:00 GMT  no outcome  passed over: it waits already
              More is left of the window: ask again for the rest.
        "#]]
        .assert_eq(&text(&answer));
        answer.occurrences.clear();
        expect![[r#"
            nightly (a37b187f5930): nothing to catch up; 3 due times ran by the schedule
        "#]]
        .assert_eq(&text(&answer));
    }
}
