//! `odin runs`.

use clap::Args;
use jiff::tz::TimeZone;
use odin_wire::{LIMIT_MAX, Run, RunsQuery};

use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::table::{Cell, Column, render};
use crate::terminal;
use crate::times;

/// `odin runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    /// How many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
}

/// Shows a job's runs, newest first.
pub(crate) async fn run(args: &RunsArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let query = RunsQuery {
        limit: Some(args.limit),
        after: None,
    };
    let runs = client.runs(job.id, &query).await?;
    if context.json() {
        return context.print_json(&runs);
    }
    context.print(&table(
        &runs.runs,
        &times::zone(&job.timezone),
        terminal::stdout_width(),
    ))
}

fn table(runs: &[Run], zone: &TimeZone, width: Option<usize>) -> String {
    let columns = [
        Column::fixed("RUN"),
        Column::fixed("CAUSE"),
        Column::fixed("DUE"),
        Column::fixed("STATE"),
        Column::flexible("OUTCOME", 9),
        Column::fixed("EXIT"),
        Column::fixed("TOOK"),
        Column::flexible("NODE", 6),
    ];
    let rows: Vec<Vec<Cell>> = runs.iter().map(|run| row(run, zone)).collect();
    render(&columns, &rows, width)
}

fn row(run: &Run, zone: &TimeZone) -> Vec<Cell> {
    let or_dash = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "-".to_owned()));
    let exit = match (run.exit_code, run.signal) {
        (Some(code), _) => Some(code.to_string()),
        (None, Some(signal)) => Some(format!("SIG {signal}")),
        (None, None) => None,
    };
    let took = run
        .started_at
        .zip(run.finished_at)
        .map(|(started_at, finished_at)| times::duration(finished_at.duration_since(started_at)));
    vec![
        run.id.to_string().into(),
        run.cause.word().into(),
        match run.due_at {
            Some(due) => Cell::with_short(
                times::in_zone(due, zone),
                due.to_zoned(zone.clone())
                    .strftime("%m-%d %H:%M:%S %Z")
                    .to_string(),
            ),
            None => "-".into(),
        },
        run.state.word().into(),
        or_dash(run.outcome.map(|outcome| outcome.word().to_owned())),
        or_dash(exit),
        or_dash(took),
        or_dash(run.node.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::{Expect, expect};
    use odin_wire::{Cause, Outcome, RunState};

    fn check(width: Option<usize>, expected: &Expect) {
        let running = Run {
            id: "r0000000040000".parse().unwrap(),
            cause: Cause::Manual,
            due_at: None,
            state: RunState::Running,
            outcome: None,
            exit_code: None,
            finished_at: None,
            ..samples::run()
        };
        let killed = Run {
            outcome: Some(Outcome::Signalled),
            exit_code: None,
            signal: Some(9),
            ..samples::run()
        };
        let runs = [running, samples::run(), killed];
        expected.assert_eq(&table(&runs, &times::zone("Europe/Dublin"), width));
    }

    #[test]
    fn runs_are_listed_whole_when_piped_and_within_a_terminal() {
        check(
            None,
            &expect![[r#"
            RUN             CAUSE     DUE                      STATE     OUTCOME    EXIT   TOOK   NODE
            r0000000040000  manual    -                        running   -          -      -      master-node
            r0000000030000  schedule  2026-11-21 15:00:00 GMT  finished  succeeded  0      1.3 s  master-node
            r0000000030000  schedule  2026-11-21 15:00:00 GMT  finished  signalled  SIG 9  1.3 s  master-node
        "#]],
        );
        check(
            Some(80),
            &expect![[r#"
            RUN            CAUSE    DUE                STATE    OUTCOME   EXIT  TOOK  NODE
            r0000000040000 manual   -                  running  -         -     -     maste…
            r0000000030000 schedule 11-21 15:00:00 GMT finished succeeded 0     1.3 s maste…
            r0000000030000 schedule 11-21 15:00:00 GMT finished signalled SIG 9 1.3 s maste…
        "#]],
        );
    }
}
