//! `odin stats --all`: every value in the order of time. However many there are, a bounded number is held at once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_client::Client;
use odin_model::RunId;
use odin_wire::{Job, LIMIT_MAX, Value, ValuesQuery};

use super::shown;
use crate::context::{Context, write_stdout};
use crate::error::CliError;
use crate::table::{Cell, Column, Table};
use crate::terminal;
use crate::times;

/// How many values are held at once, of all series together; of each at least [`PAGE_MIN`].
const HELD_MAX: usize = 20_000;
/// The smallest page that a series is read in.
const PAGE_MIN: usize = 10;
/// How many values are printed at once. The first ones decide how wide the columns are.
const PRINTED_AT_ONCE: usize = 500;

/// Prints the values of these series: those of a name where one is given, and since an instant.
pub(super) async fn show(
    client: &Client,
    job: &Job,
    series: &[Value],
    (name, since): (Option<&str>, Option<Timestamp>),
    context: &Context,
) -> Result<(), CliError> {
    let mut merged = Merged::of(client, job, series, since).await?;
    let mut printer = Printer::new(job, context.json());
    let mut values = Vec::new();
    while let Some(value) = merged.next().await? {
        // Results are one series, whatever they say.
        if name.is_none_or(|name| name == value.name) {
            values.push(value);
        }
        if values.len() == PRINTED_AT_ONCE {
            printer.print(&std::mem::take(&mut values))?;
        }
    }
    printer.print(&values)?;
    printer.end()
}

/// What values are ordered by: time, then where they were reported.
type Place = (Timestamp, RunId, u32, u64);

fn place_of(value: &Value) -> Place {
    (value.at, value.run, value.attempt, value.number)
}

/// The values of several series, each in the order of time, as one.
struct Merged<'a> {
    client: &'a Client,
    job: &'a Job,
    series: Vec<Series>,
    /// The next value of each series, with its position.
    fronts: BinaryHeap<Reverse<(Place, usize)>>,
}

/// The part of a series that was read and not yet given out.
struct Series {
    query: ValuesQuery,
    page: VecDeque<Value>,
    is_read: bool,
}

impl<'a> Merged<'a> {
    async fn of(
        client: &'a Client,
        job: &'a Job,
        series: &[Value],
        since: Option<Timestamp>,
    ) -> Result<Self, CliError> {
        let page = page_size(series.len());
        let asked = series.iter().map(|series| Series {
            query: ValuesQuery {
                name: Some(series.series_name().to_owned()),
                kind: Some(series.kind),
                from: since,
                limit: Some(page),
                ..ValuesQuery::default()
            },
            page: VecDeque::new(),
            is_read: false,
        });
        let mut merged = Self {
            client,
            job,
            series: asked.collect(),
            fronts: BinaryHeap::new(),
        };
        for at in 0..merged.series.len() {
            merged.advance(at).await?;
        }
        Ok(merged)
    }

    async fn next(&mut self) -> Result<Option<Value>, CliError> {
        let Some(Reverse((_, at))) = self.fronts.pop() else {
            return Ok(None);
        };
        let value = self.series[at].page.pop_front();
        self.advance(at).await?;
        Ok(value)
    }

    /// Tells the next value of a series, and reads its next page for that where it has to.
    async fn advance(&mut self, at: usize) -> Result<(), CliError> {
        let series = &mut self.series[at];
        while series.page.is_empty() && !series.is_read {
            let page = self
                .client
                .values_of_job(self.job.id, &series.query)
                .await?;
            series.page = page.values.into();
            // A page that ends where the one before it did would be asked for again and again.
            series.is_read = page.next.is_none() || page.next == series.query.after;
            series.query.after = page.next;
        }
        if let Some(front) = series.page.front() {
            self.fronts.push(Reverse((place_of(front), at)));
        }
        Ok(())
    }
}

fn page_size(series: usize) -> u32 {
    let share = (HELD_MAX / series.max(1)).max(PAGE_MIN);
    u32::try_from(share).unwrap_or(LIMIT_MAX).min(LIMIT_MAX)
}

enum Printer {
    /// The table with the zone of its times.
    Table(Table, TimeZone),
    /// `{"values": […], "next": null}`, a value a line, with what goes before the next one.
    Json { separator: &'static str },
}

impl Printer {
    fn new(job: &Job, is_json: bool) -> Self {
        match is_json {
            true => Self::Json {
                separator: "{\"values\":[\n",
            },
            false => {
                let zone = times::zone(&job.timezone);
                Self::Table(Table::new(columns(), terminal::stdout_width()), zone)
            }
        }
    }

    fn print(&mut self, values: &[Value]) -> Result<(), CliError> {
        let mut text = String::new();
        match self {
            Self::Table(table, zone) => {
                let rows: Vec<_> = values.iter().map(|value| row(value, zone)).collect();
                text = table.lines(&rows);
            }
            Self::Json { separator } => {
                for value in values {
                    text += separator;
                    text += &serde_json::to_string(value).expect("a value is plain data");
                    *separator = ",\n";
                }
            }
        }
        write_stdout(text.as_bytes())
    }

    fn end(self) -> Result<(), CliError> {
        match self {
            Self::Table(..) => Ok(()),
            Self::Json { separator: ",\n" } => write_stdout(b"\n],\"next\":null}\n"),
            Self::Json { .. } => write_stdout(b"{\"values\":[],\"next\":null}\n"),
        }
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::fixed("RUN"),
        Column::fixed("AT"),
        Column::flexible("DESCRIPTION", 12),
        Column::fixed("TYPE"),
        Column::flexible("VALUE", 12),
    ]
}

fn row(value: &Value, zone: &TimeZone) -> Vec<Cell> {
    vec![
        value.run.to_string().into(),
        times::in_zone(value.at, zone).into(),
        (&value.name).into(),
        value.kind.word().into(),
        shown(value).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_at_once_is_bounded_however_many_series_there_are() {
        for (series, expected) in [
            (0, LIMIT_MAX),
            (1, LIMIT_MAX),
            (20, 1000),
            (50, 400),
            (1_000, 20),
            (100_000, 10),
        ] {
            assert_eq!(page_size(series), expected, "{series} series");
        }
    }
}
