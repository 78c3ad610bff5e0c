//! `odin schedule moved`.

use clap::Args;
use jiff::Timestamp;
use odin_wire::{MovedDue, MovedDuesQuery};

use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::{terminal, times};

/// `odin schedule moved`.
#[derive(Debug, Args)]
pub(crate) struct MovedArgs {
    /// How many, the latest first
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// Lists due times that changed calendars and zone rules moved.
pub(crate) async fn run(args: &MovedArgs, context: &Context) -> Result<(), CliError> {
    let query = MovedDuesQuery {
        before: None,
        limit: Some(args.limit),
    };
    let moved = context.client().await?.moved_dues(&query).await?;
    if context.json() {
        return context.print_json(&moved);
    }
    context.print(&table(&moved.moved, terminal::stdout_width()))
}

fn table(moved: &[MovedDue], width: Option<usize>) -> String {
    let columns = [
        Column::fixed("JOB"),
        Column::flexible("NAME", 8),
        Column::fixed("WAS DUE"),
        Column::fixed("IS DUE"),
        Column::flexible("BECAUSE", 12),
    ];
    let due = |due: Option<Timestamp>| {
        due.map_or("never".to_owned(), |due| {
            times::in_zone(due, &jiff::tz::TimeZone::UTC)
        })
    };
    let rows: Vec<Vec<Cell>> = moved
        .iter()
        .map(|moved| {
            vec![
                moved.job.to_string().into(),
                (&moved.job_name).into(),
                due(moved.was).into(),
                due(moved.is).into(),
                (&moved.because).into(),
            ]
        })
        .collect();
    render(&columns, &rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_moved_due_time_shows_both_and_the_cause() {
        let moved = MovedDue {
            job: "a37b187f5930".parse().unwrap(),
            job_name: "report".into(),
            was: Some("2026-12-25T09:00:00Z".parse().unwrap()),
            is: None,
            because: "calendar holidays changed".into(),
            moved_at: "2026-12-01T12:00:00Z".parse().unwrap(),
        };
        expect![[r#"
            JOB           NAME    WAS DUE                  IS DUE  BECAUSE
            a37b187f5930  report  2026-12-25 09:00:00 UTC  never   calendar holidays changed
        "#]]
        .assert_eq(&table(&[moved], None));
    }
}
