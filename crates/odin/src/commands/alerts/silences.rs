//! `odin alerts silences`.

use odin_wire::Silence;

use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::{terminal, times};

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let list = context.client().await?.silences().await?;
    if context.json() {
        return context.print_json(&list);
    }
    let columns = [
        Column::fixed("ID"),
        Column::flexible("JOB", 6),
        Column::flexible("KIND", 6),
        Column::flexible("CHANNEL", 6),
        Column::flexible("BY", 4),
        Column::fixed("UNTIL"),
        Column::flexible("REASON", 10),
    ];
    let now = context.now();
    let row = |silence: &Silence| -> Vec<Cell> {
        let any = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "any".to_owned()));
        vec![
            silence.id.to_string().into(),
            any(silence.job.map(|job| job.to_string())),
            any(silence.kind.clone()),
            any(silence.channel.clone()),
            (&silence.by).into(),
            Cell::with_short(
                times::in_zone(silence.until, &times::zone("UTC")),
                times::relative(silence.until, now),
            ),
            (&silence.reason).into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = list.silences.iter().map(row).collect();
    context.print(&render(&columns, &rows, terminal::stdout_width()))
}
