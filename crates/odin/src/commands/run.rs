//! `odin run`.

use clap::Args;
use odin_client::Client;
use odin_wire::{Exit, Outcome, Run};

use crate::context::Context;
use crate::error::CliError;
use crate::run_reason;
use crate::selection;
use crate::times;

/// `odin run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    /// Wait for its end: exit code 0 for succeeded and warning, else 1
    #[arg(long)]
    wait: bool,
}

/// Runs a deployed job now.
pub(crate) async fn run(args: &RunArgs, context: &Context) -> Result<Exit, CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let run = client.run_job(job.id, context.key()?).await?;
    report(&client, run, args.wait, context).await
}

/// Prints a run that was just made, at once or when it is over.
pub(crate) async fn report(
    client: &Client,
    run: Run,
    wait: bool,
    context: &Context,
) -> Result<Exit, CliError> {
    if !wait {
        if context.json() {
            context.print_json(&run)?;
        } else {
            context.print_line(&format!(
                "Run {} of {} is {}",
                run.id,
                run.job_name,
                run.state.word()
            ))?;
        }
        return Ok(Exit::Done);
    }
    let run = client.run_when_over(run.id).await?;
    if context.json() {
        context.print_json(&run)?;
    } else {
        context.print_line(&ending(&run))?;
    }
    let is_good = run.outcome.is_some_and(Outcome::is_good);
    Ok(if is_good { Exit::Done } else { Exit::Failed })
}

/// How a run ended, in one line: the reason last, which may be any text.
fn ending(run: &Run) -> String {
    let outcome = run
        .outcome
        .map_or_else(|| "finished".to_owned(), run_reason::outcome_in_words);
    let mut text = format!("Run {} of {} {outcome}", run.id, run.job_name);
    if let (Some(started_at), Some(finished_at)) = (run.started_at, run.finished_at) {
        text += &format!(
            " after {}",
            times::duration(finished_at.duration_since(started_at))
        );
    }
    match run_reason::of_run(run) {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;

    #[test]
    fn an_ending_says_how_and_why() {
        let ends = |outcome, exit_code| Run {
            outcome: Some(outcome),
            exit_code,
            ..samples::run()
        };
        let said = |outcome, exit_code, reason: &str| Run {
            reason: Some(reason.into()),
            ..ends(outcome, exit_code)
        };
        for (run, expected) in [
            (
                ends(Outcome::Succeeded, Some(0)),
                "Run r0000000030000 of check_stocks succeeded after 1.3 s",
            ),
            (
                ends(Outcome::Failed, Some(3)),
                "Run r0000000030000 of check_stocks failed after 1.3 s: exit status 3",
            ),
            (
                said(Outcome::Succeeded, Some(0), "all is well"),
                "Run r0000000030000 of check_stocks succeeded after 1.3 s: all is well",
            ),
            (
                said(
                    Outcome::Warning,
                    Some(0),
                    "three rows were missing (status 404)",
                ),
                "Run r0000000030000 of check_stocks warning after 1.3 s: three rows were missing (status 404)",
            ),
            (
                said(
                    Outcome::Failed,
                    Some(1),
                    "no disk space (status 500); exit code 1",
                ),
                "Run r0000000030000 of check_stocks failed after 1.3 s: no disk space (status 500); exit status 1",
            ),
            (
                ends(Outcome::TimedOut, None),
                "Run r0000000030000 of check_stocks timed out after 1.3 s",
            ),
        ] {
            assert_eq!(ending(&run), expected);
        }
    }
}
