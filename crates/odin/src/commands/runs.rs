//! `odin runs`.

use clap::Args;
use jiff::tz::TimeZone;
use odin_model::RunId;
use odin_wire::{Chain, LIMIT_MAX, Run, RunsQuery};

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
    #[arg(short, long, value_name = "JOB", required_unless_present = "chain")]
    id: Option<String>,
    /// Instead: every run of the chain that this run belongs to, oldest first
    #[arg(long, value_name = "RUN", conflicts_with = "id")]
    chain: Option<RunId>,
    /// How many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
}

/// Shows a job's runs, newest first, or a chain of runs, oldest first.
pub(crate) async fn run(args: &RunsArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    if let Some(run) = args.chain {
        let chain = client.chain(run).await?;
        if context.json() {
            return context.print_json(&chain);
        }
        return context.print(&chain_table(&chain, terminal::stdout_width()));
    }
    let id = args.id.as_deref().unwrap_or_default();
    let job = selection::job(&client, id).await?;
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

/// Why a run exists, with the run that it followed.
fn cause(run: &Run) -> String {
    match run.cause_run {
        Some(before) => format!("{} {before}", run.cause.word()),
        None => run.cause.word().to_owned(),
    }
}

/// Each run of a chain, and a line for each link by which nothing was started.
fn chain_table(chain: &Chain, width: Option<usize>) -> String {
    let columns = [
        Column::fixed("RUN"),
        Column::flexible("JOB", 8),
        Column::fixed("CAUSE"),
        Column::fixed("STATE"),
        Column::flexible("OUTCOME", 9),
        Column::fixed("TOOK"),
    ];
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for run in &chain.runs {
        let outcome = run.outcome.map_or("-", odin_wire::Outcome::word);
        rows.push(vec![
            run.id.to_string().into(),
            (&run.job_name).into(),
            cause(run).into(),
            run.state.word().into(),
            outcome.into(),
            took(run).unwrap_or_else(|| "-".to_owned()).into(),
        ]);
        let skipped = run
            .successors
            .iter()
            .filter_map(|it| Some((it.job, it.skipped.as_ref()?)));
        for (job, why) in skipped {
            rows.push(vec![
                "-".into(),
                job.to_string().into(),
                format!("link {}", run.id).into(),
                "skipped".into(),
                why.into(),
                "-".into(),
            ]);
        }
    }
    let mut text = render(&columns, &rows, width);
    if chain.more {
        text.push_str("More runs follow than are shown.\n");
    }
    text
}

fn took(run: &Run) -> Option<String> {
    let (started_at, finished_at) = run.started_at.zip(run.finished_at)?;
    Some(times::duration(finished_at.duration_since(started_at)))
}

fn row(run: &Run, zone: &TimeZone) -> Vec<Cell> {
    let or_dash = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "-".to_owned()));
    let exit = match (run.exit_code, run.signal) {
        (Some(code), _) => Some(code.to_string()),
        (None, Some(signal)) => Some(format!("SIG {signal}")),
        (None, None) => None,
    };
    vec![
        run.id.to_string().into(),
        cause(run).into(),
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
        or_dash(took(run)),
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
    fn a_chain_names_what_each_run_followed_and_what_was_not_started() {
        let first = Run {
            successors: vec![odin_wire::Successor {
                job: "f0aedde327f3".parse().unwrap(),
                on: odin_wire::LinkOn::Success,
                run: None,
                skipped: Some("the job was paused".into()),
            }],
            ..samples::run()
        };
        let second = Run {
            id: "r0000000040000".parse().unwrap(),
            job_name: "mail_report".into(),
            cause: Cause::Link,
            cause_run: Some(first.id),
            root_run: Some(first.id),
            root_cause: Some(Cause::Schedule),
            ..samples::run()
        };
        let chain = Chain {
            runs: vec![first, second],
            more: true,
        };
        expect![[r#"
            RUN             JOB           CAUSE                STATE     OUTCOME             TOOK
            r0000000030000  check_stocks  schedule             finished  succeeded           1.3 s
            -               f0aedde327f3  link r0000000030000  skipped   the job was paused  -
            r0000000040000  mail_report   link r0000000030000  finished  succeeded           1.3 s
            More runs follow than are shown.
        "#]]
        .assert_eq(&chain_table(&chain, None));
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
