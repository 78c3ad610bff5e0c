//! From what a person wrote after `-i` to a job or a run.

use odin_client::{Client, ClientError};
use odin_model::{JobId, RunId};
use odin_wire::{Exit, Job, JobsQuery, Run};

use crate::error::CliError;

/// A job or a run.
#[derive(Debug)]
pub(crate) enum Selected {
    Job(Box<Job>),
    Run(Box<Run>),
}

/// The job in full with this id, or else with this name.
pub(crate) async fn job(client: &Client, text: &str) -> Result<Job, CliError> {
    let by_id = match text.parse::<JobId>() {
        Ok(id) => Some(client.job(id).await),
        Err(_) => None,
    };
    match by_id {
        Some(Ok(job)) => Ok(job),
        // A job may be named like an id.
        Some(Err(error)) if is_not_found(&error) => match by_name(client, text).await? {
            Some(job) => Ok(job),
            None => Err(error.into()),
        },
        Some(Err(error)) => Err(error.into()),
        None => by_name(client, text)
            .await?
            .ok_or_else(|| no_such_job(text)),
    }
}

/// The run with this id, or else the job with this id or name.
pub(crate) async fn job_or_run(client: &Client, text: &str) -> Result<Selected, CliError> {
    let Ok(id) = text.parse::<RunId>() else {
        return job(client, text)
            .await
            .map(|job| Selected::Job(Box::new(job)));
    };
    match client.run(id, None).await {
        Ok(run) => Ok(Selected::Run(Box::new(run))),
        Err(error) if is_not_found(&error) => match by_name(client, text).await? {
            Some(job) => Ok(Selected::Job(Box::new(job))),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The one visible job of this name, in full.
async fn by_name(client: &Client, name: &str) -> Result<Option<Job>, CliError> {
    let query = JobsQuery {
        name: Some(name.to_owned()),
        ..JobsQuery::default()
    };
    let jobs = client.all_jobs(query).await?;
    match jobs.as_slice() {
        [] => Ok(None),
        [job] => Ok(Some(client.job(job.id).await?)),
        several => {
            let each = several
                .iter()
                .map(|job| format!("{} of {}", job.id, job.owner));
            let message = format!(
                "{} jobs are named `{name}`: {}",
                several.len(),
                each.collect::<Vec<_>>().join(", ")
            );
            Err(CliError::refused("job/ambiguous-name", message).with_help("Use the job's id."))
        }
    }
}

fn is_not_found(error: &ClientError) -> bool {
    error.exit() == Exit::NotFound
}

fn no_such_job(text: &str) -> CliError {
    CliError::new(
        Exit::NotFound,
        "job/not-found",
        format!("there is no job `{text}`"),
    )
    .with_help("`odin list` shows your jobs.")
}
