//! `odin notify deliveries`.

use clap::Args;
use odin_wire::{DeliveriesQuery, Delivery};

use super::ChannelArg;
use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::{terminal, times};

/// `odin notify deliveries`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesArgs {
    #[command(flatten)]
    channel: ChannelArg,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

pub(super) async fn run(args: &DeliveriesArgs, context: &Context) -> Result<(), CliError> {
    let query = DeliveriesQuery {
        limit: Some(args.limit),
        after: None,
    };
    let client = context.client().await?;
    let list = client.deliveries(&args.channel.name, &query).await?;
    if context.json() {
        return context.print_json(&list);
    }
    let columns = [
        Column::fixed("ID"),
        Column::fixed("STATE"),
        Column::fixed("ALERTS"),
        Column::fixed("TRIES"),
        Column::fixed("MADE"),
        Column::fixed("NEXT"),
        Column::flexible("LAST", 10),
    ];
    let now = context.now();
    let when = |at| {
        Cell::with_short(
            times::in_zone(at, &times::zone("UTC")),
            times::relative(at, now),
        )
    };
    let row = |delivery: &Delivery| -> Vec<Cell> {
        vec![
            delivery.id.to_string().into(),
            (&delivery.state).into(),
            (delivery.alerts + delivery.more).to_string().into(),
            delivery.attempts.to_string().into(),
            when(delivery.made_at),
            delivery.next_at.map_or_else(|| "-".into(), when),
            delivery.last.as_deref().unwrap_or("-").into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = list.deliveries.iter().map(row).collect();
    context.print(&render(&columns, &rows, terminal::stdout_width()))
}
