//! `odin calendar set`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::schedule::calendar_files;
use crate::context::Context;
use crate::error::CliError;
use crate::terminal::visible;

/// `odin calendar set`.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The calendar's name; `holidays` is the one that business days heed
    name: String,
    /// Its days: iCalendar text (.ics), or one date or range such as 2026-12-24..2026-12-26 in each line
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

/// Makes a calendar, or replaces its days.
pub(crate) async fn run(args: &SetArgs, context: &Context) -> Result<(), CliError> {
    let calendar = calendar_files::read(&args.file)?;
    let dates: Vec<String> = calendar.dates().map(|date| date.to_string()).collect();
    let client = context.client().await?;
    let set = client.set_calendar(&args.name, dates).await?;
    if context.json() {
        return context.print_json(&set);
    }
    let users = set.used_by.as_deref().unwrap_or_default();
    let (name, days) = (&set.name, set.days);
    context.print_line(&format!("Calendar {name} has {days} days"))?;
    if !users.is_empty() {
        let names: Vec<_> = users
            .iter()
            .map(|user| visible(&user.name).into_owned())
            .collect();
        context.print_line(&format!("Used by {}", names.join(", ")))?;
    }
    Ok(())
}
