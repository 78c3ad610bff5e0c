//! `odin calendar get`.

use std::fmt::Write as _;

use clap::Args;
use odin_wire::Calendar;

use crate::context::Context;
use crate::error::CliError;
use crate::terminal::visible;

/// `odin calendar get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The calendar's name
    name: String,
}

/// Shows a calendar.
pub(crate) async fn run(args: &GetArgs, context: &Context) -> Result<(), CliError> {
    let calendar = context.client().await?.calendar(&args.name).await?;
    if context.json() {
        return context.print_json(&calendar);
    }
    context.print(&text(&calendar))
}

/// The days in the form that `odin calendar set` reads, what else there is to say as comments.
pub(super) fn text(calendar: &Calendar) -> String {
    let mut text = format!("# {}, set by {}\n", calendar.name, visible(&calendar.owner));
    for user in calendar.used_by.iter().flatten() {
        let _ = writeln!(text, "# used by {} ({})", visible(&user.name), user.id);
    }
    for date in calendar.dates.iter().flatten() {
        let _ = writeln!(text, "{date}");
    }
    text
}
