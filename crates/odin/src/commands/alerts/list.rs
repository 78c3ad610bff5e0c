//! `odin alerts` without a subcommand.

use clap::Args;
use jiff::Timestamp;
use odin_wire::{Alert, AlertList, AlertsQuery};

use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::table::{Cell, Column, render};
use crate::{terminal, times};

/// Which alerts.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only of this job: its id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: Option<String>,
    /// Only of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only open, acknowledged or resolved ones [default: those that are not resolved]
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// How many at most, newest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

pub(super) async fn run(args: &ListArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = match &args.id {
        Some(id) => Some(selection::job(&client, id).await?.id),
        None => None,
    };
    let query = AlertsQuery {
        limit: Some(args.limit),
        after: None,
        job,
        kind: args.kind.clone(),
        state: args.state.clone(),
    };
    let AlertList { alerts, next } = client.alerts(&query).await?;
    if context.json() {
        return context.print_json(&AlertList { alerts, next });
    }
    context.print(&table(&alerts, context.now(), terminal::stdout_width()))
}

fn table(alerts: &[Alert], now: Timestamp, width: Option<usize>) -> String {
    let columns = [
        Column::fixed("ID"),
        Column::fixed("KIND"),
        Column::fixed("STATE"),
        Column::fixed("COUNT"),
        Column::fixed("LAST"),
        Column::flexible("TEXT", 20),
    ];
    let rows: Vec<Vec<Cell>> = alerts.iter().map(|alert| row(alert, now)).collect();
    render(&columns, &rows, width)
}

fn row(alert: &Alert, now: Timestamp) -> Vec<Cell> {
    let state = match alert.silenced_until {
        Some(_) if alert.state == "open" => "silenced",
        _ => alert.state.as_str(),
    };
    vec![
        (&alert.id).into(),
        (&alert.kind).into(),
        state.into(),
        alert.count.to_string().into(),
        Cell::with_short(
            times::in_zone(alert.last_at, &times::zone("UTC")),
            times::relative(alert.last_at, now),
        ),
        (&alert.text).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::expect;

    #[test]
    fn a_list_says_what_is_wrong_how_often_and_who_is_told() {
        let at = |text: &str| text.parse().unwrap();
        let open = Alert {
            id: "a17".to_owned(),
            kind: "failure".to_owned(),
            state: "open".to_owned(),
            silenced_until: None,
            text: "`nightly` failed: exit code 3 (2 in a row)".to_owned(),
            count: 2,
            job: None,
            job_name: None,
            owner: None,
            node: None,
            detail: String::new(),
            run: None,
            opened_at: at("2026-11-21T14:00:00Z"),
            last_at: at("2026-11-21T15:00:00Z"),
            acknowledged_by: None,
            acknowledged_at: None,
            acknowledged_reason: None,
            resolved_at: None,
        };
        let silenced = Alert {
            id: "a9".to_owned(),
            silenced_until: Some(at("2026-11-21T18:00:00Z")),
            ..open.clone()
        };
        expect![[r#"
            ID   KIND     STATE     COUNT  LAST                     TEXT
            a17  failure  open      2      2026-11-21 15:00:00 UTC  `nightly` failed: exit code 3 (2 in a row)
            a9   failure  silenced  2      2026-11-21 15:00:00 UTC  `nightly` failed: exit code 3 (2 in a row)
        "#]]
        .assert_eq(&table(
            &[open, silenced],
            samples::NOW.parse().unwrap(),
            None,
        ));
    }
}
