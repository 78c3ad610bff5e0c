//! `odin sink list` and `odin sink status`.

use jiff::Timestamp;
use odin_wire::{Sink, SinkTarget};

use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::{terminal, times};

pub(super) async fn list(context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let list = client.sinks().await?;
    if context.json() {
        return context.print_json(&list);
    }
    if list.sinks.is_empty() {
        return context.print_line("There are no sinks: set one with `odin sink set`");
    }
    let width = terminal::stdout_width();
    context.print(&table(&list.sinks, context.now(), width))
}

fn table(sinks: &[Sink], now: Timestamp, width: Option<usize>) -> String {
    let columns = [
        Column::fixed("NAME"),
        Column::fixed("KIND"),
        Column::fixed("STATE"),
        Column::fixed("BEHIND"),
        Column::fixed("OLDEST"),
        Column::fixed("SENT"),
        Column::fixed("SKIPPED"),
        Column::fixed("DROPPED"),
        Column::flexible("RECEIVER", 12),
    ];
    let rows: Vec<Vec<Cell>> = sinks
        .iter()
        .map(|sink| {
            let (kind, place) = kind_and_place(&sink.target);
            vec![
                (&sink.name).into(),
                kind.into(),
                (&sink.state).into(),
                sink.behind.to_string().into(),
                oldest(sink, now).into(),
                sink.sent.to_string().into(),
                sink.skipped.to_string().into(),
                sink.dropped.to_string().into(),
                place.into(),
            ]
        })
        .collect();
    render(&columns, &rows, width)
}

pub(super) async fn one(name: &str, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let sink = client.sink(name).await?;
    if context.json() {
        return context.print_json(&sink);
    }
    context.print(&described(&sink, context.now()))
}

fn described(sink: &Sink, now: Timestamp) -> String {
    let (kind, place) = kind_and_place(&sink.target);
    let listed = |words: &[String]| match words {
        [] => "all".to_owned(),
        words => words.join(", "),
    };
    let instant = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| at.to_string());
    let mut lines = vec![
        ("Sink", sink.name.clone()),
        ("Receiver", format!("{kind} {place}")),
        ("State", sink.state.clone()),
        (
            "Secret",
            sink.secret.clone().unwrap_or_else(|| "none".to_owned()),
        ),
        ("Records", sink.records.join(", ")),
        (
            "Metrics",
            sink.metrics_every_seconds
                .map_or("off".to_owned(), |it| format!("every {it} s")),
        ),
        ("Kinds", listed(&sink.kinds)),
        ("Jobs", listed(&sink.jobs)),
        ("Behind", behind(sink, now)),
        (
            "Sent",
            format!("{}, last {}", sink.sent, instant(sink.sent_at)),
        ),
        ("Skipped", sink.skipped.to_string()),
        ("Dropped", sink.dropped.to_string()),
        ("Set by", format!("{}, {}", sink.owner, sink.set_at)),
    ];
    if let Some(what) = &sink.last_skipped {
        lines.push(("Last skipped", what.clone()));
    }
    if let Some(error) = &sink.error {
        lines.push(("Failing since", instant(sink.failing_since)));
        lines.push(("Because", error.clone()));
    }
    if let Some(error) = &sink.metrics_error {
        lines.push(("Metrics failing", instant(sink.metrics_failing_since)));
        lines.push(("Because", error.clone()));
    }
    lines
        .into_iter()
        .map(|(title, text)| format!("{title:<15} {}\n", terminal::visible(&text)))
        .collect()
}

/// How old the oldest is of what waits.
fn oldest(sink: &Sink, now: Timestamp) -> String {
    let age = sink.behind_since.map(|at| now.duration_since(at));
    // The clock of the node where it happened may be ahead.
    age.map_or("-".to_owned(), |age| {
        times::in_words(age.try_into().unwrap_or_default())
    })
}

fn behind(sink: &Sink, now: Timestamp) -> String {
    if sink.behind == 0 {
        return "0".to_owned();
    }
    format!(
        "{} entries with {} values and {} ends of runs, the oldest {} old",
        sink.behind,
        sink.behind_values,
        sink.behind_runs,
        oldest(sink, now)
    )
}

fn kind_and_place(target: &SinkTarget) -> (&'static str, String) {
    match target {
        SinkTarget::InfluxdbV2 { url, org, bucket } => {
            ("influxdb-v2", format!("{url} {org}/{bucket}"))
        }
        SinkTarget::InfluxdbV3 { url, database } => ("influxdb-v3", format!("{url} {database}")),
        SinkTarget::RemoteWrite { url, .. } => ("remote-write", url.clone()),
        SinkTarget::Otlp { url, .. } => ("otlp", url.clone()),
        SinkTarget::Postgres { url } => ("postgres", url.clone()),
        SinkTarget::File { path, .. } => ("file", path.clone()),
    }
}
