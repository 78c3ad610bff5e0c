//! `odin stats`.

mod all;
mod chart;
mod follow;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_client::Client;
use odin_wire::{Job, LIMIT_MAX, Value, ValueKind, ValueList, ValueType, ValuesQuery};

use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::table::{Cell, Column, render};
use crate::terminal;
use crate::times;

/// `odin stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    /// Only values of this name, with a chart where they are numbers
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Every value, and not only the latest of each name
    #[arg(long)]
    all: bool,
    /// Only values since this instant, or since so long ago: `2h`, `7d`, `2026-12-24`, `2026-12-24 09:00`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show the latest values, then each as it comes, until interrupted; with `--json` one a line
    #[arg(short, long, conflicts_with_all = ["all", "since"])]
    follow: bool,
}

/// Shows what the runs of a job reported.
pub(crate) async fn run(args: &StatsArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    if args.follow {
        return tokio::select! {
            done = follow::follow(&client, &job, args.name.as_deref(), context) => done,
            // Who follows ends it this way: all is well.
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
    }
    let zone = times::zone(&job.timezone);
    let since = since(args, context, &zone)?;
    let mut latest = latest(&client, &job).await?;
    let is_named = |value: &Value| args.name.as_ref().is_none_or(|name| *name == value.name);
    latest.retain(|value| {
        // Earlier results may say what the latest does not.
        (is_named(value) || args.all && value.kind == ValueKind::Result)
            && since.is_none_or(|since| value.at >= since)
    });
    let width = terminal::stdout_width();
    if !args.all {
        if context.json() {
            return context.print_json(&ValueList {
                values: latest,
                next: None,
            });
        }
        context.print(&latest_table(&job, &latest, width))?;
        return match (&args.name, width) {
            (Some(_), Some(width)) => charts(&client, &job, &latest, since, context, width).await,
            (Some(_), None) | (None, _) => Ok(()),
        };
    }
    all::show(
        &client,
        &job,
        &latest,
        (args.name.as_deref(), since),
        context,
    )
    .await
}

fn since(
    args: &StatsArgs,
    context: &Context,
    zone: &TimeZone,
) -> Result<Option<Timestamp>, CliError> {
    let since = args.since.as_deref();
    let since = since.map(|text| times::parse_or_ago(text, zone, context.now()));
    Ok(since.transpose()?.into_iter().flatten().min())
}

/// The latest value of each name and kind, and the latest result.
async fn latest(client: &Client, job: &Job) -> Result<Vec<Value>, CliError> {
    let mut values = Vec::new();
    let mut query = ValuesQuery {
        limit: Some(LIMIT_MAX),
        ..ValuesQuery::default()
    };
    loop {
        let page = client.values_of_job(job.id, &query).await?;
        values.extend(page.values);
        query.after = page.next;
        if query.after.is_none() {
            return Ok(values);
        }
    }
}

fn latest_table(job: &Job, values: &[Value], width: Option<usize>) -> String {
    let columns = [
        Column::fixed("ID"),
        Column::flexible("DESCRIPTION", 12),
        Column::fixed("TYPE"),
        Column::flexible("VALUE", 12),
    ];
    let rows: Vec<Vec<Cell>> = values
        .iter()
        .map(|value| {
            vec![
                job.id.to_string().into(),
                (&value.name).into(),
                value.kind.word().into(),
                shown(value).into(),
            ]
        })
        .collect();
    render(&columns, &rows, width)
}

/// The value with its unit, and what is not as it was reported.
fn shown(value: &Value) -> String {
    let mut text = value.text();
    if let Some(unit) = &value.unit {
        text = format!("{text} {unit}");
    }
    if let Some(note) = &value.note {
        text = format!("{text} [{note}]");
    }
    match &value.flag {
        Some(flag) => format!("{text} [unusual: {}]", flag.reason),
        None => text,
    }
}

async fn charts(
    client: &Client,
    job: &Job,
    latest: &[Value],
    since: Option<Timestamp>,
    context: &Context,
    width: usize,
) -> Result<(), CliError> {
    let zone = times::zone(&job.timezone);
    for series in latest {
        if !matches!(series.of_type, ValueType::Number | ValueType::Boolean) {
            continue;
        }
        let query = ValuesQuery {
            name: Some(series.series_name().to_owned()),
            kind: Some(series.kind),
            from: since,
            points: Some(chart::points(width)),
            ..ValuesQuery::default()
        };
        let drawing = client.drawing(job.id, &query).await?;
        let drawn = chart::chart(&drawing.buckets, &zone, width);
        if !drawn.is_empty() {
            context.print(&format!("\n{drawn}"))?;
        }
    }
    Ok(())
}
