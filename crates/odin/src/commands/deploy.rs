//! `odin deploy`.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_client::{Client, ClientError};
use odin_job_file::Purpose;
use odin_model::{JobId, JobName};
use odin_schedule::Calendars;
use odin_wire::{DeployQuery, Exit, Job, JobList, Mistake};
use serde::Serialize;

use crate::conflict::{self, IfRevision};
use crate::context::Context;
use crate::deployment::{self, Prepared};
use crate::error::{CliError, not_a_file};
use crate::job_schedule;
use crate::outlook::{self, Outlook};
use crate::report::{self, Form, Source};
use crate::times;

/// `odin deploy`.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The job file, or a directory: every job file in it
    #[arg(short, long, value_name = "FILE|DIR")]
    file: PathBuf,
    #[command(flatten)]
    if_revision: IfRevision,
    /// Check, and show what would be deployed
    #[arg(long)]
    dry_run: bool,
}

/// What `--dry-run --json` prints.
#[derive(Debug, Serialize)]
struct DryRun {
    name: String,
    description: String,
    language: String,
    schedule: String,
    timezone: String,
    /// A calendar that the schedule names and that only the server, which was not asked, has.
    #[serde(skip_serializing_if = "Option::is_none")]
    calendar_missing: Option<String>,
    #[serde(with = "odin_wire::as_text::list")]
    occurrences: Vec<Timestamp>,
    bundle: String,
    files: Vec<String>,
    warnings: Vec<Mistake>,
    /// The server's answer. `null`: no server was asked.
    job: Option<Job>,
    /// What changes in the next seven days. `null`: no server was asked, the job is a new one, or the deployed
    /// schedule cannot be read here.
    outlook: Option<Outlook>,
}

/// What `--dry-run --json` prints for a directory.
#[derive(Debug, Serialize)]
struct DryRuns {
    jobs: Vec<DryRun>,
    next: Option<String>,
}

/// How many occurrences a dry run shows.
const OCCURRENCES_SHOWN: usize = 5;

/// Checks, bundles and deploys.
pub(crate) async fn run(args: &DeployArgs, context: &Context) -> Result<(), CliError> {
    let is_directory = args.file.is_dir();
    if is_directory && args.if_revision.revision.is_some() {
        let message = "--if-revision is of one job, and a directory may hold several";
        return Err(
            CliError::refused("cli/usage", message).with_help("Deploy its files one by one.")
        );
    }
    let paths = if is_directory {
        job_files(&args.file)?
    } else {
        vec![args.file.clone()]
    };
    let mut jobs = Vec::new();
    let mut rehearsals = Vec::new();
    let mut worst = None;
    let mut before = Vec::new();
    for path in &paths {
        let prepared =
            deployment::prepare(path, Purpose::Deploy).and_then(|it| refuse_twin(it, &mut before));
        let result = match prepared {
            Err(error) => Err(error),
            Ok(prepared) if args.dry_run => rehearse(prepared, args.if_revision, context)
                .await
                .map(|rehearsal| rehearsals.push(rehearsal)),
            Ok(prepared) => deploy(&prepared, args.if_revision, context)
                .await
                .map(|job| jobs.push(job)),
        };
        match result {
            Ok(()) => {}
            // One file's mistakes are not the others'; a server that is not there is everybody's.
            Err(error) if is_directory && error.exit() != Exit::Unavailable => {
                let form = if context.json() {
                    Form::Json
                } else {
                    Form::Drawn
                };
                worst = Some(worse(worst, report::tell(error, form)));
            }
            Err(error) => return Err(error),
        }
    }
    if context.json() {
        print_json(is_directory, jobs, rehearsals, context)?;
    }
    worst.map_or(Ok(()), |exit| Err(CliError::Said(exit)))
}

/// One file's job is bare, a directory's are a list.
fn print_json(
    is_directory: bool,
    mut jobs: Vec<Job>,
    mut rehearsals: Vec<DryRun>,
    context: &Context,
) -> Result<(), CliError> {
    match (is_directory, jobs.pop(), rehearsals.pop()) {
        (false, Some(job), _) => context.print_json(&job),
        (false, None, Some(rehearsal)) => context.print_json(&rehearsal),
        (_, None, Some(last)) => {
            rehearsals.push(last);
            context.print_json(&DryRuns {
                jobs: rehearsals,
                next: None,
            })
        }
        (_, last, None | Some(_)) => {
            jobs.extend(last);
            context.print_json(&JobList { jobs, next: None })
        }
    }
}

/// A refusal of a file counts more than any other failure.
fn worse(one: Option<Exit>, other: Exit) -> Exit {
    match one {
        Some(Exit::Refused) => Exit::Refused,
        _ => other,
    }
}

/// The job files of a directory, by name. Other YAML is left out, and said to be.
pub(crate) fn job_files(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let failed = |error: std::io::Error| CliError::file(directory, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|ending| ending == "yml" || ending == "yaml")
        {
            found.push(path);
        }
    }
    found.sort();
    found.retain(|path| match odin_job_file::bundle::read_job_file(path) {
        Ok(text) if !looks_like_a_job(&text) => {
            report::note(&format!(
                "{} is not a job file: it has no `job:`",
                path.display()
            ));
            false
        }
        // What cannot be read is reported with the others.
        Ok(_) | Err(_) => true,
    });
    if found.is_empty() {
        return Err(not_a_file(directory, "a directory without job files"));
    }
    Ok(found)
}

fn looks_like_a_job(text: &str) -> bool {
    let keys = ["job:", "provider:", "workflow:", "\"job\":", "'job':", "{"];
    text.trim_start_matches('\u{feff}')
        .lines()
        .any(|line| keys.iter().any(|key| line.starts_with(key)))
}

/// What tells a job file's job from others: its name and its id, and the path to show.
type Deployed = (JobName, Option<JobId>, String);

/// Of two files of one job in a directory only one could count: the second is refused.
fn refuse_twin(prepared: Prepared, before: &mut Vec<Deployed>) -> Result<Prepared, CliError> {
    let file = &prepared.file;
    let is_twin =
        |(name, id, _): &&Deployed| *name == file.name || (id.is_some() && *id == file.id);
    if let Some((_, _, other)) = before.iter().find(is_twin) {
        let message = format!("{} is the same job as {other}", prepared.origin);
        return Err(CliError::refused("cli/same-job", message)
            .with_help("Give one of them another name and no id, or move it away."));
    }
    before.push((file.name.clone(), file.id, prepared.origin.clone()));
    Ok(prepared)
}

async fn deploy(
    prepared: &Prepared,
    if_revision: IfRevision,
    context: &Context,
) -> Result<Job, CliError> {
    let client = context.client().await?;
    let job = send(&client, prepared, Sending::Deploy(if_revision), context).await?;
    // The server reads the same file, so its warnings hold the local ones.
    let warnings = if job.warnings.is_empty() {
        prepared.warnings()
    } else {
        job.warnings.clone()
    };
    if !context.json() {
        report::warn(&warnings, Some(source(prepared)));
        report::decided(&job.decided);
        context.print(&format!("Job: {} deployed successfully\n", job.id))?;
        let zone = times::zone(&job.timezone);
        let next = job
            .next_due
            .map_or("never".to_owned(), |due| times::in_zone(due, &zone));
        context.print_line(&format!(
            "  {}, version {}, next due: {next}",
            job.name, job.version
        ))?;
    }
    Ok(job)
}

/// What a bundle is sent for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sending {
    /// To be a job, or a new version of one.
    Deploy(IfRevision),
    /// To be checked only.
    DryRun(IfRevision),
    /// To be a job that lists do not show.
    Execute,
}

/// Sends a bundle; mistakes that only the server finds are shown in the person's own file.
pub(crate) async fn send(
    client: &Client,
    prepared: &Prepared,
    sending: Sending,
    context: &Context,
) -> Result<Job, CliError> {
    let if_revision = match sending {
        Sending::Deploy(if_revision) | Sending::DryRun(if_revision) => if_revision,
        Sending::Execute => IfRevision::default(),
    };
    let query = DeployQuery {
        file: prepared.name.clone(),
        expected_revision: if_revision.revision,
        dry_run: matches!(sending, Sending::DryRun(_)),
        hidden: matches!(sending, Sending::Execute),
    };
    let sent = client.deploy(&query, prepared.packed.clone(), context.key()?);
    match sent.await {
        Ok(job) => Ok(job),
        Err(error) => {
            let file = &prepared.file;
            let job = file
                .id
                .map_or_else(|| file.name.to_string(), |id| id.to_string());
            let error = conflict::with_who(error, client, &job, context).await;
            Err(report::about_text(
                error,
                &prepared.origin,
                Some(&file.text),
            ))
        }
    }
}

/// The text that warnings about a job file are in.
pub(crate) fn source(prepared: &Prepared) -> Source<'_> {
    Source {
        origin: &prepared.origin,
        text: &prepared.file.text,
    }
}

async fn rehearse(
    prepared: Prepared,
    if_revision: IfRevision,
    context: &Context,
) -> Result<DryRun, CliError> {
    let file = &prepared.file;
    let (job, deployed, calendars) = match context.client().await {
        Ok(client) => {
            let job = send(&client, &prepared, Sending::DryRun(if_revision), context).await?;
            let deployed = deployed(&client, &job).await?;
            let mut texts = vec![file.schedule_text.as_str()];
            texts.extend(deployed.as_ref().map(|job| job.schedule.as_str()));
            let calendars = job_schedule::calendars(&client, &texts).await?;
            (Some(job), deployed, calendars)
        }
        Err(CliError::Client(ClientError::NotRunning { .. })) => (None, None, Calendars::default()),
        Err(error) => return Err(error),
    };
    let named = file.schedule.zone().or(file.timezone.as_deref());
    let zone = match (&job, named) {
        (Some(job), _) => times::zone(&job.timezone),
        (None, Some(name)) => times::zone(name),
        (None, None) => TimeZone::system(),
    };
    let now = context.now();
    // A new job that names no id gets another one when it is deployed.
    let known = deployed.as_ref().map(|job| job.id).or(file.id);
    // Without a server its calendars are not known, and the occurrences are left out.
    let schedule = odin_schedule::parse_with(&file.schedule_text, &calendars)
        .ok()
        .map(|schedule| schedule.in_zone(&zone).with_dst(file.dst))
        .map(|schedule| match known {
            Some(id) => schedule.with_spread(id.to_bits()),
            None => schedule,
        });
    let outlook = deployed.as_ref().and_then(|deployed| {
        let old = job_schedule::of_job(deployed, &calendars)?;
        Some(outlook::compare(
            deployed.state,
            &old,
            schedule.as_ref()?,
            now,
        ))
    });
    let next = |instant: Timestamp| schedule.as_ref()?.next_after(instant);
    let rehearsal = DryRun {
        name: file.name.to_string(),
        description: file.description.clone(),
        language: file.program.language().to_owned(),
        schedule: file.schedule_text.clone(),
        timezone: zone.iana_name().unwrap_or("UTC").to_owned(),
        calendar_missing: job_schedule::lacks(&file.schedule, &calendars)
            .map(|name| name.as_str().to_owned()),
        occurrences: std::iter::successors(next(now), |due| next(*due))
            .take(OCCURRENCES_SHOWN)
            .collect(),
        bundle: prepared.hash.to_string(),
        files: prepared.paths.clone(),
        warnings: match &job {
            Some(job) if !job.warnings.is_empty() => job.warnings.clone(),
            _ => prepared.warnings(),
        },
        job,
        outlook,
    };
    if !context.json() {
        report::warn(&rehearsal.warnings, Some(source(&prepared)));
        print_rehearsal(&rehearsal, &prepared, &zone, context)?;
    }
    Ok(rehearsal)
}

/// The job as it is now, if the deployment would be a new version of one.
async fn deployed(client: &Client, planned: &Job) -> Result<Option<Job>, CliError> {
    if planned.version <= 1 {
        return Ok(None);
    }
    match client.job(planned.id).await {
        Ok(job) => Ok(Some(job)),
        // Removed in between.
        Err(error) if error.exit() == Exit::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn print_rehearsal(
    rehearsal: &DryRun,
    prepared: &Prepared,
    zone: &TimeZone,
    context: &Context,
) -> Result<(), CliError> {
    let what = match &rehearsal.job {
        Some(job) if job.version > 1 => format!("version {} of job {}", job.version, job.id),
        Some(_) => "a new job".to_owned(),
        None => "a job (no server was asked)".to_owned(),
    };
    context.print_line(&format!("{} would be deployed as {what}", prepared.origin))?;
    context.print_line(&format!("  name:      {}", rehearsal.name))?;
    context.print_line(&format!("  language:  {}", rehearsal.language))?;
    context.print_line(&format!(
        "  schedule:  {} ({})",
        rehearsal.schedule, rehearsal.timezone
    ))?;
    let size = prepared.packed.len();
    context.print_line(&format!(
        "  files:     {} ({size} bytes packed)",
        rehearsal.files.join(" ")
    ))?;
    if let Some(outlook) = &rehearsal.outlook {
        for line in outlook::lines(outlook, zone) {
            context.print_line(&format!("  {line}"))?;
        }
        return Ok(());
    }
    for due in &rehearsal.occurrences {
        context.print_line(&format!("  due:       {}", times::in_zone(*due, zone)))?;
    }
    if let Some(calendar) = &rehearsal.calendar_missing {
        context.print_line(&format!(
            "  due:       as the server's calendar `{calendar}` says"
        ))?;
    } else if rehearsal.occurrences.is_empty() {
        context.print_line("  due:       never")?;
    }
    Ok(())
}
