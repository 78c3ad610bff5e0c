//! `odin schedule explain`.

use clap::Args;
use odin_wire::{Explanation, Mistake};

use crate::context::Context;
use crate::error::CliError;
use crate::report;

/// `odin schedule explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The schedule, such as "every weekday at 09:00"
    #[arg(value_name = "TEXT")]
    text: String,
    /// The IANA zone in which it is read when it names none [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
}

/// Says what a schedule means.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<(), CliError> {
    let (schedule, zone, timezone) = super::read(&args.text, args.timezone.as_deref())?;
    let warnings = schedule
        .warnings(context.now(), &zone)
        .into_iter()
        .map(|warning| Mistake {
            code: warning.code().to_owned(),
            message: warning.to_string(),
            help: Some(warning.help().to_owned()),
            ..Mistake::default()
        });
    let explanation = Explanation {
        schedule: schedule.canonical(),
        words: schedule.explain(),
        timezone,
        warnings: warnings.collect(),
    };
    if context.json() {
        return context.print_json(&explanation);
    }
    report::warn(&explanation.warnings, None);
    context.print_line(&explanation.words)?;
    context.print_line(&format!("normal form: {}", explanation.schedule))?;
    context.print_line(&format!("timezone:    {}", explanation.timezone))
}
