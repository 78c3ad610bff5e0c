//! `odin versions`.

use clap::Args;
use jiff::tz::TimeZone;
use odin_wire::{JobVersion, LIMIT_MAX};

use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::table::{Cell, Column, render};
use crate::terminal;
use crate::times;

/// `odin versions`.
#[derive(Debug, Args)]
pub(crate) struct VersionsArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    /// How many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
}

/// Lists a job's versions, newest first.
pub(crate) async fn run(args: &VersionsArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let list = client.versions(job.id, args.limit).await?;
    if context.json() {
        return context.print_json(&list);
    }
    let zone = times::zone(&job.timezone);
    context.print(&table(&list.versions, &zone, terminal::stdout_width()))
}

fn table(versions: &[JobVersion], zone: &TimeZone, width: Option<usize>) -> String {
    let columns = [
        Column::fixed("VERSION"),
        Column::fixed("DEPLOYED"),
        Column::flexible("BY", 6),
        Column::flexible("NAME", 8),
        Column::flexible("SCHEDULE", 10),
        Column::fixed("BUNDLE"),
    ];
    let row = |version: &JobVersion| -> Vec<Cell> {
        vec![
            version.version.to_string().into(),
            times::to_the_second(version.at, zone).into(),
            (&version.by).into(),
            (&version.name).into(),
            (&version.schedule).into(),
            version.bundle.chars().take(12).collect::<String>().into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = versions.iter().map(row).collect();
    render(&columns, &rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn versions_are_a_line_each() {
        let version = |number, schedule: &str| JobVersion {
            version: number,
            by: "ann".into(),
            at: "2026-11-21T09:00:00.5Z".parse().unwrap(),
            name: "nightly".into(),
            description: String::new(),
            schedule: schedule.into(),
            timezone: "UTC".into(),
            bundle: "ab".repeat(32),
            language: "bash".into(),
            file: None,
            settings: None,
        };
        let versions = [version(2, "every hour"), version(1, "every day at 09:00")];
        expect![[r#"
            VERSION  DEPLOYED                 BY   NAME     SCHEDULE            BUNDLE
            2        2026-11-21 09:00:00 UTC  ann  nightly  every hour          abababababab
            1        2026-11-21 09:00:00 UTC  ann  nightly  every day at 09:00  abababababab
        "#]]
        .assert_eq(&table(&versions, &TimeZone::UTC, None));
    }
}
