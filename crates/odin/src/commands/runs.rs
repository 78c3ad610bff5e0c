//! `odin runs`.

use clap::Args;
use jiff::tz::TimeZone;
use odin_client::Client;
use odin_model::{JobId, RunId};
use odin_wire::{Chain, FlagOf, LIMIT_MAX, Run, RunList, RunsQuery};

use crate::context::Context;
use crate::error::CliError;
use crate::report;
use crate::run_reason;
use crate::selection;
use crate::table::{Cell, Column, render};
use crate::terminal;
use crate::times;

/// How much of a reason has to fit beside its run.
const REASON_WIDTH_MIN: usize = 24;

/// `odin runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The job's id, or its name; without it, the runs of all jobs
    #[arg(short, long, value_name = "JOB")]
    id: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Instead: every run of the chain that this run belongs to, oldest first
    #[arg(long, value_name = "RUN", conflicts_with_all = ["id", "Filters"])]
    chain: Option<RunId>,
    /// How many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
}

/// Which runs; each must pass all of them.
#[derive(Debug, Args)]
struct Filters {
    /// Only these outcomes, separated by commas: failed,timed_out
    #[arg(long, value_name = "WORDS")]
    outcome: Option<String>,
    /// Only these states, separated by commas: queued,running
    #[arg(long, value_name = "WORDS")]
    state: Option<String>,
    /// Only these causes, separated by commas: schedule, manual, link, catch_up
    #[arg(long, value_name = "WORDS")]
    cause: Option<String>,
    /// Only runs whose latest attempt was on this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Only runs due since this instant, or since so long ago: `2h`, `7d`, `2026-12-24`, `2026-12-24 09:00`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only runs due before this instant, or before so long ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only runs whose latest attempt printed this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Only runs whose latest reported values hold: `price > 100 and "has rows" = true`
    #[arg(long = "where", value_name = "CONDITION")]
    values: Option<String>,
}

/// Shows the runs of a job or of all jobs, newest first, or a chain of runs, oldest first.
pub(crate) async fn run(args: &RunsArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    if let Some(run) = args.chain {
        let chain = client.chain(run).await?;
        if context.json() {
            return context.print_json(&chain);
        }
        return context.print(&chain_table(&chain, terminal::stdout_width()));
    }
    let job = match args.id.as_deref() {
        Some(id) => Some(selection::job(&client, id).await?),
        None => None,
    };
    let zone = job.as_ref().map(|job| times::zone(&job.timezone));
    let query = args.filters.query(zone.as_ref(), context)?;
    let runs = found(&client, job.map(|job| job.id), query, args.limit).await?;
    if runs.incomplete {
        report::note(
            "runs may be missing: a file of history cannot be read; `odin doctor` says which",
        );
    }
    if context.json() {
        return context.print_json(&runs);
    }
    let width = terminal::stdout_width();
    context.print(&table(&runs.runs, zone.as_ref(), width))
}

impl Filters {
    /// What to ask for; times without a zone are of the job's zone, or UTC.
    fn query(&self, zone: Option<&TimeZone>, context: &Context) -> Result<RunsQuery, CliError> {
        let zone = zone.cloned().unwrap_or(TimeZone::UTC);
        // Of a local time that the clock shows twice, the first one begins and the second one ends.
        let instants = |text: &Option<String>| {
            let text = text.as_deref();
            text.map_or(Ok(Vec::new()), |text| {
                times::parse_or_ago(text, &zone, context.now())
            })
        };
        Ok(RunsQuery {
            outcome: self.outcome.clone(),
            state: self.state.clone(),
            cause: self.cause.clone(),
            node: self.node.clone(),
            since: instants(&self.since)?.into_iter().min(),
            until: instants(&self.until)?.into_iter().max(),
            text: self.grep.clone(),
            values: self.values.clone(),
            ..RunsQuery::default()
        })
    }
}

/// As many runs as were asked for: one answer may hold fewer while there are more.
async fn found(
    client: &Client,
    job: Option<JobId>,
    mut query: RunsQuery,
    limit: u32,
) -> Result<RunList, CliError> {
    let mut found = RunList::default();
    loop {
        let left = limit.saturating_sub(u32::try_from(found.runs.len()).unwrap_or(u32::MAX));
        query.limit = Some(left);
        let page = match job {
            Some(job) => client.runs(job, &query).await,
            None => client.runs_of_all(&query).await,
        };
        let page =
            page.map_err(|error| report::about_text(error, "where", query.values.as_deref()))?;
        found.runs.extend(page.runs);
        found.next = page.next;
        found.incomplete |= page.incomplete;
        query.after = found.next.as_deref().and_then(|next| next.parse().ok());
        if query.after.is_none() || found.runs.len() >= limit as usize {
            return Ok(found);
        }
    }
}

/// Runs of one job in its zone; without one, of many jobs, which are named, in UTC.
fn table(runs: &[Run], zone: Option<&TimeZone>, width: Option<usize>) -> String {
    let mut columns = vec![
        Column::fixed("RUN"),
        Column::fixed("CAUSE"),
        Column::fixed("DUE"),
        Column::fixed("STATE"),
        Column::flexible("OUTCOME", 9),
        Column::fixed("EXIT"),
        Column::fixed("TOOK"),
        Column::flexible("NODE", 6),
    ];
    if zone.is_none() {
        columns.insert(1, Column::flexible("JOB", 8));
    }
    let is_flagged = runs.iter().any(|run| !run.flags.is_empty());
    if is_flagged {
        columns.push(Column::flexible("UNUSUAL", 7));
    }
    let has_reasons = runs
        .iter()
        .any(|run| run_reason::beside_exit(run).is_some());
    if has_reasons {
        columns.push(Column::sentences("REASON", REASON_WIDTH_MIN));
    }
    let in_zone = zone.cloned().unwrap_or(TimeZone::UTC);
    let rows: Vec<Vec<Cell>> = runs
        .iter()
        .map(|run| {
            let mut cells = row(run, &in_zone);
            if zone.is_none() {
                cells.insert(1, (&run.job_name).into());
            }
            if is_flagged {
                cells.push(unusual(run).into());
            }
            if has_reasons {
                cells.push(run_reason::beside_exit(run).unwrap_or_default().into());
            }
            cells
        })
        .collect();
    render(&columns, &rows, width)
}

/// What is unusual about a run, in short: `odin describe` has the reasons.
fn unusual(run: &Run) -> String {
    let flags: Vec<_> = run
        .flags
        .iter()
        .map(|flag| match flag.of {
            FlagOf::Value => format!("{} {}", flag.name, flag.value),
            FlagOf::Duration => flag.name.clone(),
        })
        .collect();
    match flags.is_empty() {
        true => "-".to_owned(),
        false => flags.join(", "),
    }
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
        Column::sentences("REASON", REASON_WIDTH_MIN),
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
            run_reason::of_run(run).unwrap_or_default().into(),
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
                "-".into(),
                "-".into(),
                why.into(),
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
        let warned = Run {
            outcome: Some(Outcome::Warning),
            reason: Some("three rows were missing (status 404)".into()),
            ..samples::run()
        };
        let runs = [running, samples::run(), killed, warned];
        let zone = times::zone("Europe/Dublin");
        expected.assert_eq(&table(&runs, Some(&zone), width));
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
            RUN             JOB           CAUSE                STATE     OUTCOME    TOOK   REASON
            r0000000030000  check_stocks  schedule             finished  succeeded  1.3 s
            -               f0aedde327f3  link r0000000030000  skipped   -          -      the job was paused
            r0000000040000  mail_report   link r0000000030000  finished  succeeded  1.3 s
            More runs follow than are shown.
        "#]]
        .assert_eq(&chain_table(&chain, None));
    }

    #[test]
    fn runs_of_many_jobs_name_them() {
        expect![[r#"
            RUN             JOB           CAUSE     DUE                      STATE     OUTCOME    EXIT  TOOK   NODE
            r0000000030000  check_stocks  schedule  2026-11-21 15:00:00 UTC  finished  succeeded  0     1.3 s  master-node
        "#]]
        .assert_eq(&table(&[samples::run()], None, None));
    }

    #[test]
    fn what_is_unusual_has_a_column_where_there_is_any() {
        let odd = Run {
            id: "r0000000040000".parse().unwrap(),
            flags: samples::flags(),
            ..samples::run()
        };
        let zone = times::zone("Europe/Dublin");
        expect![[r#"
            RUN             CAUSE     DUE                      STATE     OUTCOME    EXIT  TOOK   NODE         UNUSUAL
            r0000000040000  schedule  2026-11-21 15:00:00 GMT  finished  succeeded  0     1.3 s  master-node  price 5000, duration
            r0000000030000  schedule  2026-11-21 15:00:00 GMT  finished  succeeded  0     1.3 s  master-node  -
        "#]].assert_eq(&table(&[odd, samples::run()], Some(&zone), None));
    }

    #[test]
    fn runs_are_listed_whole_when_piped_and_within_a_terminal() {
        check(
            None,
            &expect![[r#"
                RUN             CAUSE     DUE                      STATE     OUTCOME    EXIT   TOOK   NODE         REASON
                r0000000040000  manual    -                        running   -          -      -      master-node
                r0000000030000  schedule  2026-11-21 15:00:00 GMT  finished  succeeded  0      1.3 s  master-node
                r0000000030000  schedule  2026-11-21 15:00:00 GMT  finished  signalled  SIG 9  1.3 s  master-node
                r0000000030000  schedule  2026-11-21 15:00:00 GMT  finished  warning    0      1.3 s  master-node  three rows were missing (status 404)
            "#]],
        );
        check(
            Some(80),
            &expect![[r#"
                RUN            CAUSE    DUE                STATE    OUTCOME   EXIT  TOOK  NODE
                r0000000040000 manual   -                  running  -         -     -     maste…
                r0000000030000 schedule 11-21 15:00:00 GMT finished succeeded 0     1.3 s maste…
                r0000000030000 schedule 11-21 15:00:00 GMT finished signalled SIG 9 1.3 s maste…
                r0000000030000 schedule 11-21 15:00:00 GMT finished warning   0     1.3 s maste…
                  three rows were missing (status 404)
            "#]],
        );
    }
}
