//! `odin modify`.

use clap::Args;
use odin_model::JobName;
use odin_schedule::Calendars;
use odin_wire::{Job, JobState, ModifyJob};
use serde::Serialize;

use super::schedule::reading;
use crate::conflict::{self, IfRevision};
use crate::context::Context;
use crate::error::CliError;
use crate::job_schedule;
use crate::outlook::{self, Outlook};
use crate::report;
use crate::selection;
use crate::times;

/// `odin modify`.
#[derive(Debug, Args)]
pub(crate) struct ModifyArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    /// A new name
    #[arg(short, long)]
    name: Option<String>,
    /// A new description
    #[arg(short, long)]
    description: Option<String>,
    /// A new schedule
    #[arg(short, long)]
    schedule: Option<String>,
    #[command(flatten)]
    if_revision: IfRevision,
    /// Check, and show what a new schedule would change in the next seven days
    #[arg(long)]
    dry_run: bool,
}

/// What `--json` prints: the job with one more name.
#[derive(Debug, Serialize)]
struct Changed {
    #[serde(flatten)]
    job: Job,
    /// What a new schedule changes in the next seven days. `null`: the schedule was not changed, or one of the two
    /// cannot be read here.
    outlook: Option<Outlook>,
}

/// Changes a job's name, description or schedule.
pub(crate) async fn run(args: ModifyArgs, context: &Context) -> Result<(), CliError> {
    let ModifyArgs {
        id,
        name,
        description,
        schedule,
        if_revision,
        dry_run,
    } = args;
    let change = ModifyJob {
        name,
        description,
        schedule,
    };
    if change == ModifyJob::default() {
        let message = format!("Please specify which field you want to modify in job {id}");
        return Err(CliError::refused("cli/nothing-to-modify", message)
            .with_help("Give at least one of --name, --description and --schedule."));
    }
    let client = context.client().await?;
    let job = selection::job(&client, &id).await?;
    let mut texts = vec![job.schedule.as_str()];
    texts.extend(change.schedule.as_deref());
    let calendars = job_schedule::calendars(&client, &texts).await?;
    if dry_run {
        return rehearse(&job, &change, &calendars, context);
    }
    // What was looked at here is what is changed: the outlook would be another's otherwise.
    let revision = if_revision.revision.unwrap_or(job.revision);
    let changed = match client.modify(job.id, &change, Some(revision)).await {
        Ok(changed) => changed,
        Err(error) => {
            let error = conflict::with_who(error, &client, &job.id.to_string(), context).await;
            return Err(report::about_text(
                error,
                "schedule",
                change.schedule.as_deref(),
            ));
        }
    };
    let outlook = change.schedule.is_some().then(|| {
        let old = job_schedule::of_job(&job, &calendars)?;
        let new = job_schedule::of_job(&changed, &calendars)?;
        Some(outlook::compare(changed.state, &old, &new, context.now()))
    });
    print(changed, outlook.flatten(), Said::Done, context)
}

/// What was done, for the first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Done,
    DryRun,
}

/// Shows what a change would do. The server is asked for the job only: nothing is changed.
fn rehearse(
    job: &Job,
    change: &ModifyJob,
    calendars: &Calendars,
    context: &Context,
) -> Result<(), CliError> {
    let mut planned = job.clone();
    if let Some(name) = &change.name {
        let name = JobName::parse(name)
            .map_err(|error| CliError::refused("job/bad-name", error.to_string()))?;
        planned.name = name.to_string();
    }
    if let Some(description) = &change.description {
        planned.description.clone_from(description);
    }
    let mut outlook = None;
    if let Some(text) = &change.schedule {
        let words = odin_schedule::read_words(text)
            .map_err(|error| reading::refused("schedule", text, &error))?;
        // The job's own zone, which a schedule that names one hides.
        let own = job.settings.as_ref().map(|settings| &settings.timezone);
        let own = own.unwrap_or(&job.timezone);
        planned.schedule.clone_from(text);
        planned.timezone = words.zone().unwrap_or(own).to_owned();
        let old = job_schedule::of_job(job, calendars);
        let new = job_schedule::in_place_of(job, text, own, calendars);
        if let (Some(old), Some(new)) = (old, new) {
            let found = outlook::compare(job.state, &old, &new, context.now());
            planned.next_due = found.next_due;
            outlook = Some(found);
        }
    }
    print(planned, outlook, Said::DryRun, context)
}

fn print(
    job: Job,
    outlook: Option<Outlook>,
    said: Said,
    context: &Context,
) -> Result<(), CliError> {
    if context.json() {
        return context.print_json(&Changed { job, outlook });
    }
    report::warn(&job.warnings, None);
    context.print(&match said {
        Said::Done => format!("Updated job {} successfully\n", job.id),
        Said::DryRun => format!("Job {} would be updated\n", job.id),
    })?;
    if let Some(outlook) = &outlook {
        let zone = times::zone(&job.timezone);
        for line in outlook::lines(outlook, &zone) {
            context.print_line(&format!("  {line}"))?;
        }
    }
    if job.state == JobState::Paused {
        report::note("the job is paused: nothing is due until `odin resume`");
    }
    report::decided(&job.decided);
    Ok(())
}
